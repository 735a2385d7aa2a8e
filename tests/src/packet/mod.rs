//! Packets in words: `tcp("198.51.100.7:40000", "10.0.0.5:80").syn()`.
//!
//! A packet is built whole and right by default: checksums, lengths, next-header chain, and MACs
//! that follow from the addresses ([`Mac::of`]). Every part can be set otherwise, and
//! [`Packet::bytes`] can be edited for what no sender should send.

mod arp;
mod describe;
mod dhcp;
mod ip;
mod neighbour;
#[cfg(test)]
mod tests;
mod transport;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

pub use self::arp::{arp_reply, arp_request};
pub use self::describe::describe;
pub use self::dhcp::{dhcp_discover, dhcp_offer, dhcpv6_advertise, dhcpv6_solicit};
use self::ip::Ip;
pub use self::ip::{Extension, Fragment};
pub use self::neighbour::{
    neighbour_advertisement, neighbour_solicitation, router_advertisement, router_solicitation,
};
pub use self::transport::TcpFlags;
use self::transport::Transport;
use crate::mac::Mac;

/// IEEE 802.1Q, the tag of a customer.
pub const DOT1Q: u16 = 0x8100;
/// IEEE 802.1ad, the tag of a provider.
pub const DOT1AD: u16 = 0x88a8;

/// LLC and SNAP before an ethertype (RFC 1042).
pub const RFC_1042: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0];
/// The same of bridges to other media (IEEE 802.1H).
pub const BRIDGE_TUNNEL: [u8; 6] = [0xaa, 0xaa, 0x03, 0, 0, 0xf8];

/// An Ethernet frame and what it carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    source_mac: Mac,
    destination_mac: Mac,
    /// From the outermost inwards: type and VLAN id.
    tags: Vec<(u16, u16)>,
    /// What stands with a length before the ethertype.
    llc: Vec<u8>,
    body: Body,
}

#[derive(Clone, PartialEq, Eq)]
enum Body {
    Ip(Ip),
    Other { ether_type: u16, payload: Vec<u8> },
}

/// A TCP segment with no flag set, sequence and acknowledgement 0, window 64,240.
#[must_use]
pub fn tcp(source: &str, destination: &str) -> Packet {
    let (source, destination) = endpoints(source, destination);
    let header = transport::tcp(source.port(), destination.port());
    Packet::of_ip(source.ip(), destination.ip(), header)
}

/// A UDP datagram.
#[must_use]
pub fn udp(source: &str, destination: &str) -> Packet {
    let (source, destination) = endpoints(source, destination);
    let header = transport::udp(17, source.port(), destination.port());
    Packet::of_ip(source.ip(), destination.ip(), header)
}

/// A UDP-Lite datagram (RFC 3828) whose checksum covers it all.
#[must_use]
pub fn udplite(source: &str, destination: &str) -> Packet {
    let (source, destination) = endpoints(source, destination);
    let header = transport::udp(136, source.port(), destination.port());
    Packet::of_ip(source.ip(), destination.ip(), header)
}

/// An SCTP packet (RFC 9260): the common header and an INIT chunk. Its CRC is left 0.
#[must_use]
pub fn sctp(source: &str, destination: &str) -> Packet {
    let (source, destination) = endpoints(source, destination);
    let header = transport::sctp(source.port(), destination.port());
    Packet::of_ip(source.ip(), destination.ip(), header)
}

/// A DCCP request (RFC 4340).
#[must_use]
pub fn dccp(source: &str, destination: &str) -> Packet {
    let (source, destination) = endpoints(source, destination);
    let header = transport::dccp_request(source.port(), destination.port());
    Packet::of_ip(source.ip(), destination.ip(), header)
}

/// An ICMP message of IPv4, or of IPv6 between IPv6 addresses. The four bytes after the checksum
/// are 0: see [`Packet::icmp_id`].
#[must_use]
pub fn icmp(source: &str, destination: &str, kind: u8, code: u8) -> Packet {
    let (source, destination) = (address(source), address(destination));
    Packet::of_ip(source, destination, transport::icmp(source, kind, code))
}

/// An echo request of either family, identifier 1, sequence 1.
#[must_use]
pub fn icmp_echo(source: &str, destination: &str) -> Packet {
    let kind = if address(source).is_ipv4() { 8 } else { 128 };
    icmp(source, destination, kind, 0).icmp_id(1, 1)
}

/// The reply to [`icmp_echo`].
#[must_use]
pub fn icmp_echo_reply(source: &str, destination: &str) -> Packet {
    let kind = if address(source).is_ipv4() { 0 } else { 129 };
    icmp(source, destination, kind, 0).icmp_id(1, 1)
}

/// An ICMP error of `source` to the sender of `about`, which it quotes from the IP header on.
#[must_use]
pub fn icmp_error(source: &str, kind: u8, code: u8, about: &Packet) -> Packet {
    let Body::Ip(quoted) = &about.body else {
        panic!("an ICMP error quotes an IP packet")
    };
    let source = address(source);
    let header = transport::icmp(source, kind, code);
    // At most what fits the minimum MTU of the family (RFC 1812 4.3.2.3, RFC 4443 2.4).
    let (mut quote, limit) = (quoted.bytes(), if source.is_ipv4() { 548 } else { 1232 });
    quote.truncate(limit);
    Packet::of_ip(source, quoted.source, header).payload(&quote)
}

/// A packet of any protocol by number; `payload` is all that follows the IP headers.
#[must_use]
pub fn protocol(number: u8, source: &str, destination: &str) -> Packet {
    Packet::of_ip(
        address(source),
        address(destination),
        Transport::Raw { protocol: number },
    )
}

/// A frame of any ethertype, broadcast.
#[must_use]
pub fn ether(ether_type: u16, source_mac: impl Into<Mac>, payload: &[u8]) -> Packet {
    let body = Body::Other {
        ether_type,
        payload: payload.to_vec(),
    };
    Packet {
        source_mac: source_mac.into(),
        destination_mac: Mac::BROADCAST,
        tags: Vec::new(),
        llc: Vec::new(),
        body,
    }
}

impl Packet {
    fn of_ip(source: IpAddr, destination: IpAddr, transport: Transport) -> Self {
        Self {
            source_mac: Mac::of(source),
            destination_mac: Mac::of(destination),
            tags: Vec::new(),
            llc: Vec::new(),
            body: Body::Ip(Ip::new(source, destination, transport)),
        }
    }

    /// The frame as it goes over the wire, without padding and frame check sequence.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let (ether_type, payload) = match &self.body {
            Body::Ip(ip) => (
                if ip.source.is_ipv4() { 0x0800 } else { 0x86dd },
                ip.bytes(),
            ),
            Body::Other {
                ether_type,
                payload,
            } => (*ether_type, payload.clone()),
        };
        let mut frame = [self.destination_mac.0, self.source_mac.0].concat();
        for (kind, id) in &self.tags {
            frame.extend(kind.to_be_bytes());
            frame.extend(id.to_be_bytes());
        }
        if !self.llc.is_empty() {
            let length = self.llc.len() + size_of_val(&ether_type) + payload.len();
            frame.extend((length as u16).to_be_bytes());
            frame.extend(&self.llc);
        }
        frame.extend(ether_type.to_be_bytes());
        frame.extend(payload);
        frame
    }

    /// Sent by this MAC, whatever the IP source.
    #[must_use]
    pub fn from_mac(mut self, mac: impl Into<Mac>) -> Self {
        self.source_mac = mac.into();
        self
    }

    /// Sent to this MAC.
    #[must_use]
    pub fn to_mac(mut self, mac: impl Into<Mac>) -> Self {
        self.destination_mac = mac.into();
        self
    }

    /// Adds an 802.1Q tag inside those already there.
    #[must_use]
    pub fn vlan(self, id: u16) -> Self {
        self.tag(DOT1Q, id)
    }

    /// Adds a tag of any type inside those already there. `control` is priority and VLAN id.
    #[must_use]
    pub fn tag(mut self, kind: u16, control: u16) -> Self {
        self.tags.push((kind, control));
        self
    }

    /// Puts a length and an LLC header before the ethertype, such as [`RFC_1042`].
    #[must_use]
    pub fn llc(mut self, header: [u8; 6]) -> Self {
        self.llc = header.to_vec();
        self
    }

    /// What follows the last header.
    #[must_use]
    pub fn payload(mut self, payload: &[u8]) -> Self {
        match &mut self.body {
            Body::Ip(ip) => ip.payload = payload.to_vec(),
            Body::Other { payload: old, .. } => *old = payload.to_vec(),
        }
        self
    }

    /// Time to live or hop limit; 64 if not set, 255 for neighbour discovery.
    #[must_use]
    pub fn hop_limit(mut self, hop_limit: u8) -> Self {
        self.ip().hop_limit = hop_limit;
        self
    }

    /// IPv4 options; a multiple of four bytes, at most 40.
    #[must_use]
    pub fn options(mut self, options: &[u8]) -> Self {
        self.ip().options = options.to_vec();
        self
    }

    /// Adds an IPv6 extension header after those already there.
    #[must_use]
    pub fn extension(mut self, extension: Extension) -> Self {
        self.ip().extensions.push(extension);
        self
    }

    /// Makes it one fragment of a datagram: only the payload bytes of this range of the datagram,
    /// counted from its transport header. `start` is a multiple of eight.
    #[must_use]
    pub fn fragment(mut self, id: u32, start: usize, end: usize) -> Self {
        self.ip().fragment = Some(Fragment { id, start, end });
        self
    }

    /// SYN.
    #[must_use]
    pub fn syn(self) -> Self {
        self.flags(TcpFlags::SYN)
    }

    /// SYN and ACK.
    #[must_use]
    pub fn syn_ack(self) -> Self {
        self.flags(TcpFlags::SYN | TcpFlags::ACK)
    }

    /// ACK.
    #[must_use]
    pub fn ack(self) -> Self {
        self.flags(TcpFlags::ACK)
    }

    /// FIN and ACK.
    #[must_use]
    pub fn fin(self) -> Self {
        self.flags(TcpFlags::FIN | TcpFlags::ACK)
    }

    /// RST.
    #[must_use]
    pub fn rst(self) -> Self {
        self.flags(TcpFlags::RST)
    }

    /// Exactly these TCP flags, as in byte 13 of the header.
    #[must_use]
    pub fn flags(mut self, flags: TcpFlags) -> Self {
        self.ip().transport.tcp_mut().flags = flags;
        self
    }

    /// TCP sequence and acknowledgement numbers.
    #[must_use]
    pub fn sequence(mut self, sequence: u32, acknowledgement: u32) -> Self {
        let tcp = self.ip().transport.tcp_mut();
        (tcp.sequence, tcp.acknowledgement) = (sequence, acknowledgement);
        self
    }

    /// TCP window, unscaled.
    #[must_use]
    pub fn window(mut self, window: u16) -> Self {
        self.ip().transport.tcp_mut().window = window;
        self
    }

    /// TCP options; a multiple of four bytes, at most 40.
    #[must_use]
    pub fn tcp_options(mut self, options: &[u8]) -> Self {
        self.ip().transport.tcp_mut().options = options.to_vec();
        self
    }

    /// Identifier and sequence of an ICMP echo, or whatever the four bytes after the checksum are.
    #[must_use]
    pub fn icmp_id(mut self, id: u16, sequence: u16) -> Self {
        let Transport::Icmp { rest, .. } = &mut self.ip().transport else {
            panic!("only ICMP has an identifier")
        };
        let ([a, b], [c, d]) = (id.to_be_bytes(), sequence.to_be_bytes());
        *rest = [a, b, c, d];
        self
    }

    fn ip(&mut self) -> &mut Ip {
        match &mut self.body {
            Body::Ip(ip) => ip,
            Body::Other { ether_type, .. } => panic!("ethertype {ether_type:#06x} is not IP"),
        }
    }
}

impl From<Packet> for Vec<u8> {
    fn from(packet: Packet) -> Self {
        packet.bytes()
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&describe(&self.bytes()))
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn address(text: &str) -> IpAddr {
    text.parse()
        .unwrap_or_else(|_| panic!("`{text}` is not an IP address"))
}

/// Two `address:port`, IPv6 in brackets, of one family.
fn endpoints(source: &str, destination: &str) -> (SocketAddr, SocketAddr) {
    let parse = |text: &str| -> SocketAddr {
        text.parse()
            .unwrap_or_else(|_| panic!("`{text}` is not an address with a port"))
    };
    (parse(source), parse(destination))
}
