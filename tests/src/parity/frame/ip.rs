//! IP packets, as far as expectations need them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::checksum::Sum16BitWords;

use super::number;

/// An IP packet.
#[derive(Clone, Debug)]
pub struct Ip<'a> {
    /// Who sent it.
    pub source: IpAddr,
    /// To whom.
    pub destination: IpAddr,
    /// Upper-layer protocol, behind the extension headers.
    pub protocol: u8,
    /// How many extension headers there are.
    pub extensions: usize,
    /// Which part of a datagram it is, if not all of it.
    pub part: Option<Part>,
    /// What follows the last header.
    pub payload: &'a [u8],
    /// Whether the checksum of the header is right; IPv6 has none.
    pub sum_right: bool,
}

/// A part of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Identification of the datagram.
    pub id: u32,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// Others follow.
    pub more: bool,
}

impl<'a> Ip<'a> {
    /// Reads an IPv4 packet; what there is of it, if it is cut short behind its header.
    #[must_use]
    pub fn v4(bytes: &'a [u8]) -> Option<Self> {
        let header = usize::from(bytes.first()? & 15) * 4;
        if bytes[0] >> 4 != 4 || header < 20 {
            return None;
        }
        let end = usize::from(number(bytes, 2)?).min(bytes.len());
        let payload = bytes.get(header..end)?;
        let (id, flags) = (number(bytes, 4)?, number(bytes, 6)?);
        let address = |at: usize| Ipv4Addr::from([0, 1, 2, 3].map(|i| bytes[at + i]));
        Some(Self {
            source: IpAddr::V4(address(12)),
            destination: IpAddr::V4(address(16)),
            protocol: bytes[9],
            extensions: 0,
            part: Part::new(
                u32::from(id),
                flags & 0x1fff,
                flags & 0x2000 != 0,
                payload.len(),
            ),
            payload,
            sum_right: Sum16BitWords::new()
                .add_slice(&bytes[..header])
                .ones_complement()
                == 0,
        })
    }

    /// Reads an IPv6 packet and its extension headers up to an authentication header.
    #[must_use]
    pub fn v6(bytes: &'a [u8]) -> Option<Self> {
        let address = |at: usize| {
            let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        };
        let (source, destination) = (address(8)?, address(24)?);
        let end = (40 + usize::from(number(bytes, 4)?)).min(bytes.len());
        let (mut next, mut at, mut extensions, mut part) = (bytes[6], 40, 0, None);
        while matches!(next, 0 | 43 | 44 | 60) && part.is_none_or(|part: Part| part.start == 0) {
            let header = bytes.get(at..end)?;
            let length = match next {
                44 => {
                    let offset = number(header, 2)?;
                    let id = u32::from_be_bytes(header.get(4..8)?.try_into().ok()?);
                    let rest = header.len().checked_sub(8)?;
                    part = Part::new(id, offset >> 3, offset & 1 != 0, rest);
                    8
                }
                _ => 8 + 8 * usize::from(*header.get(1)?),
            };
            next = *header.first()?;
            at += length;
            extensions += 1;
        }
        Some(Self {
            source,
            destination,
            protocol: next,
            extensions,
            part,
            payload: bytes.get(at..end)?,
            sum_right: true,
        })
    }

    /// The two ports, of a protocol that has them.
    #[must_use]
    pub fn ports(&self) -> Option<(u16, u16)> {
        let has_ports = matches!(self.protocol, 6 | 17 | 33 | 132 | 136);
        if !has_ports || self.part.is_some_and(|part| part.start > 0) {
            return None;
        }
        Some((number(self.payload, 0)?, number(self.payload, 2)?))
    }

    /// How many bytes of transport header iptables wants before it looks at ranges of ports or types.
    #[must_use]
    pub fn transport_header(&self) -> usize {
        match (self.protocol, self.source.is_ipv4()) {
            (6, _) => 20,
            (33 | 132, _) => 12,
            (17, _) | (1, true) | (58, false) => 8,
            (136, _) => 4,
            _ => 0,
        }
    }

    /// Whether the checksum of a whole UDP-Lite datagram is what RFC 3828 says.
    #[must_use]
    pub fn sums(&self) -> Option<bool> {
        if self.protocol != 136 || self.part.is_some() {
            return None;
        }
        let length = u32::try_from(self.payload.len()).ok()?.to_be_bytes();
        let mut sum = Sum16BitWords::new();
        sum = sum.add_4bytes(length).add_2bytes([0, 136]);
        let sum = match (self.source, self.destination) {
            (IpAddr::V4(a), IpAddr::V4(b)) => sum.add_4bytes(a.octets()).add_4bytes(b.octets()),
            (IpAddr::V6(a), IpAddr::V6(b)) => sum.add_16bytes(a.octets()).add_16bytes(b.octets()),
            _ => return None,
        };
        Some(sum.add_slice(self.payload).ones_complement() == 0)
    }

    /// Type and code, of the ICMP of its family.
    #[must_use]
    pub fn icmp(&self) -> Option<(u8, u8)> {
        let icmp = if self.source.is_ipv4() { 1 } else { 58 };
        match self.payload {
            [kind, code, ..] if self.protocol == icmp => Some((*kind, *code)),
            _ => None,
        }
    }

    /// The packet that an ICMP error quotes.
    #[must_use]
    pub fn quoted(&self) -> Option<Ip<'a>> {
        let quoted = self.payload.get(8..)?;
        match (self.source, self.icmp()?.0) {
            (IpAddr::V4(_), 3 | 4 | 5 | 11 | 12) => Ip::v4(quoted),
            (IpAddr::V6(_), 0..128) => Ip::v6(quoted),
            _ => None,
        }
    }
}

impl Part {
    fn new(id: u32, units: u16, more: bool, length: usize) -> Option<Self> {
        let start = usize::from(units) * 8;
        (units > 0 || more).then_some(Self {
            id,
            start,
            end: start + length,
            more,
        })
    }
}
