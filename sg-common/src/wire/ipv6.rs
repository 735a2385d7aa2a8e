//! The IPv6 header and its extension headers (RFC 8200).

use crate::wire::addr::{Address, Family};
use crate::wire::frame::Frame;
use crate::wire::header;
use crate::wire::ip::{Fragment, Ip};
use crate::wire::protocol;

header! {
    /// The fixed header.
    pub struct Header: 40 {
        /// Version 6, traffic class, flow label.
        pub version_class_label: [u8; 4],
        /// Length of what follows, extension headers included.
        pub payload_length: [u8; 2],
        /// Type of the next header.
        pub next_header: u8,
        /// Hop limit.
        pub hop_limit: u8,
        /// Source.
        pub source: [u8; 16],
        /// Destination.
        pub destination: [u8; 16],
    }

    /// The common start of the extension headers that are skipped.
    pub struct Extension: 2 {
        /// Type of the next header.
        pub next_header: u8,
        /// Length in units of 8 bytes, without the first.
        pub length: u8,
    }

    /// The fragment header.
    pub struct FragmentHeader: 8 {
        /// Type of the next header.
        pub next_header: u8,
        /// Zero.
        pub reserved: u8,
        /// Offset in units of 8 bytes (13 bits), and the flag for more in the lowest bit.
        pub offset: [u8; 2],
        /// Identification of the datagram.
        pub id: [u8; 4],
    }
}

/// Extension headers that are followed; no stack sends so many.
const MAX_EXTENSIONS: usize = 8;

const MORE_FRAGMENTS: u16 = 1;

/// Parses an IPv6 header and walks its extension headers to the upper-layer protocol.
///
/// The walk skips hop-by-hop, routing, fragment and destination options, and stops at any other header:
/// the authentication header (51) is thus a protocol of its own, as for nftables
/// (`net/ipv6/exthdrs_core.c`, `ipv6_find_hdr` with `IP6_FH_F_AUTH`).
#[inline(always)]
pub fn parse<F: Frame + ?Sized>(frame: &F, offset: u32, ip: &mut Ip) -> Walk {
    parse_until(frame, offset, frame.len(), false, ip)
}

/// As [`parse`], of a packet that is quoted in an ICMP error and reaches to an offset in the frame.
///
/// A subprogram of its own in the kernel, for its stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub fn parse_quoted<F: Frame + ?Sized>(frame: &F, offset: u32, end: u32, ip: &mut Ip) -> Walk {
    parse_until(frame, offset, end, true, ip)
}

#[inline(always)]
fn parse_until<F: Frame + ?Sized>(
    frame: &F,
    offset: u32,
    end: u32,
    quoted: bool,
    ip: &mut Ip,
) -> Walk {
    let Some(header) = frame.read::<Header>(offset) else {
        return Walk::CutShort;
    };
    let payload = offset + size_of::<Header>() as u32;
    if end < payload {
        return Walk::CutShort;
    }
    let available = end - payload;
    let payload_length = match u16::from_be_bytes(header.payload_length) as u32 {
        _ if quoted => available,
        // A super-packet of more than 64 KiB has no length in its header (BIG TCP).
        0 if available > u16::MAX as u32 => available,
        length => length,
    };
    if header.version_class_label[0] >> 4 != 6 || payload_length > available {
        return Walk::CutShort;
    }
    *ip = Ip {
        family: Family::V6,
        source: Address::new(header.source),
        destination: Address::new(header.destination),
        protocol: header.next_header,
        hops: header.hop_limit,
        fragment: Fragment::Whole,
        fragment_offset: 0,
        fragment_protocol: 0,
        fragment_id: 0,
        fragment_data: payload,
        payload,
        payload_length,
    };
    match is_extension(header.next_header) {
        true => walk(frame, ip),
        false => Walk::Done,
    }
}

/// Whether the walk goes on behind a header.
#[inline(always)]
const fn is_extension(header: u8) -> bool {
    matches!(
        header,
        protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::FRAGMENT
    )
}

/// How the walk over the headers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// At the upper-layer protocol.
    Done,
    /// At the end of the packet.
    CutShort,
    /// After more headers than are followed.
    TooLong,
}

/// A subprogram of its own in the kernel: few packets need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn walk<F: Frame + ?Sized>(frame: &F, ip: &mut Ip) -> Walk {
    let mut next = ip.protocol;
    for _ in 0..MAX_EXTENSIONS {
        let length = match next {
            protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS => {
                let Some(extension) = frame.read::<Extension>(ip.payload) else {
                    return Walk::CutShort;
                };
                next = extension.next_header;
                (extension.length as u32 + 1) * 8
            }
            protocol::FRAGMENT => {
                let Some(header) = frame.read::<FragmentHeader>(ip.payload) else {
                    return Walk::CutShort;
                };
                let offset = u16::from_be_bytes(header.offset);
                ip.fragment = Fragment::new(offset >> 3, offset & MORE_FRAGMENTS != 0);
                ip.fragment_offset = offset >> 3;
                ip.fragment_id = u32::from_be_bytes(header.id);
                ip.fragment_protocol = header.next_header;
                ip.fragment_data = ip.payload + size_of::<FragmentHeader>() as u32;
                next = header.next_header;
                size_of::<FragmentHeader>() as u32
            }
            _ => {
                ip.protocol = next;
                return Walk::Done;
            }
        };
        if length > ip.payload_length {
            return Walk::CutShort;
        }
        ip.payload += length;
        ip.payload_length -= length;
        if matches!(ip.fragment, Fragment::Later) {
            // What follows the header of a later fragment is data of the middle of the datagram.
            ip.protocol = next;
            return Walk::Done;
        }
    }
    Walk::TooLong
}
