//! A packet in words, understood.

use std::net::{Ipv4Addr, Ipv6Addr};

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Mac;

/// A packet, understood: a frame can be built of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PacketWords {
    /// Source MAC, if it is not the expected one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_mac: Option<Mac>,
    /// Destination MAC, if it is not the expected one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_mac: Option<Mac>,
    /// 802.1Q tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// The fragment of the packet that is meant, if it is not the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragment: Option<FragmentPart>,
    /// What the frame carries.
    #[serde(flatten)]
    pub network: Network,
}

/// A fragment of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FragmentPart {
    /// The first, which has the transport header
    First,
    /// A later one, after the first
    Later,
    /// A later one of which the first has not been seen
    Lone,
}

/// What an Ethernet frame carries. Both addresses are of one family by their type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "ethertype", rename_all = "lowercase")]
pub enum Network {
    /// ARP for IPv4 over Ethernet, RFC 826.
    Arp {
        /// Question or answer.
        operation: ArpOperation,
        /// The sender's hardware address, if it is not the source MAC of the frame.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sender_mac: Option<Mac>,
        /// The sender's protocol address.
        source: Ipv4Addr,
        /// The target's protocol address.
        destination: Ipv4Addr,
    },
    /// IPv4.
    Ipv4 {
        /// Source address.
        source: Ipv4Addr,
        /// Destination address.
        destination: Ipv4Addr,
        /// What the packet carries.
        transport: Transport,
    },
    /// IPv6.
    Ipv6 {
        /// Source address.
        source: Ipv6Addr,
        /// Destination address.
        destination: Ipv6Addr,
        /// What the packet carries.
        transport: Transport,
    },
}

/// What an IP packet carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "protocol", rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp {
        /// Ports.
        #[serde(flatten)]
        ports: Ports,
        /// The flags that are set.
        flags: Vec<TcpFlag>,
    },
    /// UDP.
    Udp(Ports),
    /// SCTP, with an INIT chunk.
    Sctp(Ports),
    /// DCCP, a request.
    Dccp(Ports),
    /// UDP-Lite.
    Udplite(Ports),
    /// ICMP in IPv4, ICMPv6 in IPv6.
    Icmp {
        /// Type.
        r#type: u8,
        /// Code.
        code: u8,
        /// Identifier of an echo.
        id: u16,
        /// The target of neighbor discovery, if it is not the obvious one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        target: Option<Ipv6Addr>,
        /// The packet that an error is about, as it was sent. Its family is that of the error.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<Box<Network>>,
    },
    /// Any other protocol, without a payload.
    Other {
        /// Its number.
        number: u8,
    },
}

/// The two ports of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ports {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
}

/// A flag of the TCP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "RFC 9293's own names")]
pub enum TcpFlag {
    Fin,
    Syn,
    Rst,
    Psh,
    Ack,
    Urg,
    Ece,
    Cwr,
}

/// The operation of an ARP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArpOperation {
    /// Who has the target's address?
    Request,
    /// The sender has it.
    Reply,
}
