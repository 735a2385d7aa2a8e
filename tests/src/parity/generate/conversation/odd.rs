//! Packets that no host should send: lengths, checksums and headers that contradict each other.

use super::packet;
use crate::parity::frame::Frame;
use crate::parity::generate::talk::Talk;
use crate::parity::random::Random;
use crate::parity::scenario::Step;

/// Where the IP header starts.
const IP: usize = 14;

/// One wrong packet that begins a conversation, a right answer, and a right beginning.
pub fn steps(talk: &Talk, protocol: u8, random: &mut Random) -> Vec<Step> {
    let fault = random.below(FAULTS.len());
    let extra = random.next();
    let wrong = |bytes: &mut Vec<u8>| {
        FAULTS[fault](bytes, extra);
        if bytes.len() >= IP + 20 && bytes[12..14] == [8, 0] && fault != WRONG_HEADER_SUM {
            sum_header(bytes);
        }
    };
    let first = || packet(talk, protocol, true);
    vec![
        talk.frames(true, vec![first()], wrong),
        talk.step(false, packet(talk, protocol, false)),
        talk.step(true, first()),
    ]
}

const WRONG_HEADER_SUM: usize = 0;

type Fault = fn(&mut Vec<u8>, u64);

const FAULTS: [Fault; 13] = [
    // The checksum of the IPv4 header; in IPv6 it is a part of an address.
    |bytes, _| bytes[IP + 10] ^= u8::from(bytes[12] == 8) * 0x55,
    // Cut off somewhere.
    |bytes, extra| bytes.truncate(IP + extra as usize % (bytes.len() - IP)),
    // Cut off in the transport header, by the IP header's own account.
    |bytes, extra| {
        let payload = payload(bytes);
        bytes.truncate(payload + extra as usize % 24);
        say_length(bytes);
    },
    // The frame is longer than the packet.
    |bytes, _| bytes.extend([0; 30]),
    // The packet says it is longer than the frame.
    |bytes, extra| {
        let at = if is_v6(bytes) { IP + 4 } else { IP + 2 };
        bytes[at + 1] = bytes[at + 1].saturating_add(1 + (extra % 40) as u8);
    },
    // It says it is shorter: the rest is padding.
    |bytes, extra| {
        let at = if is_v6(bytes) { IP + 4 } else { IP + 2 };
        bytes[at + 1] = bytes[at + 1].saturating_sub(1 + (extra % 40) as u8);
    },
    // Another version.
    |bytes, extra| bytes[IP] = (extra as u8 & 0xf0) | (bytes[IP] & 0x0f),
    // Another header length, or traffic class.
    |bytes, extra| bytes[IP] = (bytes[IP] & 0xf0) | (extra as u8 & 0x0f),
    // A wrong checksum of TCP, UDP or ICMP, or another wrong byte there.
    |bytes, extra| {
        let (payload, last) = (payload(bytes), bytes.len() - 1);
        bytes[(payload + extra as usize % 20).min(last)] ^= 0x41;
    },
    // No checksum at all.
    |bytes, _| {
        let at = payload(bytes) + if bytes.get(IP + 9) == Some(&6) { 16 } else { 6 };
        bytes.iter_mut().skip(at).take(2).for_each(|byte| *byte = 0);
    },
    // A strange data offset of TCP, or length of UDP.
    |bytes, extra| {
        let payload = payload(bytes);
        let at = if bytes.get(IP + 9) == Some(&6) { 12 } else { 4 };
        if let Some(byte) = bytes.get_mut(payload + at) {
            *byte = extra as u8;
        }
    },
    // Flags and offsets of fragments, or another flow label.
    |bytes, extra| {
        bytes[IP + 6] = if is_v6(bytes) {
            bytes[IP + 6]
        } else {
            extra as u8 & 0xe0
        }
    },
    // Another next protocol.
    |bytes, extra| {
        let at = if is_v6(bytes) { IP + 6 } else { IP + 9 };
        bytes[at] = extra as u8;
    },
];

fn is_v6(bytes: &[u8]) -> bool {
    bytes[12] == 0x86
}

/// Where the transport header starts.
fn payload(bytes: &[u8]) -> usize {
    let ip = Frame::read(bytes).and_then(|frame| frame.ip());
    bytes.len() - ip.map_or(0, |ip| ip.payload.len())
}

/// Makes the IP header tell the length of the frame.
fn say_length(bytes: &mut [u8]) {
    let length = bytes.len() - IP;
    let (at, length) = match is_v6(bytes) {
        true => (IP + 4, length.saturating_sub(40)),
        false => (IP + 2, length),
    };
    bytes[at..at + 2].copy_from_slice(&(length as u16).to_be_bytes());
}

/// Makes the checksum of an IPv4 header right.
fn sum_header(bytes: &mut [u8]) {
    let end = (IP + usize::from(bytes[IP] & 15) * 4).clamp(IP + 20, bytes.len());
    bytes[IP + 10..IP + 12].fill(0);
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&bytes[IP..end]);
    bytes[IP + 10..IP + 12].copy_from_slice(&sum.ones_complement().to_be().to_be_bytes());
}
