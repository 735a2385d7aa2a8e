//! A frame in one line, for failure messages.

use std::fmt::Write;

use etherparse::{
    LaxLinkExtSlice, LaxNetSlice, LaxSlicedPacket, LinkSlice, TcpSlice, TransportSlice,
};

use super::TcpFlags;
use crate::mac::Mac;

/// Says what a frame is, as far as it can be read:
/// `IPv4 10.0.0.1:31245 > 10.0.0.2:80 tcp SYN, 0 bytes (fa:16:3e:00:00:01 > fa:16:3e:00:00:02)`.
#[must_use]
pub fn describe(frame: &[u8]) -> String {
    let Ok(packet) = LaxSlicedPacket::from_ethernet(frame) else {
        return format!("{} bytes that are no Ethernet frame", frame.len());
    };
    let mut line = String::new();
    for extension in &packet.link_exts {
        if let LaxLinkExtSlice::Vlan(tag) = extension {
            let _ = write!(line, "vlan {} ", tag.vlan_identifier().value());
        }
    }
    match &packet.net {
        Some(LaxNetSlice::Arp(arp)) => line += &self::arp(arp.slice()),
        Some(net) => line += &ip(net, packet.transport.as_ref()),
        None => line += &other(&packet, frame),
    }
    if let Some(LinkSlice::Ethernet2(ethernet)) = &packet.link {
        let (source, destination) = (Mac(ethernet.source()), Mac(ethernet.destination()));
        let _ = write!(line, " ({source} > {destination})");
    }
    if let Some((error, layer)) = &packet.stop_err {
        let _ = write!(line, " [{layer}: {error}]");
    }
    line
}

fn ip(net: &LaxNetSlice<'_>, transport: Option<&TransportSlice<'_>>) -> String {
    let (family, source, destination) = match net {
        LaxNetSlice::Ipv4(v4) => {
            let header = v4.header();
            (
                "IPv4",
                header.source_addr().to_string(),
                header.destination_addr().to_string(),
            )
        }
        LaxNetSlice::Ipv6(v6) => {
            let header = v6.header();
            (
                "IPv6",
                format!("[{}]", header.source_addr()),
                format!("[{}]", header.destination_addr()),
            )
        }
        LaxNetSlice::Arp(_) => unreachable!("the caller looks at ARP first"),
    };
    let fragmented = net
        .ip_payload_ref()
        .is_some_and(|payload| payload.fragmented);
    let fragment = if fragmented { " fragment" } else { "" };
    let (from, to, what) = match transport {
        Some(TransportSlice::Tcp(tcp)) => (
            format!(":{}", tcp.source_port()),
            format!(":{}", tcp.destination_port()),
            format!("tcp {}, {} bytes", tcp_flags(tcp), tcp.payload().len()),
        ),
        Some(TransportSlice::Udp(udp)) => (
            format!(":{}", udp.source_port()),
            format!(":{}", udp.destination_port()),
            format!("udp, {} bytes", udp.payload().len()),
        ),
        Some(TransportSlice::Icmpv4(icmp)) => (
            String::new(),
            String::new(),
            format!("icmp {}/{}", icmp.type_u8(), icmp.code_u8()),
        ),
        Some(TransportSlice::Icmpv6(icmp)) => (
            String::new(),
            String::new(),
            format!("icmpv6 {}/{}", icmp.type_u8(), icmp.code_u8()),
        ),
        Some(TransportSlice::Igmp(_)) => (String::new(), String::new(), "igmp".to_owned()),
        None => (String::new(), String::new(), raw(net)),
    };
    format!("{family}{fragment} {source}{from} > {destination}{to} {what}")
}

fn raw(net: &LaxNetSlice<'_>) -> String {
    match net.ip_payload_ref() {
        Some(payload) => {
            format!(
                "protocol {}, {} bytes",
                payload.ip_number.0,
                payload.payload.len()
            )
        }
        None => "no payload".to_owned(),
    }
}

fn tcp_flags(tcp: &TcpSlice<'_>) -> String {
    const NAMES: [(TcpFlags, &str); 6] = [
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::URG, "URG"),
    ];
    let flags = tcp.slice()[13];
    let set = NAMES
        .iter()
        .filter(|(flag, _)| flags & flag.0 != 0)
        .map(|(_, name)| *name);
    let set: Vec<_> = set.collect();
    if set.is_empty() {
        "no flags".to_owned()
    } else {
        set.join("+")
    }
}

fn arp(packet: &[u8]) -> String {
    let octets = |at: usize| match packet.get(at..at + 4) {
        Some([a, b, c, d]) => format!("{a}.{b}.{c}.{d}"),
        _ => "?".to_owned(),
    };
    let operation = match packet.get(7) {
        Some(1) => "request",
        Some(2) => "reply",
        _ => "of unknown operation",
    };
    format!(
        "ARP {operation}: sender {}, target {}",
        octets(14),
        octets(24)
    )
}

fn other(packet: &LaxSlicedPacket<'_>, frame: &[u8]) -> String {
    match packet.ether_payload() {
        Some(payload) => {
            format!(
                "ethertype {:#06x}, {} bytes",
                payload.ether_type.0,
                payload.payload.len()
            )
        }
        None => format!("{} bytes", frame.len()),
    }
}
