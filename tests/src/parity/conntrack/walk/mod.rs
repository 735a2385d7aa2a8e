//! Random walks: what two ends might say to each other, by the book or not.

mod sctp;
mod tcp;

use super::notation::{Case, End, Packet, Protocol, Setup, Step, Value};
use crate::parity::random::Random;

/// A walk of a seed.
#[must_use]
pub fn walk(seed: u64, number: u64) -> Case {
    let mut random = Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
    random.next();
    let protocol = protocol(&mut random);
    let setup = Setup {
        protocol,
        v6: random.percent(35),
        strict: random.percent(50),
        tight: random.percent(25),
        any_reset: random.percent(5),
        closed: random.percent(25),
    };
    let length = 3 + random.below(28);
    let mut walker = Walker {
        v6: setup.v6,
        ends: [Progress::default(); 2],
        opener: if random.percent(75) {
            End::Vm
        } else {
            End::Peer
        },
        manners: random.pick(&[97, 90, 75, 40]),
        random,
    };
    let steps = (0..length).map(|_| walker.step(protocol)).collect();
    Case {
        name: format!("seed {seed} walk {number}"),
        setup,
        steps,
    }
}

fn protocol(random: &mut Random) -> Protocol {
    match random.below(100) {
        0..64 => Protocol::Tcp,
        64..72 => Protocol::Udp,
        72..82 => Protocol::Icmp,
        82..93 => Protocol::Sctp,
        93..96 => Protocol::Gre,
        96..98 => Protocol::UdpLite,
        _ => Protocol::Other(random.pick(&[50, 51, 4, 89, 112, 253])),
    }
}

/// What one end has done so far: sent its first and last words.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    began: bool,
    ended: bool,
}

struct Walker {
    v6: bool,
    ends: [Progress; 2],
    opener: End,
    /// How many of a hundred packets are by the book.
    manners: usize,
    random: Random,
}

impl Walker {
    fn step(&mut self, protocol: Protocol) -> Step {
        if self.random.percent(6) {
            let ages = [1, 4, 8, 17, 28, 45, 70, 115, 170, 290, 500, 900, 400_000];
            return Step::Age(self.random.pick(&ages));
        }
        let from = if self.random.percent(55) {
            self.opener
        } else {
            self.opener.other()
        };
        let error = if protocol == Protocol::Icmp { 25 } else { 5 };
        Step::Packet(match protocol {
            _ if self.random.percent(error) => self.error(),
            Protocol::Tcp => self.tcp(from),
            Protocol::Sctp => self.sctp(from),
            Protocol::Icmp => self.icmp(from),
            Protocol::Gre if self.random.percent(40) => {
                let call = self.random.pick(&[5, 5, 9]);
                Packet::new(from, "").with("call", Value::Is(call))
            }
            _ => Packet::new(from, ""),
        })
    }

    /// An ICMP error, mostly one that is right.
    fn error(&mut self) -> Packet {
        let from = self.random.pick(&[End::Vm, End::Peer, End::Peer]);
        let word = match self.v6 {
            false => self
                .random
                .pick(&["e3/3", "e3/4", "e11/0", "e12/0", "e4/0", "e5/1"]),
            true => self
                .random
                .pick(&["e1/4", "e2/0", "e3/0", "e4/1", "e100/0"]),
        };
        let mut packet = Packet::new(from, word);
        if self.random.percent(40) {
            let header = if self.v6 { 40 } else { 20 };
            let cut = Value::Is(self.random.pick(&[
                0,
                header - 1,
                header,
                header + 4,
                header + 7,
                header + 8,
            ]));
            packet = match self.random.below(4) {
                0 => packet.with("cut", cut),
                1 => packet.with("unknown", Value::On),
                2 => packet.with("own", Value::On),
                _ if from == End::Peer && self.random.percent(50) => {
                    packet.with("router", Value::On)
                }
                _ if from == End::Peer => packet.with("elsewhere", Value::On),
                _ => packet,
            };
        }
        packet
    }

    fn icmp(&mut self, from: End) -> Packet {
        let (right, wrong): (&[&str], &[&str]) = match self.v6 {
            false => (
                &["8", "0", "13", "14"],
                &[
                    "8/1", "0/1", "15", "16", "17", "18", "1", "9", "10", "30", "42", "255",
                ],
            ),
            true => (
                &["128", "129", "139", "140"],
                &[
                    "128/1", "129/1", "141", "142", "144", "150", "153", "200", "255",
                ],
            ),
        };
        let by_the_book = self.random.percent(self.manners);
        let word = self.random.pick(if by_the_book { right } else { wrong });
        let packet = Packet::new(from, word);
        match self.random.percent(20) {
            true => packet.with("id", Value::Is(8)),
            false => packet,
        }
    }
}
