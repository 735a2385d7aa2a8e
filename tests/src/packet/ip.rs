//! IPv4 and IPv6: addresses, options, extension headers, fragments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::{IpFragOffset, IpNumber, Ipv4Header, Ipv4Options, Ipv6FragmentHeader, Ipv6Header};

use super::transport::Transport;

/// An IP packet.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Ip {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub hop_limit: u8,
    pub options: Vec<u8>,
    pub extensions: Vec<Extension>,
    pub fragment: Option<Fragment>,
    pub transport: Transport,
    pub payload: Vec<u8>,
}

/// An IPv6 extension header (RFC 8200 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// Hop-by-hop options, padding only.
    HopByHop,
    /// A type 4 routing header (RFC 8754) with no segments left.
    Routing,
    /// Destination options, padding only.
    Destination,
    /// An authentication header (RFC 4302), whose length counts in words of four bytes.
    Authentication,
    /// Any header of the general form, with so many further units of eight bytes.
    Other {
        /// Its protocol number.
        number: u8,
        /// Length in units of eight bytes beyond the first.
        units: u8,
    },
}

/// A part of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Identification; IPv4 uses the lower 16 bits.
    pub id: u32,
    /// First byte of the datagram's payload that it carries, a multiple of eight.
    pub start: usize,
    /// Byte after the last; the rest of the datagram if beyond its end.
    pub end: usize,
}

impl Ip {
    pub fn new(source: IpAddr, destination: IpAddr, transport: Transport) -> Self {
        assert_eq!(
            source.is_ipv4(),
            destination.is_ipv4(),
            "{source} and {destination} are of different families"
        );
        Self {
            source,
            destination,
            hop_limit: 64,
            options: Vec::new(),
            extensions: Vec::new(),
            fragment: None,
            transport,
            payload: Vec::new(),
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let whole = self
            .transport
            .bytes(self.source, self.destination, &self.payload);
        let part = Part::of(&whole, self.fragment);
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.v4(source, destination, &part),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.v6(source, destination, &part),
            _ => unreachable!("`new` saw to it that both are of one family"),
        }
    }

    fn v4(&self, source: Ipv4Addr, destination: Ipv4Addr, part: &Part<'_>) -> Vec<u8> {
        assert!(self.extensions.is_empty(), "IPv4 has no extension headers");
        let mut header = Ipv4Header {
            identification: part.id as u16,
            dont_fragment: self.fragment.is_none(),
            more_fragments: part.more,
            fragment_offset: part.offset,
            time_to_live: self.hop_limit,
            protocol: IpNumber(self.transport.protocol()),
            source: source.octets(),
            destination: destination.octets(),
            options: Ipv4Options::try_from(self.options.as_slice())
                .unwrap_or_else(|e| panic!("not IPv4 options: {e}")),
            ..Ipv4Header::default()
        };
        header
            .set_payload_len(part.bytes.len())
            .unwrap_or_else(|e| panic!("payload: {e}"));
        header.header_checksum = header.calc_header_checksum();
        [&header.to_bytes(), part.bytes].concat()
    }

    fn v6(&self, source: Ipv6Addr, destination: Ipv6Addr, part: &Part<'_>) -> Vec<u8> {
        assert!(
            self.options.is_empty(),
            "IPv6 has extension headers for options"
        );
        let mut payload = part.bytes.to_vec();
        let mut next = self.transport.protocol();
        if self.fragment.is_some() {
            let header =
                Ipv6FragmentHeader::new(IpNumber(next), part.offset, part.more, part.id).to_bytes();
            payload.splice(0..0, header);
            next = IpNumber::IPV6_FRAGMENTATION_HEADER.0;
        }
        for extension in self.extensions.iter().rev() {
            payload.splice(0..0, extension.bytes(next));
            next = extension.number();
        }
        let mut header = Ipv6Header {
            next_header: IpNumber(next),
            hop_limit: self.hop_limit,
            source: source.octets(),
            destination: destination.octets(),
            ..Ipv6Header::default()
        };
        header
            .set_payload_length(payload.len())
            .unwrap_or_else(|e| panic!("payload: {e}"));
        [header.to_bytes().as_slice(), &payload].concat()
    }
}

/// The part of the datagram that goes into this packet: all of it, or a fragment.
struct Part<'a> {
    id: u32,
    offset: IpFragOffset,
    more: bool,
    bytes: &'a [u8],
}

impl<'a> Part<'a> {
    fn of(whole: &'a [u8], fragment: Option<Fragment>) -> Self {
        let Some(Fragment { id, start, end }) = fragment else {
            return Self {
                id: 0,
                offset: IpFragOffset::ZERO,
                more: false,
                bytes: whole,
            };
        };
        assert!(
            start.is_multiple_of(8),
            "a fragment starts at a multiple of eight, not {start}"
        );
        let end = end.min(whole.len());
        let units = u16::try_from(start / 8).unwrap_or(u16::MAX);
        Self {
            id,
            offset: IpFragOffset::try_new(units).unwrap_or_else(|e| panic!("fragment: {e}")),
            more: end < whole.len(),
            bytes: &whole[start.min(end)..end],
        }
    }
}

impl Extension {
    fn number(self) -> u8 {
        match self {
            Self::HopByHop => 0,
            Self::Routing => 43,
            Self::Destination => 60,
            Self::Authentication => 51,
            Self::Other { number, .. } => number,
        }
    }

    fn bytes(self, next: u8) -> Vec<u8> {
        match self {
            // PadN that fills the rest of the eight bytes.
            Self::HopByHop | Self::Destination => vec![next, 0, 1, 4, 0, 0, 0, 0],
            Self::Routing => vec![next, 0, 4, 0, 0, 0, 0, 0],
            // Four words beyond two: parameters index, sequence number, integrity value.
            Self::Authentication => {
                let mut bytes = vec![0; 24];
                (bytes[0], bytes[1]) = (next, 4);
                bytes
            }
            Self::Other { units, .. } => {
                let mut bytes = vec![0; 8 + 8 * usize::from(units)];
                (bytes[0], bytes[1]) = (next, units);
                bytes
            }
        }
    }
}
