//! From a packet in words to the bytes on the wire.

use std::net::{IpAddr, Ipv4Addr};

use etherparse::{
    ArpHardwareId, ArpOperation as WireOperation, ArpPacket, EtherType, IpHeaders, IpNumber,
    PacketBuilder, PacketBuilderStep, TcpHeader, VlanId, err::packet::BuildWriteError,
};

use super::words::{ArpOperation, Network, PacketWords, Ports, TcpFlag, Transport};
use crate::model::Mac;

const TTL: u8 = 64;
/// Neighbor discovery counts only with the hop limit that no router lets through, RFC 4861.
const HOP_LIMIT: u8 = 255;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const DCCP: IpNumber = IpNumber(33);
const UDP_LITE: IpNumber = IpNumber(136);
const WINDOW: u16 = 65535;

/// The two ends of the wire, for a packet that does not name its MAC addresses.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// Who sends.
    pub source: Mac,
    /// Who receives, unless the packet goes to a group.
    pub destination: Mac,
}

/// The Ethernet frame the words stand for, with right lengths and checksums and without padding.
pub fn frame(words: &PacketWords, ends: Ends) -> Vec<u8> {
    let mut frame = Vec::new();
    // Writing to memory cannot fail, and no packet made of words is too long for its headers.
    write(words, ends, &mut frame).expect("a few dozen bytes in memory");
    frame
}

fn write(words: &PacketWords, ends: Ends, out: &mut Vec<u8>) -> Result<(), BuildWriteError> {
    let source = words.source_mac.unwrap_or(ends.source);
    let group = || group_mac(&words.network);
    let destination = words
        .destination_mac
        .or_else(group)
        .unwrap_or(ends.destination);
    let ethernet = PacketBuilder::ethernet2(source.0, destination.0);
    let tag = words.vlan.and_then(|id| VlanId::try_new(id).ok());
    match &words.network {
        Network::Arp {
            operation,
            source: from,
            destination: to,
        } => {
            let packet = arp(*operation, (source, *from), (ends.destination, *to));
            match tag {
                Some(tag) => ethernet.single_vlan(tag).arp(packet).write(out),
                None => ethernet.arp(packet).write(out),
            }
        }
        Network::Ipv4 {
            source,
            destination,
            transport,
        } => {
            let (source, destination) = (source.octets(), destination.octets());
            let packet = match tag {
                Some(tag) => ethernet.single_vlan(tag).ipv4(source, destination, TTL),
                None => ethernet.ipv4(source, destination, TTL),
            };
            match transport {
                Transport::Icmp {
                    r#type, code, id, ..
                } => packet
                    .icmpv4_raw(*r#type, *code, identifier(*id))
                    .write(out, &[]),
                other => carry(packet, other, out),
            }
        }
        Network::Ipv6 {
            source,
            destination,
            transport,
        } => {
            let hops = if is_neighbor_discovery(transport) {
                HOP_LIMIT
            } else {
                TTL
            };
            let packet = match tag {
                Some(tag) => {
                    ethernet
                        .single_vlan(tag)
                        .ipv6(source.octets(), destination.octets(), hops)
                }
                None => ethernet.ipv6(source.octets(), destination.octets(), hops),
            };
            match transport {
                Transport::Icmp {
                    r#type,
                    code,
                    id,
                    target,
                } => {
                    let (word, body) = match *r#type {
                        SOLICITATION => ([0; 4], target.unwrap_or(*destination).octets().to_vec()),
                        ADVERTISEMENT => ([0; 4], target.unwrap_or(*source).octets().to_vec()),
                        _ => (identifier(*id), Vec::new()),
                    };
                    packet.icmpv6_raw(*r#type, *code, word).write(out, &body)
                }
                other => carry(packet, other, out),
            }
        }
    }
}

/// Writes a packet of a protocol that is the same in both families.
fn carry(
    packet: PacketBuilderStep<IpHeaders>,
    transport: &Transport,
    out: &mut Vec<u8>,
) -> Result<(), BuildWriteError> {
    match transport {
        Transport::Tcp { ports, flags } => packet.tcp_header(tcp(*ports, flags)).write(out, &[]),
        Transport::Udp(ports) => packet
            .udp(ports.source_port, ports.destination_port)
            .write(out, &[]),
        Transport::Sctp(ports) => packet.write(out, IpNumber::SCTP, &sctp_init(*ports)),
        Transport::Dccp(ports) => packet.write(out, DCCP, &dccp_request(*ports)),
        Transport::Udplite(ports) => packet.write(out, UDP_LITE, &udplite(*ports)),
        Transport::Other { number } => packet.write(out, IpNumber(*number), &[]),
        // Only the callers know the family.
        Transport::Icmp { .. } => Ok(()),
    }
}

/// Where a packet to a group of hosts goes: RFC 1112 6.4, RFC 2464 7.
fn group_mac(network: &Network) -> Option<Mac> {
    const BROADCAST: Mac = Mac([0xff; 6]);
    let destination = match network {
        Network::Arp { operation, .. } => {
            return (*operation == ArpOperation::Request).then_some(BROADCAST);
        }
        Network::Ipv4 { destination, .. } => IpAddr::V4(*destination),
        Network::Ipv6 { destination, .. } => IpAddr::V6(*destination),
    };
    match destination {
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some(BROADCAST),
        IpAddr::V4(group) if group.is_multicast() => {
            let [_, b, c, d] = group.octets();
            Some(Mac([0x01, 0x00, 0x5e, b & 0x7f, c, d]))
        }
        IpAddr::V6(group) if group.is_multicast() => {
            let [.., a, b, c, d] = group.octets();
            Some(Mac([0x33, 0x33, a, b, c, d]))
        }
        _ => None,
    }
}

fn arp(
    operation: ArpOperation,
    (from_mac, from): (Mac, Ipv4Addr),
    (to_mac, to): (Mac, Ipv4Addr),
) -> ArpPacket {
    let (operation, target) = match operation {
        // A question does not know the answer.
        ArpOperation::Request => (WireOperation::REQUEST, [0; 6]),
        ArpOperation::Reply => (WireOperation::REPLY, to_mac.0),
    };
    ArpPacket::new(
        ArpHardwareId::ETHERNET,
        EtherType::IPV4,
        operation,
        &from_mac.0,
        &from.octets(),
        &target,
        &to.octets(),
    )
    // `new` asks only that the addresses of a kind are of one length, and these are arrays.
    .expect("addresses of equal lengths")
}

fn tcp(ports: Ports, flags: &[TcpFlag]) -> TcpHeader {
    let mut header = TcpHeader::new(ports.source_port, ports.destination_port, 1, WINDOW);
    for flag in flags {
        match flag {
            TcpFlag::Fin => header.fin = true,
            TcpFlag::Syn => header.syn = true,
            TcpFlag::Rst => header.rst = true,
            TcpFlag::Psh => header.psh = true,
            TcpFlag::Ack => header.ack = true,
            TcpFlag::Urg => header.urg = true,
            TcpFlag::Ece => header.ece = true,
            TcpFlag::Cwr => header.cwr = true,
        }
    }
    header
}

/// The common header and an INIT chunk, RFC 9260 3.1 and 3.3.2. The CRC is left zero: no filter
/// on the way looks at it.
fn sctp_init(ports: Ports) -> Vec<u8> {
    const COMMON_REST: [u8; 8] = [0; 8];
    const INIT: [u8; 20] = [1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1];
    [port_bytes(ports).as_slice(), &COMMON_REST, &INIT].concat()
}

/// A DCCP-Request with the long sequence number, RFC 4340 5.1 and 5.2.
fn dccp_request(ports: Ports) -> Vec<u8> {
    const DATA_OFFSET_WORDS: u8 = 5;
    const EXTENDED: u8 = 1;
    let rest = [
        DATA_OFFSET_WORDS,
        0,
        0,
        0,
        EXTENDED,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
    ];
    [port_bytes(ports).as_slice(), &rest].concat()
}

/// A UDP-Lite header that covers the whole datagram, RFC 3828 3.1.
fn udplite(ports: Ports) -> Vec<u8> {
    [port_bytes(ports).as_slice(), &[0; 4]].concat()
}

fn port_bytes(ports: Ports) -> [u8; 4] {
    let ([a, b], [c, d]) = (
        ports.source_port.to_be_bytes(),
        ports.destination_port.to_be_bytes(),
    );
    [a, b, c, d]
}

/// Bytes 5 to 8 of an ICMP echo: identifier and sequence number, RFC 792.
fn identifier(id: u16) -> [u8; 4] {
    let [high, low] = id.to_be_bytes();
    [high, low, 0, 1]
}

/// Router and neighbor discovery and redirects, RFC 4861 4.
fn is_neighbor_discovery(transport: &Transport) -> bool {
    matches!(
        transport,
        Transport::Icmp {
            r#type: 133..=137,
            ..
        }
    )
}

#[cfg(test)]
mod tests;
