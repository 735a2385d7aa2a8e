//! A datagram cut in two.

use etherparse::{
    EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header, Ipv6FragmentHeader, Ipv6Header,
    SingleVlanHeader,
};

use super::words::FragmentPart;

/// What a datagram carries so that there is something to cut.
pub const PAYLOAD: [u8; 64] = [0; 64];
/// Where it is cut: behind every transport header that words can make, and at a unit of 8 bytes.
const CUT: usize = 48;
/// The identification, which both fragments have.
const ID: u16 = 1;

/// One of two fragments.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    First,
    Second,
}

/// The frames of a fragment and of those that it needs before it, of an Ethernet frame with an unfragmented
/// IP packet.
pub fn cut(frame: &[u8], part: FragmentPart) -> Vec<Vec<u8>> {
    let halves: &[Half] = match part {
        FragmentPart::First => &[Half::First],
        FragmentPart::Later => &[Half::First, Half::Second],
        FragmentPart::Lone => &[Half::Second],
    };
    halves.iter().map(|half| fragment(frame, *half)).collect()
}

fn fragment(frame: &[u8], half: Half) -> Vec<u8> {
    let ip_at = match frame[12..14] == EtherType::VLAN_TAGGED_FRAME.0.to_be_bytes() {
        true => Ethernet2Header::LEN + SingleVlanHeader::LEN,
        false => Ethernet2Header::LEN,
    };
    let (link, packet) = frame.split_at(ip_at);
    let mut out = link.to_vec();
    // What this module is given was built from words: its IP header is whole and right.
    match packet[0] >> 4 {
        4 => {
            let (mut header, payload) = Ipv4Header::from_slice(packet).expect("an IPv4 packet");
            let payload = piece(payload, half);
            header.identification = ID;
            header.dont_fragment = false;
            header.more_fragments = half == Half::First;
            header.fragment_offset = offset(half);
            header
                .set_payload_len(payload.len())
                .expect("a short packet");
            header.header_checksum = header.calc_header_checksum();
            out.extend(header.to_bytes());
            out.extend(payload);
        }
        _ => {
            let (mut header, payload) = Ipv6Header::from_slice(packet).expect("an IPv6 packet");
            let payload = piece(payload, half);
            let more = half == Half::First;
            let next = Ipv6FragmentHeader::new(header.next_header, offset(half), more, ID.into());
            header.next_header = IpNumber::IPV6_FRAGMENTATION_HEADER;
            header.payload_length = (Ipv6FragmentHeader::LEN + payload.len()) as u16;
            out.extend(header.to_bytes());
            out.extend(next.to_bytes());
            out.extend(payload);
        }
    }
    out
}

fn piece(payload: &[u8], half: Half) -> &[u8] {
    let (first, second) = payload.split_at(CUT);
    match half {
        Half::First => first,
        Half::Second => second,
    }
}

fn offset(half: Half) -> IpFragOffset {
    const UNITS: u16 = (CUT / 8) as u16;
    match half {
        Half::First => IpFragOffset::ZERO,
        Half::Second => IpFragOffset::try_new(UNITS).unwrap_or(IpFragOffset::ZERO),
    }
}

#[cfg(test)]
mod tests;
