//! What IP carries: TCP, UDP and UDP-Lite, SCTP, DCCP, ICMP, anything by number.

use std::net::IpAddr;
use std::ops::BitOr;

use etherparse::checksum::Sum16BitWords;

/// A transport header. Checksums are computed when the bytes are made.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp(Tcp),
    /// UDP (17) or UDP-Lite (136).
    Udp {
        protocol: u8,
        source: u16,
        destination: u16,
    },
    Sctp {
        source: u16,
        destination: u16,
    },
    Dccp {
        source: u16,
        destination: u16,
    },
    Icmp {
        protocol: u8,
        kind: u8,
        code: u8,
        rest: [u8; 4],
    },
    Raw {
        protocol: u8,
    },
}

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Tcp {
    pub source: u16,
    pub destination: u16,
    pub sequence: u32,
    pub acknowledgement: u32,
    pub flags: TcpFlags,
    pub window: u16,
    pub options: Vec<u8>,
}

/// Byte 13 of a TCP header (RFC 9293 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: Self = Self(0x01);
    /// Synchronise sequence numbers.
    pub const SYN: Self = Self(0x02);
    /// Reset the connection.
    pub const RST: Self = Self(0x04);
    /// Push.
    pub const PSH: Self = Self(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Self = Self(0x10);
    /// The urgent pointer counts.
    pub const URG: Self = Self(0x20);
}

impl BitOr for TcpFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

pub(super) fn tcp(source: u16, destination: u16) -> Transport {
    Transport::Tcp(Tcp {
        source,
        destination,
        sequence: 0,
        acknowledgement: 0,
        flags: TcpFlags::default(),
        window: 64_240,
        options: Vec::new(),
    })
}

pub(super) fn udp(protocol: u8, source: u16, destination: u16) -> Transport {
    Transport::Udp {
        protocol,
        source,
        destination,
    }
}

pub(super) fn sctp(source: u16, destination: u16) -> Transport {
    Transport::Sctp {
        source,
        destination,
    }
}

pub(super) fn dccp_request(source: u16, destination: u16) -> Transport {
    Transport::Dccp {
        source,
        destination,
    }
}

/// ICMP of the family of `source`.
pub(super) fn icmp(source: IpAddr, kind: u8, code: u8) -> Transport {
    let protocol = if source.is_ipv4() { 1 } else { 58 };
    Transport::Icmp {
        protocol,
        kind,
        code,
        rest: [0; 4],
    }
}

impl Transport {
    pub fn protocol(&self) -> u8 {
        match self {
            Self::Tcp(_) => 6,
            Self::Sctp { .. } => 132,
            Self::Dccp { .. } => 33,
            Self::Udp { protocol, .. } | Self::Icmp { protocol, .. } | Self::Raw { protocol } => {
                *protocol
            }
        }
    }

    pub fn tcp_mut(&mut self) -> &mut Tcp {
        match self {
            Self::Tcp(tcp) => tcp,
            other => panic!("protocol {} has no TCP header", other.protocol()),
        }
    }

    /// The header and the payload, with the checksum of the protocol.
    pub fn bytes(&self, source: IpAddr, destination: IpAddr, payload: &[u8]) -> Vec<u8> {
        let mut bytes = self.header(payload.len());
        bytes.extend_from_slice(payload);
        if let Some(at) = self.checksum_at() {
            let sum = match self {
                Self::Icmp { protocol: 1, .. } => Sum16BitWords::new(),
                _ => pseudo_header(source, destination, self.protocol(), bytes.len()),
            };
            let mut checksum = sum.add_slice(&bytes).ones_complement().to_be();
            // 0 says "no checksum" in UDP (RFC 768).
            if checksum == 0 && matches!(self, Self::Udp { .. }) {
                checksum = 0xffff;
            }
            bytes[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
        }
        bytes
    }

    /// The header with a checksum of 0.
    fn header(&self, payload: usize) -> Vec<u8> {
        match self {
            Self::Tcp(tcp) => tcp.header(),
            Self::Udp {
                source,
                destination,
                ..
            } => {
                let length = u16::try_from(8 + payload).unwrap_or(0);
                [
                    ports(*source, *destination).as_slice(),
                    &length.to_be_bytes(),
                    &[0, 0],
                ]
                .concat()
            }
            Self::Sctp {
                source,
                destination,
            } => {
                // Type, length, initiate tag, window, one stream each way, first number.
                let init_chunk = [
                    1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 255, 255, 0, 1, 0, 1, 0, 0, 0, 1,
                ];
                [
                    ports(*source, *destination).as_slice(),
                    &[0; 8],
                    &init_chunk,
                ]
                .concat()
            }
            Self::Dccp {
                source,
                destination,
            } => {
                // Data offset of five words, 48-bit sequence numbers, service code 0.
                let request = [5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0];
                [ports(*source, *destination).as_slice(), &request].concat()
            }
            Self::Icmp {
                kind, code, rest, ..
            } => [&[*kind, *code, 0, 0], rest.as_slice()].concat(),
            Self::Raw { .. } => Vec::new(),
        }
    }

    fn checksum_at(&self) -> Option<usize> {
        match self {
            Self::Tcp(_) => Some(16),
            Self::Udp { .. } | Self::Dccp { .. } => Some(6),
            Self::Icmp { .. } => Some(2),
            Self::Sctp { .. } | Self::Raw { .. } => None,
        }
    }
}

impl Tcp {
    fn header(&self) -> Vec<u8> {
        assert!(self.options.len().is_multiple_of(4) && self.options.len() <= 40);
        let words = u8::try_from(5 + self.options.len() / 4).unwrap_or(5);
        let mut bytes = ports(self.source, self.destination).to_vec();
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.acknowledgement.to_be_bytes());
        bytes.extend([words << 4, self.flags.0]);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend_from_slice(&self.options);
        bytes
    }
}

fn ports(source: u16, destination: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (source.to_be_bytes(), destination.to_be_bytes());
    [a, b, c, d]
}

fn pseudo_header(
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    length: usize,
) -> Sum16BitWords {
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let mut sum = match (source, destination) {
        (IpAddr::V4(a), IpAddr::V4(b)) => Sum16BitWords::new()
            .add_4bytes(a.octets())
            .add_4bytes(b.octets()),
        (IpAddr::V6(a), IpAddr::V6(b)) => Sum16BitWords::new()
            .add_16bytes(a.octets())
            .add_16bytes(b.octets()),
        _ => unreachable!("an IP packet has addresses of one family"),
    };
    sum.add_4bytes(length).add_2bytes([0, protocol])
}
