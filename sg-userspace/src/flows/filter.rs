//! Which connections: the filters of `conntrack -L` and `-D`, and the port.

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sg_common::{
    layout::flow::{Flow, FlowKey},
    packet::Opening,
    wire::addr::{Family, to_ip},
};

use crate::model::{PortProtocol, protocol};

/// What a connection must be. The addresses and ports are those of its first packet, as conntrack's
/// are; a filter that is not given is met by every connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FlowFilter {
    /// Of a port, by id, interface, MAC, IP address or name
    #[arg(long, value_name = "PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// From an address or a CIDR
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDRESS", value_parser = net)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", description = "From a CIDR")]
    pub src: Option<IpNet>,
    /// To an address or a CIDR
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDRESS", value_parser = net)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", description = "To a CIDR")]
    pub dst: Option<IpNet>,
    /// Of a protocol, by name or number
    #[arg(
        short,
        long = "proto",
        visible_alias = "protonum",
        value_name = "PROTOCOL",
        value_parser = protocol_number
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(description = "Of a protocol, by number")]
    pub protocol: Option<u8>,
    /// From a port number
    #[arg(long, visible_alias = "orig-port-src", value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sport: Option<u16>,
    /// To a port number
    #[arg(long, visible_alias = "orig-port-dst", value_name = "NUMBER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dport: Option<u16>,
    /// In a state of its protocol, such as ESTABLISHED
    #[arg(long, value_name = "STATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Of IPv4 or of IPv6
    #[arg(short, long, value_name = "FAMILY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<IpVersion>,
    /// That is assured, unreplied, or revoked
    #[arg(short = 'u', long, ignore_case = true, value_name = "STATUS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A family, as conntrack names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IpVersion {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// What can be asked of a connection beside its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// No packet can evict it.
    Assured,
    /// The other side has answered.
    SeenReply,
    /// The other side has not answered.
    Unreplied,
    /// The rules no longer permit it.
    Revoked,
}

impl FlowFilter {
    /// Whether every connection meets it.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a connection meets all of it but the port, which is for the caller to find; `state` is
    /// the name of its state.
    pub fn matches(&self, key: &FlowKey, flow: &Flow, state: &str) -> bool {
        let word = flow.word();
        let (local, remote) = (
            to_ip(&key.local, key.family()),
            to_ip(&key.remote, key.family()),
        );
        let (src, dst) = match word.from_vm() {
            true => (local, remote),
            false => (remote, local),
        };
        let transport = Opening::of_flow(key, word.from_vm()).transport;
        let has_ports = PortProtocol::of(key.protocol()).is_some();
        let is_port = |wanted: Option<u16>, port| wanted.is_none_or(|w| has_ports && w == port);
        let is_in = |net: Option<IpNet>, address| net.is_none_or(|net| net.contains(&address));
        is_in(self.src, src)
            && is_in(self.dst, dst)
            && self.protocol.is_none_or(|number| number == key.protocol())
            && is_port(self.sport, transport.source)
            && is_port(self.dport, transport.destination)
            && is_none_or_same(self.state.as_deref(), state)
            && self.family.is_none_or(|ip| ip.family() == key.family())
            && self.status.is_none_or(|status| match status {
                Status::Assured => word.assured(),
                Status::SeenReply => word.seen_reply(),
                Status::Unreplied => !word.seen_reply(),
                Status::Revoked => word.revoked(),
            })
    }
}

impl IpVersion {
    fn family(self) -> Family {
        match self {
            Self::Ipv4 => Family::V4,
            Self::Ipv6 => Family::V6,
        }
    }
}

fn is_none_or_same(wanted: Option<&str>, state: &str) -> bool {
    wanted.is_none_or(|wanted| wanted.eq_ignore_ascii_case(state))
}

/// An address or a CIDR, as it is typed.
///
/// # Errors
///
/// A sentence, if it is neither.
pub fn net(text: &str) -> Result<IpNet, String> {
    let address = || text.parse().map(|address: std::net::IpAddr| address.into());
    text.parse()
        .or_else(|_| address())
        .map_err(|_| "is neither an address nor a CIDR".into())
}

/// A protocol, as it is typed.
///
/// # Errors
///
/// A sentence, if it is none.
pub fn protocol_number(text: &str) -> Result<u8, String> {
    let number = protocol::number_of(text).filter(|number| *number != 0);
    number.ok_or_else(|| "is no protocol; name it, or give its number from 1 to 255".into())
}

#[cfg(test)]
mod tests;
