//! The frames that are measured: 60 bytes, the shortest that Ethernet has.

use std::net::Ipv4Addr;

use sg_common::hook::Hook;

use super::rules::{CLOSED, PEER, SERVER, TCP, UDP, server};
use crate::packet::{Packet, tcp, udp};

/// The length of a frame without its checksum.
const SHORTEST: usize = 60;

/// An address that the server does not have.
const SPOOFED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 66);

/// What the connections are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

/// What frames are to the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// Of an established connection that a peer has opened.
    Established,
    /// Of a connection that was never seen.
    New,
    /// Of one that no rule permits.
    Refused,
}

/// What establishes a connection, first to last: the hook that meets the frame, and the frame of the first peer.
#[must_use]
pub fn opening(protocol: Protocol) -> Vec<(Hook, Vec<u8>)> {
    let (peer, server) = ends(protocol, Talk::Established);
    let frames = match protocol {
        Protocol::Udp => vec![
            (Hook::ToVm, udp(&peer, &server)),
            (Hook::FromVm, udp(&server, &peer)),
        ],
        Protocol::Tcp => vec![
            (Hook::ToVm, tcp(&peer, &server).sequence(99, 0).syn()),
            (
                Hook::FromVm,
                tcp(&server, &peer).sequence(499, 100).syn_ack(),
            ),
            (Hook::ToVm, tcp(&peer, &server).sequence(100, 500).ack()),
        ],
    };
    let frames = frames.into_iter();
    frames.map(|(hook, frame)| (hook, short(frame))).collect()
}

/// The frame of the first peer.
#[must_use]
pub fn frame(protocol: Protocol, talk: Talk, hook: Hook) -> Vec<u8> {
    let (peer, server) = ends(protocol, talk);
    let opens = talk != Talk::Established;
    let (from, to) = match hook {
        // A connection that the VM opens is to the port of the peer.
        Hook::FromVm if opens => {
            let port = |end: &str| end.rsplit(':').next().unwrap_or_default().to_owned();
            let (client, service) = (port(&peer), port(&server));
            (format!("{SERVER}:{client}"), format!("{PEER}:{service}"))
        }
        Hook::FromVm => (server, peer),
        Hook::ToVm => (peer, server),
    };
    let packet = match protocol {
        Protocol::Udp => udp(&from, &to),
        Protocol::Tcp if opens => tcp(&from, &to).sequence(99, 0).syn(),
        Protocol::Tcp if hook == Hook::ToVm => tcp(&from, &to).sequence(100, 500).ack(),
        Protocol::Tcp => tcp(&from, &to).sequence(500, 100).ack(),
    };
    short(packet)
}

/// Datagrams of the VM to so many peers, none of which its rules permit; with another machine's address, if
/// they are to be refused for that.
#[must_use]
pub fn flood(count: u32, spoofed: bool) -> Vec<Vec<u8>> {
    let first = u32::from(PEER);
    let source = if spoofed { SPOOFED } else { SERVER };
    let of = |number| {
        let peer = Ipv4Addr::from(first + number);
        let datagram = udp(&format!("{source}:40000"), &format!("{peer}:{CLOSED}"));
        short(datagram.from_mac(server().mac_address()))
    };
    (0..count).map(of).collect()
}

fn ends(protocol: Protocol, talk: Talk) -> (String, String) {
    let client = 40_000 + talk as u16;
    let service = match (talk, protocol) {
        (Talk::Refused, _) => CLOSED,
        (_, Protocol::Udp) => UDP,
        (_, Protocol::Tcp) => TCP,
    };
    (format!("{PEER}:{client}"), format!("{SERVER}:{service}"))
}

fn short(packet: Packet) -> Vec<u8> {
    let mut bytes = packet.bytes();
    assert!(bytes.len() <= SHORTEST, "{packet:?} is longer");
    bytes.resize(SHORTEST, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::describe;

    #[test]
    fn who_opens_a_connection_goes_to_a_service() {
        let to = |hook, talk| describe(&frame(Protocol::Udp, talk, hook));
        assert!(to(Hook::ToVm, Talk::New).contains("10.0.0.5:5000"));
        assert!(to(Hook::FromVm, Talk::New).contains("10.128.0.0:5000"));
        assert!(to(Hook::FromVm, Talk::Refused).contains("10.128.0.0:7"));
        assert!(to(Hook::FromVm, Talk::Established).contains("10.0.0.5:5000"));
    }

    #[test]
    fn frames_of_one_kind_of_talk_are_of_no_other_connection() {
        let [a, b, c] = [Talk::Established, Talk::New, Talk::Refused]
            .map(|talk| frame(Protocol::Tcp, talk, Hook::ToVm)[34..36].to_vec());
        assert!(a != b && b != c && a != c);
    }
}
