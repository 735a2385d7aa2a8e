//! From a packet in words to the bytes on the wire.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{
    ArpHardwareId, ArpOperation as WireOperation, ArpPacket, EtherType, Ethernet2Header, IpHeaders,
    IpNumber, PacketBuilder, PacketBuilderStep, TcpHeader, VlanId, checksum::Sum16BitWords,
    err::packet::BuildWriteError,
};

use sg_common::wire::icmp::{NdOption, v6};

use super::{
    fragment,
    words::{ArpOperation, Network, PacketWords, Ports, TcpFlag, Transport},
};
use crate::model::Mac;

const TTL: u8 = 64;
/// Neighbor discovery counts only with the hop limit that no router lets through, RFC 4861.
const HOP_LIMIT: u8 = 255;
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

/// The Ethernet frames the words stand for, in the order in which they go, with right lengths and
/// checksums and without padding. The last is the one that is meant; those before it are the fragments
/// that it needs.
pub fn frames(words: &PacketWords, ends: Ends) -> Vec<Vec<u8>> {
    let Some(part) = words.fragment else {
        return vec![frame(words, ends, &[])];
    };
    fragment::cut(&frame(words, ends, &fragment::PAYLOAD), part)
}

/// The whole packet with a payload, if it can have one.
fn frame(words: &PacketWords, ends: Ends, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    // Writing to memory cannot fail, and no packet made of words is too long for its headers.
    write(words, ends, payload, &mut frame).expect("a few dozen bytes in memory");
    frame
}

fn write(
    words: &PacketWords,
    ends: Ends,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), BuildWriteError> {
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
            sender_mac,
            source: from,
            destination: to,
        } => {
            let sender = sender_mac.unwrap_or(source);
            let packet = arp(*operation, (sender, *from), (ends.destination, *to));
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
                    r#type,
                    code,
                    id,
                    about,
                    ..
                } => {
                    let (word, body) = match about {
                        Some(about) => ([0; 4], quoted(about, ends)),
                        None => (identifier(*id), Vec::new()),
                    };
                    let body = [&body, payload].concat();
                    packet.icmpv4_raw(*r#type, *code, word).write(out, &body)
                }
                other => carry(packet, &[source, destination].concat(), other, payload, out),
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
                    about,
                } => {
                    let about = about.as_ref().map(|about| quoted(about, ends));
                    let (word, body) = match (*r#type, about) {
                        (v6::NEIGHBOR_SOLICITATION, _) => {
                            ([0; 4], target.unwrap_or(*destination).octets().to_vec())
                        }
                        (v6::NEIGHBOR_ADVERTISEMENT, _) => {
                            ([0; 4], target.unwrap_or(*source).octets().to_vec())
                        }
                        (v6::REDIRECT, Some(about)) => {
                            ([0; 4], redirect(target.unwrap_or(*source), about))
                        }
                        (_, Some(about)) => ([0; 4], about),
                        (_, None) => (identifier(*id), Vec::new()),
                    };
                    let body = [&body, payload].concat();
                    packet.icmpv6_raw(*r#type, *code, word).write(out, &body)
                }
                other => {
                    let ends = [source.octets(), destination.octets()].concat();
                    carry(packet, &ends, other, payload, out)
                }
            }
        }
    }
}

/// Writes a packet of a protocol that is the same in both families. `ends`: both addresses.
fn carry(
    packet: PacketBuilderStep<IpHeaders>,
    ends: &[u8],
    transport: &Transport,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), BuildWriteError> {
    let (number, header) = match transport {
        Transport::Tcp { ports, flags } => {
            return packet.tcp_header(tcp(*ports, flags)).write(out, payload);
        }
        Transport::Udp(ports) => {
            return packet
                .udp(ports.source_port, ports.destination_port)
                .write(out, payload);
        }
        Transport::Sctp(ports) => (IpNumber::SCTP, sctp_init(*ports)),
        Transport::Dccp(ports) => (DCCP, dccp_request(*ports)),
        Transport::Udplite(ports) => (UDP_LITE, udplite(*ports, ends, payload)),
        Transport::Other { number } => (IpNumber(*number), Vec::new()),
        // Only the callers know the family.
        Transport::Icmp { .. } => return Ok(()),
    };
    packet.write(out, number, &[&header, payload].concat())
}

/// A packet as an ICMP error quotes it: without its frame.
fn quoted(about: &Network, ends: Ends) -> Vec<u8> {
    let words = PacketWords {
        source_mac: None,
        destination_mac: None,
        vlan: None,
        fragment: None,
        network: about.clone(),
    };
    frame(&words, ends, &[]).split_off(Ethernet2Header::LEN)
}

/// What follows the first 8 bytes of a redirect, RFC 4861 4.5: a better first hop, for what destination, and
/// in an option the packet.
fn redirect(target: Ipv6Addr, mut about: Vec<u8>) -> Vec<u8> {
    const UNIT: usize = 8;
    // Where an IPv6 header has it.
    let destination = about[24..40].to_vec();
    about.resize(about.len().next_multiple_of(UNIT), 0);
    let units = (about.len() / UNIT + 1).try_into().unwrap_or(u8::MAX);
    let option = [NdOption::REDIRECTED_HEADER, units, 0, 0, 0, 0, 0, 0];
    [&target.octets(), destination.as_slice(), &option, &about].concat()
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

/// A UDP-Lite header whose checksum covers the whole datagram, RFC 3828 3.1. It must have one: 0 means none,
/// which is invalid.
fn udplite(ports: Ports, ends: &[u8], payload: &[u8]) -> Vec<u8> {
    const HEADER: u16 = 8;
    let ports = port_bytes(ports);
    let length = HEADER + payload.len() as u16;
    let sum = Sum16BitWords::new()
        .add_slice(ends)
        .add_2bytes([0, UDP_LITE.0])
        .add_2bytes(length.to_be_bytes())
        .add_4bytes(ports)
        .add_slice(payload);
    let [high, low] = match sum.ones_complement().to_be() {
        0 => [u8::MAX; 2],
        sum => sum.to_be_bytes(),
    };
    let [a, b, c, d] = ports;
    vec![a, b, c, d, 0, 0, high, low]
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
