//! Which connection a frame belongs to: once the sides differ about one, they know of different
//! things, and what follows of it is no longer compared.

use std::net::IpAddr;

use crate::parity::frame::{Frame, Ip};
use crate::parity::scenario::Step;

/// A connection, whichever way its packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    protocol: u8,
    /// In the order of addresses and ports. Without ports it is any connection of the protocol.
    ends: [(IpAddr, Option<u16>); 2],
}

impl Flow {
    /// The connections of the frames of a step; an ICMP error belongs to the one that it quotes.
    #[must_use]
    pub fn of(step: &Step) -> Vec<Self> {
        Self::with_sources(step)
            .into_iter()
            .map(|(flow, _)| flow)
            .collect()
    }

    /// As [`Flow::of`], each with the end of it that the frame speaks for: an ICMP error speaks for whom
    /// the packet that it quotes was for.
    #[must_use]
    pub fn with_sources(step: &Step) -> Vec<(Self, IpAddr)> {
        let Step::Send { frames, .. } = step else {
            return Vec::new();
        };
        frames
            .iter()
            .filter_map(|frame| Frame::read(&frame.0)?.ip())
            .map(|ip| match ip.quoted() {
                Some(quoted) => (Self::of_packet(&quoted), quoted.destination),
                None => (Self::of_packet(&ip), ip.source),
            })
            .collect()
    }

    /// Whether both may be the same connection.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let ported = |flow: &Self| flow.ends[0].1.is_some();
        self.protocol == other.protocol
            && self.addresses() == other.addresses()
            && (self.ends == other.ends || !ported(self) || !ported(other))
    }

    /// Its protocol.
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The addresses at its ends.
    #[must_use]
    pub fn addresses(&self) -> [IpAddr; 2] {
        self.ends.map(|(address, _)| address)
    }

    fn of_packet(ip: &Ip<'_>) -> Self {
        let (source, destination) = ip.ports().unzip();
        let mut ends = [(ip.source, source), (ip.destination, destination)];
        ends.sort();
        Self {
            protocol: ip.protocol,
            ends,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Flow;
    use crate::packet::{Packet, icmp_error, tcp, udp};
    use crate::parity::scenario::{End, Step};

    fn flow(packet: &Packet) -> Flow {
        Flow::of(&Step::send(End::VM1, packet))[0]
    }

    #[test]
    fn an_answer_and_an_error_belong_to_the_connection() {
        let there = udp("10.0.0.5:9", "10.0.0.6:53");
        let back = udp("10.0.0.6:53", "10.0.0.5:9");
        assert_eq!(flow(&there), flow(&back));
        assert_eq!(flow(&there), flow(&icmp_error("10.0.0.6", 3, 3, &there)));
        assert!(!flow(&there).meets(&flow(&udp("10.0.0.5:9", "10.0.0.6:54"))));
        assert!(!flow(&there).meets(&flow(&tcp("10.0.0.5:9", "10.0.0.6:53"))));
    }

    #[test]
    fn a_later_fragment_may_belong_to_any_connection_of_its_addresses() {
        let whole = udp("10.0.0.5:9", "10.0.0.6:53").payload(&[0; 100]);
        let later = whole.clone().fragment(1, 64, 999);
        assert!(flow(&later).meets(&flow(&whole)));
        assert_ne!(flow(&later), flow(&whole));
    }
}
