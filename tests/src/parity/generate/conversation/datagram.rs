//! UDP, UDP-Lite, ICMP, and protocols that nobody looks into.

use super::packet;
use crate::packet::{Extension, Packet, icmp, icmp_error};
use crate::parity::generate::peer::PEERS;
use crate::parity::generate::talk::Talk;
use crate::parity::random::Random;
use crate::parity::scenario::Step;

pub fn udp_steps(talk: &Talk, protocol: u8, random: &mut Random) -> Vec<Step> {
    let extensions = extensions(talk, random);
    let datagram = |first: bool| {
        let packet = extended(packet(talk, protocol, first), &extensions);
        talk.frames(first, vec![packet], |bytes| {
            sum_as_netfilter(bytes, protocol)
        })
    };
    let mut steps = vec![datagram(true), datagram(false), datagram(true)];
    if random.percent(30) {
        steps.push(error(talk, &packet(talk, protocol, true), random));
    }
    if random.percent(8) {
        let other = talk.with_other_source();
        steps.push(error(&other, &packet(&other, protocol, true), random));
    }
    if random.percent(20) {
        steps.remove(0);
    }
    steps
}

/// Queries and their answers, other messages, and whatever a rule names. `kind`: type and code.
pub fn icmp_steps(talk: &Talk, (kind, code): (u16, u16), random: &mut Random) -> Vec<Step> {
    let extensions = extensions(talk, random);
    let id = random.next() as u16;
    let message = |first: bool, kind: u8, code: u8, id: u16| {
        let (a, b) = talk.addresses(first);
        let message = icmp(&a, &b, kind, code).icmp_id(id, 1).payload(&[0; 48]);
        talk.step(first, extended(message, &extensions))
    };
    if random.percent(40) {
        let kind = kind.min(255) as u8;
        let code = u8::try_from(code).unwrap_or(random.below(3) as u8);
        return vec![
            message(true, kind, code, id),
            message(true, kind, code ^ 1, id),
        ];
    }
    let queries: &[(u8, u8)] = match talk.v6 {
        true => &[(128, 129), (128, 129), (139, 140)],
        false => &[(8, 0), (8, 0), (13, 14), (15, 16), (17, 18)],
    };
    let (request, reply) = random.pick(queries);
    let mut steps = vec![
        message(true, request, 0, id),
        message(false, reply, 0, id),
        message(false, reply, 0, id.wrapping_add(1)),
        message(true, request, 0, id),
    ];
    if random.percent(25) {
        let (a, b) = talk.addresses(true);
        let about = icmp(&a, &b, request, 0).icmp_id(id, 1).payload(&[0; 48]);
        steps.push(error(talk, &about, random));
    }
    if random.percent(15) {
        steps.remove(0);
    }
    steps
}

/// SCTP and DCCP are only compared in what opens a connection and what answers it.
pub fn plain_steps(talk: &Talk, protocol: u8, random: &mut Random) -> Vec<Step> {
    // An extension header as the protocol of a rule: something must follow it.
    let header = match protocol {
        43 if talk.v6 => Some(Extension::Routing),
        60 if talk.v6 => Some(Extension::Destination),
        51 if talk.v6 => Some(Extension::Authentication),
        44 if talk.v6 => {
            let (start, end) = (0, 9999);
            let atomic = packet(talk, 17, true).fragment(7, start, end);
            return vec![talk.step(true, atomic)];
        }
        _ => None,
    };
    if let Some(header) = header {
        let packet = |first| packet(talk, 17, first).extension(header);
        return vec![
            talk.step(true, packet(true)),
            talk.step(false, packet(false)),
        ];
    }
    let extensions = extensions(talk, random);
    let packet = |first| extended(packet(talk, protocol, first), &extensions);
    let mut steps = vec![talk.step(true, packet(true))];
    if !matches!(protocol, 132 | 33) {
        steps.extend([
            talk.step(false, packet(false)),
            talk.step(true, packet(true)),
        ]);
        if random.percent(15) {
            steps.push(error(talk, &packet(true), random));
        }
    }
    steps
}

/// An ICMP error of the answering side, or of a router there, about a packet of the other. Some quote too
/// little, or go to somebody else.
pub fn error(talk: &Talk, about: &Packet, random: &mut Random) -> Step {
    let (asking, answering) = talk.addresses(true);
    // A VM sends only from its own address.
    let source = match talk.out && random.percent(40) {
        true => PEERS[usize::from(talk.v6)][11],
        false => &answering,
    };
    let (kind, code) = random.pick(match talk.v6 {
        true => &[(1, 4), (2, 0), (3, 0), (4, 1), (1, 1)],
        false => &[(3, 3), (3, 4), (11, 0), (12, 0), (4, 0), (5, 1)],
    });
    let whole = icmp_error(source, kind, code, about);
    match random.below(100) {
        0..12 => {
            // Just the ports, or not even those.
            let header = if talk.v6 { 40 } else { 20 };
            let kept = header + random.pick(&[8, 8, 4, 2]);
            let quote: Vec<u8> = about.bytes()[14..].iter().take(kept).copied().collect();
            let error = icmp(source, &asking, kind, code).payload(&quote);
            talk.step(false, error)
        }
        12..18 => {
            let elsewhere = ["10.0.0.66", "2001:db8::66"][usize::from(talk.v6)];
            let quote = about.bytes()[14..].to_vec();
            let error = icmp(source, elsewhere, kind, code).payload(&quote);
            talk.step(false, error)
        }
        _ => talk.step(false, whole),
    }
}

/// Extension headers for all packets of a conversation, seldom any.
fn extensions(talk: &Talk, random: &mut Random) -> Vec<Extension> {
    const KNOWN: [Extension; 3] = [
        Extension::HopByHop,
        Extension::Routing,
        Extension::Destination,
    ];
    match (talk.v6, random.below(100)) {
        (true, 0..8) => vec![random.pick(&KNOWN)],
        (true, 8..12) => KNOWN.into(),
        (true, 12..13) => vec![Extension::Authentication],
        (true, 13..14) => vec![Extension::Destination; 9],
        _ => Vec::new(),
    }
}

fn extended(packet: Packet, extensions: &[Extension]) -> Packet {
    extensions
        .iter()
        .fold(packet, |packet, extension| packet.extension(*extension))
}

/// Gives UDP-Lite the checksum that nf_conntrack wants: it takes the protocol of the pseudo header for
/// UDP's (`nf_conntrack_proto_udp.c`, `udplite_error`), so what every host sends is invalid to it. That is
/// row 24 of `docs/parity.md`; with this checksum the rest of the tracking can be compared.
pub fn sum_as_netfilter(frame: &mut [u8], protocol: u8) {
    const DIFFERENCE: u16 = 136 - 17;
    if protocol != 136 {
        return;
    }
    // The checksum is the fourth field of the header, which is the last with 120 bytes behind it.
    let at = frame.len() - 120 - 2;
    let sum = u16::from_be_bytes([frame[at], frame[at + 1]]);
    // One's complement arithmetic: what the pseudo header has less, the checksum has more.
    let (sum, carry) = sum.overflowing_add(DIFFERENCE);
    frame[at..at + 2].copy_from_slice(&(sum + u16::from(carry)).to_be_bytes());
}
