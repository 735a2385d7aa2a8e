//! What is written becomes frames. Both ends talk by the book where nothing else is written.
//!
//! The words of a packet: TCP has its flags (`SA`, `.` for none); SCTP its chunks (`COOKIE_ECHO+DATA`);
//! ICMP its type, or type and code (`8/1`); all others have no word. `e3/4` is an ICMP error of that
//! type and code about the last packet of the other end; of type 137 over IPv6 it is a redirect.
//!
//! | fields | of |
//! | --- | --- |
//! | `seq ack win len ws sackok sackl sackr ts doff` | TCP ([`super::tcp`]) |
//! | `vtag tag T zero` | SCTP ([`super::sctp`]) |
//! | `id` | ICMP: the identifier |
//! | `call` | GRE: version 1 (PPTP) with this call id |
//! | `len size` | UDP: bytes of data, and what its header says there are |
//! | `local remote` | the ports of the VM and of its peer |
//! | `cut` | only so many bytes after the IP header; of an error, only so many of the quoted packet |
//! | `own unknown router elsewhere` | errors: about the last packet of the same end; about another port; from a router on the way; to another address than the quoted packet's |
//! | `hop global option units` | redirects: the hop limit; not from a link-local address; type and length of the option that quotes |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::notation::{End, Packet, Protocol, Setup};
use super::run::Sent;
use super::tuple::{Of, Tuple};
use super::{sctp, tcp};
use crate::mac::Mac;
use crate::packet;

/// The MAC of the router, which all frames are sent to.
pub const ROUTER: Mac = Mac([0x02, 0, 0, 0, 0, 0x01]);

/// The addresses of the VM.
pub const VM: [&str; 2] = ["10.0.0.5", "2001:db8::5"];

/// Another address that is reached like the VM's.
const ELSEWHERE: [&str; 2] = ["10.0.0.6", "2001:db8::6"];

/// Peers that may open connections, and all peers.
pub const PEERS_OPEN: [&str; 2] = ["198.18.0.0/16", "2001:db8:18::/48"];

/// The route to all peers.
pub const PEERS: [&str; 2] = ["198.18.0.0/15", "2001:db8:18::/47"];

/// The type of an ICMPv6 redirect.
const REDIRECT: u8 = 137;

/// What the two ends of a case have said so far.
#[derive(Clone, Debug)]
pub struct Talk {
    setup: Setup,
    local: IpAddr,
    remote: IpAddr,
    tcp: tcp::Pair,
    sctp: sctp::Pair,
    /// The last packets from the IP header on, by [`End`].
    last: [Option<Vec<u8>>; 2],
}

impl Talk {
    /// Between the VM and the peer of this number, who have said nothing yet.
    #[must_use]
    pub fn new(setup: Setup, number: u32) -> Self {
        let [.., a, b] = number.to_be_bytes();
        let closed = u8::from(setup.closed);
        let remote = match setup.v6 {
            false => Ipv4Addr::new(198, 18 + closed, a, b).into(),
            true => {
                let network = 0x18 + u16::from(closed);
                let host = u16::from_be_bytes([a, b]);
                Ipv6Addr::new(0x2001, 0xdb8, network, 0, 0, 0, 0, host).into()
            }
        };
        Self {
            setup,
            local: address(VM, setup.v6),
            remote,
            tcp: tcp::Pair::default(),
            sctp: sctp::Pair::default(),
            last: [None, None],
        }
    }

    /// The next packet.
    pub fn send(&mut self, packet: &Packet) -> Sent {
        let (source, destination) = match packet.from {
            End::Vm => (self.local, self.remote),
            End::Peer => (self.remote, self.local),
        };
        let (mut built, of) = match packet.word.strip_prefix('e') {
            Some(word) => (self.error(packet, word, source, destination), None),
            None => self.packet(packet, source, destination),
        };
        let header = if self.setup.v6 { 40 } else { 20 };
        if packet.has("cut") && of.is_some() {
            let number = self.setup.protocol.number(self.setup.v6);
            let whole = built.bytes();
            let end = whole
                .len()
                .min(14 + header + packet.number("cut", 0) as usize);
            built = packet::protocol(number, &source.to_string(), &destination.to_string())
                .payload(&whole[14 + header..end]);
        }
        let mut frame = built.to_mac(ROUTER).bytes();
        for (name, at) in [("doff", 12), ("size", 4)] {
            let transport = &mut frame[14 + header..];
            match (name, packet.has(name), transport.get_mut(at..at + 2)) {
                ("doff", true, Some(bytes)) => bytes[0] = (packet.number(name, 5) as u8) << 4,
                (_, true, Some(bytes)) => {
                    bytes.copy_from_slice(&(packet.number(name, 8) as u16).to_be_bytes());
                }
                _ => {}
            }
        }
        if of.is_some() {
            self.last[packet.from as usize] = Some(frame[14..].to_vec());
        }
        Sent {
            from: packet.from,
            stays: frame[14] >> 4 == 6 && frame[14 + 8..].starts_with(&[0xfe, 0x80]),
            frame,
            tuple: of.flatten().map(|of| Tuple {
                protocol: self.setup.protocol.number(self.setup.v6),
                local: self.local,
                remote: self.remote,
                of,
            }),
        }
    }

    /// A packet that is no error, and what its connection is known by, if it has one.
    fn packet(
        &mut self,
        packet: &Packet,
        source: IpAddr,
        destination: IpAddr,
    ) -> (packet::Packet, Option<Option<Of>>) {
        let local = packet.number("local", 40_000) as u16;
        let remote = packet.number("remote", 80) as u16;
        let (from_port, to_port) = match packet.from {
            End::Vm => (local, remote),
            End::Peer => (remote, local),
        };
        let [from, to] = [(source, from_port), (destination, to_port)]
            .map(|(address, port)| std::net::SocketAddr::new(address, port).to_string());
        let data = vec![0; packet.number("len", 0) as usize];
        let raw = |payload: &[u8]| {
            let number = self.setup.protocol.number(self.setup.v6);
            packet::protocol(number, &source.to_string(), &destination.to_string()).payload(payload)
        };
        let ports = Some(Of::Ports(local, remote));
        let (built, of) = match self.setup.protocol {
            Protocol::Tcp => (self.tcp.segment(packet, &from, &to), ports),
            Protocol::Udp => (packet::udp(&from, &to).payload(&data), ports),
            Protocol::UdpLite => (packet::udplite(&from, &to).payload(&data), ports),
            Protocol::Sctp => (raw(&self.sctp.packet(packet, from_port, to_port)), ports),
            Protocol::Gre => {
                let (payload, of) = gre(packet);
                (raw(&payload), Some(of))
            }
            Protocol::Icmp => {
                let (kind, code) = kind_and_code(&packet.word);
                let id = packet.number("id", 7) as u16;
                let built = packet::icmp(&source.to_string(), &destination.to_string(), kind, code);
                (
                    built.icmp_id(id, 1),
                    self.query(packet.from, kind, code, id),
                )
            }
            Protocol::Other(_) => (raw(&[0; 40]), Some(Of::Addresses)),
        };
        (built, Some(of))
    }

    fn query(&self, from: End, kind: u8, code: u8, id: u16) -> Option<Of> {
        let (request, asks) = match (self.setup.v6, kind) {
            (false, 8 | 13 | 15 | 17) | (true, 128 | 139) => (kind, from),
            (false, 0) => (8, from.other()),
            (false, 14 | 16 | 18) | (true, 129 | 140) => (kind - 1, from.other()),
            _ => return None,
        };
        Some(Of::Query {
            asks,
            kind: request,
            code,
            id,
        })
    }

    /// An ICMP error.
    fn error(
        &self,
        packet: &Packet,
        word: &str,
        source: IpAddr,
        destination: IpAddr,
    ) -> packet::Packet {
        let (kind, code) = kind_and_code(word);
        let about = if packet.has("own") {
            packet.from
        } else {
            packet.from.other()
        };
        let mut quoted = self.last[about as usize].clone().unwrap_or_default();
        if packet.has("unknown")
            && let Some(port) = quoted.get_mut(if self.setup.v6 { 41 } else { 21 })
        {
            *port ^= 0x80;
        }
        quoted.truncate(packet.number("cut", 500) as usize);
        let source = match (packet.has("router"), source) {
            (false, source) => source,
            (true, IpAddr::V4(_)) => Ipv4Addr::new(198, 18, 255, 254).into(),
            (true, IpAddr::V6(_)) => Ipv6Addr::new(0x2001, 0xdb8, 0x18, 0, 0, 0, 1, 1).into(),
        };
        let destination = match packet.has("elsewhere") {
            true => address(ELSEWHERE, self.setup.v6),
            false => destination,
        };
        if kind == REDIRECT && self.setup.v6 {
            return redirect(packet, code, source, destination, &quoted);
        }
        packet::icmp(&source.to_string(), &destination.to_string(), kind, code).payload(&quoted)
    }
}

fn address(of: [&str; 2], v6: bool) -> IpAddr {
    let text = of[usize::from(v6)];
    text.parse()
        .unwrap_or_else(|_| unreachable!("{text} is an address"))
}

/// A redirect (RFC 4861 4.5) from a neighbour, with the quoted packet in an option.
fn redirect(
    packet: &Packet,
    code: u8,
    source: IpAddr,
    destination: IpAddr,
    quoted: &[u8],
) -> packet::Packet {
    let source = match packet.has("global") {
        true => source,
        false => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7).into(),
    };
    // Target and destination, which nobody looks at; then the option, in units of eight bytes.
    let mut body = vec![0; 32];
    let units = packet.number("units", (8 + quoted.len() as u32) / 8) as u8;
    body.extend([packet.number("option", 4) as u8, units, 0, 0, 0, 0, 0, 0]);
    body.extend(quoted);
    packet::icmp(
        &source.to_string(),
        &destination.to_string(),
        REDIRECT,
        code,
    )
    .payload(&body)
    .hop_limit(packet.number("hop", 255) as u8)
}

/// `8` or `8/1`.
fn kind_and_code(word: &str) -> (u8, u8) {
    let (kind, code) = word.split_once('/').unwrap_or((word, "0"));
    let number = |text: &str| {
        text.parse()
            .unwrap_or_else(|_| panic!("`{word}` is no ICMP type, or type and code"))
    };
    (number(kind), number(code))
}

/// GRE of version 0 (RFC 2784), or 1 with a call id (RFC 2637).
fn gre(packet: &Packet) -> (Vec<u8>, Of) {
    if !packet.has("call") {
        return (vec![0, 0, 0x08, 0, 0, 0, 0, 0], Of::Ports(0, 0));
    }
    let call = packet.number("call", 0) as u16;
    let [a, b] = call.to_be_bytes();
    let of = match packet.from {
        End::Vm => Of::Ports(0, call),
        End::Peer => Of::Ports(call, 0),
    };
    (vec![0x20, 1, 0x88, 0x0b, 0, 0, a, b], of)
}
