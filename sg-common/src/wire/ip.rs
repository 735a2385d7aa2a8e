//! An IP header of either family, parsed.

use crate::wire::addr::{Address, Family};

/// An IP header, of either family, and where its payload is.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Ip {
    /// The family.
    pub family: Family,
    /// Whether the packet is a fragment.
    pub fragment: Fragment,
    /// Upper-layer protocol, after the extension headers.
    pub protocol: u8,
    /// Hop limit, or time to live.
    pub hops: u8,
    /// Offset of a fragment within its datagram, in units of 8 bytes.
    pub fragment_offset: u16,
    /// Type of the first header of a fragment's datagram: the same in all its fragments.
    pub fragment_protocol: u8,
    /// Identification of a fragment's datagram.
    pub fragment_id: u32,
    /// Offset of a fragment's data in the frame; before the payload if the data begin with extension
    /// headers.
    pub fragment_data: u32,
    /// Offset of the payload in the frame.
    pub payload: u32,
    /// Bytes of payload, by the header; for a super-packet, of all of it.
    pub payload_length: u32,
    /// Source.
    pub source: Address,
    /// Destination.
    pub destination: Address,
}

/// Which part of a datagram a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fragment {
    /// All of it.
    Whole,
    /// The first fragment, which has the transport header.
    First,
    /// Any other.
    Later,
}

impl Fragment {
    /// From a fragment offset and the flag for more.
    #[inline(always)]
    pub const fn new(offset: u16, more: bool) -> Fragment {
        match (offset, more) {
            (0, false) => Fragment::Whole,
            (0, true) => Fragment::First,
            _ => Fragment::Later,
        }
    }
}

/// How far a packet reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// As far as its header says; the frame must hold all of it.
    Whole,
    /// To an offset in the frame: it is quoted in an ICMP error, cut off somewhere.
    Until(u32),
}
