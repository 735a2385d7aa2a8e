//! Packets in words: `tcp("192.0.2.1:40000", "10.0.0.5:80").flags("S")`. Whole and right unless a test
//! says otherwise; checksums are zero, because the filter does not read them.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::vec::Vec;

use etherparse::{
    EtherType, Ethernet2Header, IpFragOffset, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header,
    TcpHeader, UdpHeader,
};

use crate::wire::addr::{Family, Mac, from_ip, link_local, to_ip};

/// A peer's MAC, wherever no test asks for another.
pub(crate) const PEER_MAC: Mac = Mac::new([2, 0, 0, 0, 0, 0x99]);

/// An IP packet in an Ethernet frame.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    /// Source MAC; `None`: whoever's turn it is.
    pub(crate) mac: Option<Mac>,
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    /// Header types and bodies, IPv6 only.
    extensions: Vec<(u8, Vec<u8>)>,
    fragment: Option<Part>,
    hops: u8,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    offset: u16,
    more: bool,
    id: u16,
}

/// A packet of any protocol.
pub(crate) fn ip(source: &str, destination: &str, protocol: u8, payload: &[u8]) -> Packet {
    Packet {
        mac: None,
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol,
        extensions: Vec::new(),
        fragment: None,
        hops: 255,
        payload: payload.to_vec(),
    }
}

/// A TCP segment without flags.
pub(crate) fn tcp(source: &str, destination: &str) -> Packet {
    let (source, destination) = (endpoint(source), endpoint(destination));
    let header = TcpHeader::new(source.port(), destination.port(), 0, 64_240);
    between(source, destination, 6, &header.to_bytes())
}

/// A UDP datagram of so many bytes of data.
pub(crate) fn udp_of(source: &str, destination: &str, data: usize) -> Packet {
    let (source, destination) = (endpoint(source), endpoint(destination));
    let header = UdpHeader {
        source_port: source.port(),
        destination_port: destination.port(),
        length: (UdpHeader::LEN + data) as u16,
        checksum: 0,
    };
    let mut packet = between(source, destination, 17, &header.to_bytes());
    packet.payload.resize(UdpHeader::LEN + data, 0);
    packet
}

/// A UDP datagram.
pub(crate) fn udp(source: &str, destination: &str) -> Packet {
    udp_of(source, destination, 4)
}

/// A packet of a protocol that begins with ports (SCTP, DCCP, UDP-Lite).
pub(crate) fn ported(protocol: u8, source: &str, destination: &str) -> Packet {
    let (source, destination) = (endpoint(source), endpoint(destination));
    let mut payload = [
        source.port().to_be_bytes(),
        destination.port().to_be_bytes(),
    ]
    .concat();
    payload.resize(16, 0);
    between(source, destination, protocol, &payload)
}

/// An SCTP packet with a verification tag: type, flags and content of each chunk.
pub(crate) fn sctp(
    source: &str,
    destination: &str,
    tag: u32,
    chunks: &[(u8, u8, &[u8])],
) -> Packet {
    let mut packet = ported(132, source, destination);
    packet.payload.truncate(4);
    packet.payload.extend(tag.to_be_bytes());
    packet.payload.extend([0; 4]);
    for (kind, flags, content) in chunks {
        let [high, low] = (content.len() as u16 + 4).to_be_bytes();
        packet.payload.extend([*kind, *flags, high, low]);
        packet.payload.extend(*content);
        let padded = packet.payload.len().next_multiple_of(4);
        packet.payload.resize(padded, 0);
    }
    packet
}

/// An ICMPv6 redirect with one option.
pub(crate) fn redirect(source: &str, destination: &str, option: u8, content: &[u8]) -> Packet {
    let mut packet = icmp(source, destination, 137, 0, 0);
    packet.payload.resize(40, 0);
    let eights = (content.len() + 8).div_ceil(8) as u8;
    packet.payload.extend([option, eights, 0, 0, 0, 0, 0, 0]);
    packet.payload.extend(content);
    packet
}

/// An ICMP or ICMPv6 message with an identifier, and eight bytes behind it.
pub(crate) fn icmp(source: &str, destination: &str, kind: u8, code: u8, id: u16) -> Packet {
    let [high, low] = id.to_be_bytes();
    let mut payload = [kind, code, 0, 0, high, low, 0, 1].to_vec();
    payload.resize(16, 0);
    let protocol = if source.contains(':') { 58 } else { 1 };
    ip(source, destination, protocol, &payload)
}

/// An ICMP error which quotes bytes.
pub(crate) fn error(source: &str, destination: &str, kind: u8, quoted: &[u8]) -> Packet {
    let mut packet = icmp(source, destination, kind, 0, 0);
    packet.payload.truncate(8);
    packet.payload.extend_from_slice(quoted);
    packet
}

/// A neighbor message about a target.
pub(crate) fn neighbor(source: &str, destination: &str, kind: u8, target: &str) -> Packet {
    let mut packet = icmp(source, destination, kind, 0, 0);
    packet.payload.truncate(8);
    packet
        .payload
        .extend(from_ip(&target.parse().unwrap()).octets());
    packet
}

/// An ARP packet in its frame.
pub(crate) fn arp(frame_mac: Mac, sender_mac: Mac, sender: &str, target: &str) -> Vec<u8> {
    let v4 = |address: &str| address.parse::<std::net::Ipv4Addr>().unwrap().octets();
    let format = [0, 1, 8, 0, 6, 4, 0, 1];
    let body = [
        &format[..],
        &sender_mac.octets(),
        &v4(sender),
        &[0; 6],
        &v4(target),
    ]
    .concat();
    ethernet(frame_mac, 0x0806, &body)
}

/// A frame of any ethertype.
pub(crate) fn ethernet(mac: Mac, ethertype: u16, body: &[u8]) -> Vec<u8> {
    let header = Ethernet2Header {
        source: mac.octets(),
        destination: [0xff; 6],
        ether_type: EtherType(ethertype),
    };
    [&header.to_bytes()[..], body].concat()
}

/// A frame whose ethertype, which is `at` an offset, stands behind a length and an LLC header instead.
pub(crate) fn behind_llc(frame: &[u8], at: usize, llc: &[u8]) -> Vec<u8> {
    let (head, rest) = frame.split_at(at);
    let length = (llc.len() + rest.len()) as u16;
    [head, &length.to_be_bytes(), llc, rest].concat()
}

/// The link-local address of a MAC, as text.
pub(crate) fn link_local_of(mac: Mac) -> String {
    to_ip(&link_local(&mac), Family::V6).to_string()
}

fn endpoint(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn between(source: SocketAddr, destination: SocketAddr, protocol: u8, payload: &[u8]) -> Packet {
    let (source, destination) = (source.ip().to_string(), destination.ip().to_string());
    ip(&source, &destination, protocol, payload)
}

impl Packet {
    /// TCP flags by their letters.
    pub(crate) fn flags(mut self, letters: &str) -> Self {
        let bit = |letter| 1u8 << "FSRPAUEC".find(letter).unwrap();
        self.payload[13] = letters.chars().map(bit).sum();
        self
    }

    /// TCP sequence and acknowledgement numbers.
    pub(crate) fn numbers(mut self, sequence: u32, acknowledgement: u32) -> Self {
        self.payload[4..8].copy_from_slice(&sequence.to_be_bytes());
        self.payload[8..12].copy_from_slice(&acknowledgement.to_be_bytes());
        self
    }

    /// TCP window.
    pub(crate) fn window(mut self, window: u16) -> Self {
        self.payload[14..16].copy_from_slice(&window.to_be_bytes());
        self
    }

    /// TCP options behind the header, filled up with no-operations.
    pub(crate) fn options(mut self, options: &[u8]) -> Self {
        let filled = options.len().next_multiple_of(4);
        let padding = std::iter::repeat_n(1, filled - options.len());
        self.payload
            .splice(20..20, options.iter().copied().chain(padding));
        self.payload[12] += (filled / 4 * 16) as u8;
        self
    }

    /// The hop limit of IPv6, 255 if not said.
    pub(crate) fn hops(mut self, hops: u8) -> Self {
        self.hops = hops;
        self
    }

    /// More bytes at the end of the payload.
    pub(crate) fn data(mut self, bytes: usize) -> Self {
        self.payload.resize(self.payload.len() + bytes, 0);
        self
    }

    /// Only the first bytes of the payload.
    pub(crate) fn cut(mut self, bytes: usize) -> Self {
        self.payload.truncate(bytes);
        self
    }

    /// A byte of the payload, changed.
    pub(crate) fn with(mut self, at: usize, byte: u8) -> Self {
        self.payload[at] = byte;
        self
    }

    /// The source MAC of the frame.
    pub(crate) fn with_mac(mut self, mac: Mac) -> Self {
        self.mac = Some(mac);
        self
    }

    /// An IPv6 extension header before the payload, behind those there are.
    pub(crate) fn extension(mut self, kind: u8, eights: u8) -> Self {
        let mut body = vec![0, eights - 1];
        body.resize(eights as usize * 8, 0);
        self.extensions.push((kind, body));
        self
    }

    /// An IPv6 extension header that belongs to the payload, so that fragments cut it too.
    pub(crate) fn inner_extension(mut self, kind: u8, eights: u8) -> Self {
        let mut body = vec![self.protocol, eights - 1];
        body.resize(eights as usize * 8, 0);
        body.append(&mut self.payload);
        self.protocol = kind;
        self.payload = body;
        self
    }

    /// A part of the payload as a fragment; `id` names the datagram.
    pub(crate) fn fragment(&self, part: Range<usize>, id: u16) -> Self {
        let mut packet = self.clone();
        packet.fragment = Some(Part {
            offset: (part.start / 8) as u16,
            more: part.end < self.payload.len(),
            id,
        });
        packet.payload = self.payload[part].to_vec();
        packet
    }

    /// From the IP header on.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let (source, destination) = (source.octets(), destination.octets());
                let length = self.payload.len() as u16;
                let protocol = IpNumber(self.protocol);
                let mut header =
                    Ipv4Header::new(length, 64, protocol, source, destination).unwrap();
                if let Some(part) = self.fragment {
                    header.identification = part.id;
                    header.more_fragments = part.more;
                    header.fragment_offset = IpFragOffset::try_new(part.offset).unwrap();
                }
                [&header.to_bytes()[..], &self.payload].concat()
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let (first, rest) = self.chain();
                let header = Ipv6Header {
                    traffic_class: 0,
                    flow_label: Ipv6FlowLabel::ZERO,
                    payload_length: rest.len() as u16,
                    next_header: IpNumber(first),
                    hop_limit: self.hops,
                    source: source.octets(),
                    destination: destination.octets(),
                };
                [&header.to_bytes()[..], &rest].concat()
            }
            _ => panic!("two families in one packet"),
        }
    }

    /// The type of the first header behind the fixed one, and all of them with the payload.
    fn chain(&self) -> (u8, Vec<u8>) {
        let mut headers = self.extensions.clone();
        if let Some(part) = self.fragment {
            let [high, low] = (part.offset << 3 | u16::from(part.more)).to_be_bytes();
            let [id_high, id_low] = part.id.to_be_bytes();
            headers.push((44, vec![0, 0, high, low, 0, 0, id_high, id_low]));
        }
        let (mut next, mut bytes) = (self.protocol, self.payload.clone());
        for (kind, mut body) in headers.into_iter().rev() {
            body[0] = next;
            body.append(&mut bytes);
            (next, bytes) = (kind, body);
        }
        (next, bytes)
    }

    /// The frame.
    pub(crate) fn frame(&self, mac: Mac) -> Vec<u8> {
        let ethertype = if self.source.is_ipv4() {
            0x0800
        } else {
            0x86dd
        };
        ethernet(self.mac.unwrap_or(mac), ethertype, &self.bytes())
    }

    /// The frame with a VLAN tag in it.
    pub(crate) fn tagged(&self, mac: Mac, ethertype: u16, vlan: u16) -> Vec<u8> {
        let mut frame = self.frame(mac);
        let [high, low] = vlan.to_be_bytes();
        let kind = ethertype.to_be_bytes();
        frame.splice(12..12, [kind[0], kind[1], high, low]);
        frame
    }
}
