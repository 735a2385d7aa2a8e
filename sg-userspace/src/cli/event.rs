//! What was told of a packet, in words.

pub use crate::host::zone::{local_time, time_in};
use crate::{
    model::protocol,
    packet::from_hex,
    view::{Count, EventAction, PacketView},
};

/// The protocol of IP, or else what the frame carries.
pub fn protocol_of(packet: &PacketView) -> String {
    match packet.protocol {
        Some(number) => protocol::name(number).map_or_else(|| number.to_string(), str::to_owned),
        None => match ethertype(packet) {
            Some(0x0806) => "arp".into(),
            Some(other) => format!("{other:#06x}"),
            None => "-".into(),
        },
    }
}

/// The ethertype behind a tag, if the frame has one and is whole so far.
fn ethertype(packet: &PacketView) -> Option<u16> {
    let bytes = from_hex(&packet.frame).ok()?;
    let at = |place: usize| -> Option<u16> {
        let pair = bytes.get(place..place + 2)?;
        Some(u16::from_be_bytes([pair[0], pair[1]]))
    };
    match at(12)? {
        0x8100 | 0x88a8 => at(16),
        other => Some(other),
    }
}

/// The packet: who speaks to whom, and what the headers have beside.
pub fn packet_text(packet: &PacketView) -> String {
    let mut words = vec![ends(packet)];
    if let (Some(kind), Some(code)) = (packet.icmp_type, packet.icmp_code) {
        words.push(format!("type {kind} code {code}"));
    }
    words.extend(packet.tcp_flags.clone());
    if let Some(vlan) = packet.vlan {
        words.push(format!("VLAN {vlan}"));
    }
    match (packet.action, packet.lived_ms) {
        (Some(EventAction::End), None) => {}
        (Some(EventAction::End), Some(lived)) => {
            words.push(format!("after {:.1} s", lived as f64 / 1000.0));
        }
        _ => words.push(format!("{} bytes", packet.length)),
    }
    match &packet.rules[..] {
        [] => {}
        [rule] => words.push(format!("by rule {rule}")),
        rules => words.push(format!("by one of {} rules", rules.len())),
    }
    if let Some(counted) = packet.counted {
        let of = |count: Count| format!("{} packets, {} bytes", count.packets, count.bytes);
        words.push(format!(
            "in {}, out {}",
            of(counted.ingress),
            of(counted.egress)
        ));
    }
    words.join(" ")
}

fn ends(packet: &PacketView) -> String {
    match (&packet.source, &packet.destination) {
        (Some(source), Some(destination)) => format!(
            "{} > {}",
            end(source, packet.source_port),
            end(destination, packet.destination_port)
        ),
        _ => macs(packet),
    }
}

fn end(address: &str, port: Option<u16>) -> String {
    match port {
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    }
}

/// Who speaks to whom where there are no addresses of IP.
fn macs(packet: &PacketView) -> String {
    let digits = |range| packet.frame.get(range).map(mac).unwrap_or_default();
    format!("{} > {}", digits(12..24), digits(0..12))
}

fn mac(digits: &str) -> String {
    let pairs = digits.as_bytes().chunks(2);
    let pairs: Vec<_> = pairs.map(|pair| String::from_utf8_lossy(pair)).collect();
    pairs.join(":")
}
