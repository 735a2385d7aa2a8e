//! Who speaks with whom: a machine, a peer, and their addresses, MACs and ports.

use super::peer::peer;
use super::rule::Rule;
use super::world::{Machine, PAIR_MAC, World};
use crate::mac::Mac;
use crate::packet::Packet;
use crate::parity::plug::link_local;
use crate::parity::random::Random;
use crate::parity::scenario::{End, Step};

/// A MAC that is nobody's.
pub const FOREIGN_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x66]);

/// A machine, a peer, and who begins.
#[derive(Clone, Debug)]
pub struct Talk {
    pub v6: bool,
    end: End,
    /// MAC that the machine sends from.
    mac: Mac,
    /// MAC that the peer sends to.
    to: Mac,
    pub local: String,
    /// Where the peer is plugged in.
    peer_end: End,
    pub peer: String,
    local_port: u16,
    peer_port: u16,
    /// The machine begins.
    pub out: bool,
}

impl Talk {
    /// `port` is the destination of what the side sends that begins.
    pub fn random(
        world: &World,
        machine: &Machine,
        random: &mut Random,
        (v6, out, port): (bool, bool, u16),
        aim: Option<&Rule>,
    ) -> Self {
        let (local, mut mac) = local(machine, random, v6);
        let (peer_end, peer) = peer(world, machine, random, v6, aim);
        if random.percent(3) {
            mac = random.pick(&[FOREIGN_MAC, PAIR_MAC, machine.mac]);
        }
        let source = 20_000 + random.below(20_000) as u16;
        Self {
            v6,
            end: machine.end,
            mac,
            to: match random.percent(2) {
                true => FOREIGN_MAC,
                false => machine.mac,
            },
            local,
            peer_end,
            peer,
            local_port: if out { source } else { port },
            peer_port: if out { port } else { source },
            out,
        }
    }

    /// Source and destination with their ports, of who began or of who answers.
    pub fn endpoints(&self, first: bool) -> (String, String) {
        let of = |ip: &str, port: u16| match self.v6 {
            true => format!("[{ip}]:{port}"),
            false => format!("{ip}:{port}"),
        };
        self.order(
            first,
            of(&self.local, self.local_port),
            of(&self.peer, self.peer_port),
        )
    }

    /// Source and destination, of who began or of who answers.
    pub fn addresses(&self, first: bool) -> (String, String) {
        self.order(first, self.local.clone(), self.peer.clone())
    }

    /// The same without a foreign destination MAC: in the lab that goes to both machines of the node, and
    /// fragments must not, for the node has one place to put them together.
    pub fn to_one(&self, machine: &Machine) -> Self {
        let mut one = self.clone();
        one.to = machine.mac;
        one
    }

    /// The same with another port on the side that began.
    pub fn with_other_source(&self) -> Self {
        let mut other = self.clone();
        match self.out {
            true => other.local_port ^= 1,
            false => other.peer_port ^= 1,
        }
        other
    }

    /// Who began, or who answers, sends a packet.
    pub fn step(&self, first: bool, packet: Packet) -> Step {
        self.frames(first, vec![packet], |_| {})
    }

    /// Who began, or who answers, sends packets whose bytes are edited.
    pub fn frames(&self, first: bool, packets: Vec<Packet>, edit: impl Fn(&mut Vec<u8>)) -> Step {
        let (from, frames): (End, Vec<Packet>) = if first == self.out {
            let own = packets.into_iter().map(|packet| packet.from_mac(self.mac));
            (self.end, own.collect())
        } else {
            let to = packets.into_iter().map(|packet| packet.to_mac(self.to));
            (self.peer_end, to.collect())
        };
        let bytes = frames.iter().map(|packet| {
            let mut bytes = packet.bytes();
            edit(&mut bytes);
            bytes
        });
        Step::frames(from, bytes.collect())
    }

    fn order(&self, first: bool, local: String, peer: String) -> (String, String) {
        if first == self.out {
            (local, peer)
        } else {
            (peer, local)
        }
    }
}

/// An address of the machine with its MAC: mostly a fixed one, else of a pair, its link-local one, or one
/// that is not its own.
fn local(machine: &Machine, random: &mut Random, v6: bool) -> (String, Mac) {
    let own = machine.mac;
    let stranger = ["10.0.0.66", "2001:db8::66"][usize::from(v6)];
    let fixed = &machine.addresses[usize::from(v6)];
    let mut pairs = machine
        .pairs
        .iter()
        .filter(|(net, _)| net.contains(':') == v6);
    match random.below(100) {
        0..4 => return (stranger.to_owned(), own),
        4..7 if v6 => return (link_local(own).to_string(), own),
        7..22 => {
            if let Some((net, with_mac)) = pairs.next() {
                let mac = if *with_mac { PAIR_MAC } else { own };
                return (within(net, random), mac);
            }
        }
        _ => {}
    }
    let address = match fixed.is_empty() {
        true => stranger.to_owned(),
        false => random.pick(fixed),
    };
    (address, own)
}

/// An address of a network: its first one, or one beside it.
fn within(network: &str, random: &mut Random) -> String {
    let (address, length) = network.split_once('/').unwrap_or((network, ""));
    match (length, random.percent(50)) {
        ("", _) | (_, true) if !matches!(length, "0") => address.to_owned(),
        ("0", _) if network.contains(':') => "3fff::99".to_owned(),
        ("0", _) => "203.0.113.99".to_owned(),
        _ if network.contains(':') => format!("{address}2"),
        _ => format!("{}2", &address[..address.len() - 1]),
    }
}
