//! The IPv4 header (RFC 791).

use crate::wire::addr::{Family, from_v4};
use crate::wire::frame::Frame;
use crate::wire::header;
use crate::wire::ip::{Extent, Fragment, Ip};

header! {
    /// The header without options.
    pub struct Header: 20 {
        /// Version 4 and the header length in words.
        pub version_length: u8,
        /// Differentiated services.
        pub tos: u8,
        /// Length of header and payload.
        pub total_length: [u8; 2],
        /// Identification of the datagram, for its fragments.
        pub id: [u8; 2],
        /// Flags and fragment offset.
        pub fragment: [u8; 2],
        /// Time to live.
        pub ttl: u8,
        /// Protocol of the payload.
        pub protocol: u8,
        /// Header checksum.
        pub checksum: [u8; 2],
        /// Source.
        pub source: [u8; 4],
        /// Destination.
        pub destination: [u8; 4],
    }
}

const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// The bits of [`Header::fragment`] that make a fragment.
pub const FRAGMENT: u16 = MORE_FRAGMENTS | OFFSET;

/// Parses an IPv4 header at an offset; false if it is cut short or contradicts itself
/// (`net/bridge/br_netfilter_hooks.c`, `br_validate_ipv4`).
#[inline(always)]
pub fn parse<F: Frame + ?Sized>(frame: &F, offset: u32, extent: Extent, ip: &mut Ip) -> bool {
    let Some(header) = frame.read::<Header>(offset) else {
        return false;
    };
    let header_length = (header.version_length & 0x0f) as u32 * 4;
    if header.version_length >> 4 != 4 || header_length < size_of::<Header>() as u32 {
        return false;
    }
    let (end, quoted) = match extent {
        Extent::Whole => (frame.len(), false),
        Extent::Until(end) => (end, true),
    };
    let available = end.saturating_sub(offset);
    let length = match u16::from_be_bytes(header.total_length) as u32 {
        // Some routers quote the length as their kernel has changed it.
        _ if quoted => available,
        // A super-packet of more than 64 KiB has no length in its header (BIG TCP).
        0 if available > u16::MAX as u32 => available,
        length => length,
    };
    if length < header_length || length > available {
        return false;
    }
    let fragment = u16::from_be_bytes(header.fragment);
    *ip = Ip {
        family: Family::V4,
        source: from_v4(header.source),
        destination: from_v4(header.destination),
        protocol: header.protocol,
        hops: header.ttl,
        fragment: Fragment::new(fragment & OFFSET, fragment & MORE_FRAGMENTS != 0),
        fragment_offset: fragment & OFFSET,
        fragment_protocol: header.protocol,
        fragment_id: u16::from_be_bytes(header.id) as u32,
        fragment_data: offset + header_length,
        payload: offset + header_length,
        payload_length: length - header_length,
    };
    true
}
