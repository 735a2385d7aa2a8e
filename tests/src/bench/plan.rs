//! What a run measures, in the order that it does.

use sg_common::hook::Hook;

use super::path::Way;
use super::rules::Size;
use super::side::Who;
use super::talk::{Protocol, Talk};
use super::tcp::{Client, Task};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What three minutes allow.
    Quick,
    /// Everything: half an hour.
    Full,
}

/// What there is to be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Part {
    /// A packet from the tap to the network and back.
    Path,
    /// Real TCP from end to end.
    Tcp,
    /// What a refused frame costs that is written to the tap.
    Flood,
    /// The programs alone, by way of the packet.
    Programs,
    /// New connections a second, on one core and on two.
    Rate,
    /// What a change takes until it is enforced.
    Updates,
    /// What a tracked connection takes.
    Memory,
}

/// Nodes that stand at the same time, and the ways that are measured on all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Who is measured; the first is the reference.
    pub sides: Vec<Who>,
    /// What each enforces.
    pub size: Size,
    /// How many connections there is room for.
    pub room: u32,
    /// What is measured.
    pub ways: Vec<Way>,
}

/// What is measured of TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What is done.
    pub task: Task,
    /// Who opens the connections.
    pub client: Client,
    /// Whether frames may be longer than the MTU.
    pub offload: bool,
}

/// The room for connections that a node has by default, with some memory.
const ROOM: u32 = 262_144;

/// Everybody who lets packets pass that rules permit; the first is the reference.
pub const PASSING: [Who; 6] = [
    Who::Empty,
    Who::Nobody,
    Who::Base,
    Who::Ours,
    Who::Neutron,
    Who::Sets,
];

/// Everybody who refuses what the VM writes; the first is the reference. Only what is written to a tap meets XDP.
pub const REFUSING: [Who; 8] = [
    Who::Drop,
    Who::Base,
    Who::Ours,
    Who::Xdp,
    Who::Guard,
    Who::Told,
    Who::Neutron,
    Who::Sets,
];

/// Without many of anything.
pub const SMALL: Size = Size {
    rules: 10,
    ports: 1,
};

impl Extent {
    /// Samples of each.
    #[must_use]
    pub fn rounds(self) -> usize {
        match self {
            Self::Quick => 9,
            Self::Full => 25,
        }
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Full => "full",
        }
    }

    /// Its parts, in their order.
    #[must_use]
    pub fn parts(self) -> Vec<Part> {
        let mut parts = vec![Part::Path, Part::Flood, Part::Tcp, Part::Programs];
        if self == Self::Full {
            parts.extend([Part::Rate, Part::Updates, Part::Memory]);
        }
        parts
    }

    /// Samples of each way through the programs.
    #[must_use]
    pub fn program_rounds(self) -> usize {
        match self {
            Self::Quick => 5,
            Self::Full => 15,
        }
    }

    /// How long all of it takes.
    #[must_use]
    pub fn estimate(self) -> &'static str {
        match self {
            Self::Quick => "all parts take three minutes",
            Self::Full => "all parts take half an hour",
        }
    }

    /// The stages of the path.
    #[must_use]
    pub fn stages(self) -> Vec<Stage> {
        let full = self == Self::Full;
        let rules = |rules| Size { rules, ..SMALL };
        let ports = |ports| Size { ports, ..SMALL };
        let stage = |sides: &[Who], size, room, ways| Stage {
            sides: sides.to_vec(),
            size,
            room,
            ways,
        };
        let mut stages = vec![stage(&PASSING, SMALL, ROOM, small(full))];
        let many = [Who::Empty, Who::Base, Who::Ours, Who::Sets];
        let many = if full {
            &many[..]
        } else {
            &[Who::Empty, Who::Ours, Who::Sets]
        };
        stages.push(stage(many, rules(10_000), ROOM, opening()));
        stages.push(stage(many, ports(200), ROOM, of(Protocol::Udp, 512)));
        let iptables = [Who::Empty, Who::Neutron];
        let sizes: &[Size] = match full {
            true => &[rules(1_000), rules(5_000), ports(50), ports(200)],
            false => &[rules(1_000), ports(50)],
        };
        for size in sizes {
            let ways = match size.ports {
                1 => opening(),
                _ => of(Protocol::Udp, 512),
            };
            stages.push(stage(&iptables, *size, ROOM, ways));
        }
        if full {
            let ways = [262_144, 1_000_000].map(|flows| of(Protocol::Tcp, flows));
            // A port has a quarter of the table for its own.
            stages.push(stage(&PASSING, SMALL, 1 << 22, ways.concat()));
        }
        stages
    }

    /// What is measured of TCP.
    #[must_use]
    pub fn exchanges(self) -> Vec<Exchange> {
        let exchange = |task, client, offload| Exchange {
            task,
            client,
            offload,
        };
        let (vm, far) = (Client::Vm, Client::Far);
        let mut all = vec![
            exchange(Task::Whole, far, true),
            exchange(Task::Whole, vm, true),
            exchange(Task::Ask, far, true),
            exchange(Task::Send, far, true),
            exchange(Task::Send, vm, false),
        ];
        if self == Self::Full {
            all.push(exchange(Task::Ask, vm, true));
            all.push(exchange(Task::Send, vm, true));
            all.push(exchange(Task::Send, far, false));
        }
        all
    }
}

/// With few rules and one port: established by the number of connections, which only grows, then what is refused,
/// then what is new.
fn small(full: bool) -> Vec<Way> {
    let mut ways = Vec::new();
    let (udp, tcp): (&[u32], &[u32]) = match full {
        true => (&[1, 512, 8_192, 65_536], &[1, 512, 8_192, 65_536]),
        false => (&[512, 65_536], &[512]),
    };
    for (protocol, flows) in [(Protocol::Udp, udp), (Protocol::Tcp, tcp)] {
        ways.extend(flows.iter().flat_map(|flows| of(protocol, *flows)));
    }
    ways.extend(opening());
    ways
}

/// Packets of established connections, both ways.
fn of(protocol: Protocol, flows: u32) -> Vec<Way> {
    both(protocol, Talk::Established, flows)
}

/// Packets that ask the rules, both ways.
fn opening() -> Vec<Way> {
    let talks = [Talk::Refused, Talk::New];
    talks.map(|talk| both(Protocol::Udp, talk, 1)).concat()
}

fn both(protocol: Protocol, talk: Talk, flows: u32) -> Vec<Way> {
    let way = |hook| Way {
        protocol,
        talk,
        hook,
        flows,
    };
    Hook::ALL.map(way).to_vec()
}

/// What a way is called in a stage.
#[must_use]
pub fn name_of(way: &Way, size: Size) -> String {
    let protocol = match way.protocol {
        Protocol::Udp => "UDP",
        Protocol::Tcp => "TCP",
    };
    let talk = match way.talk {
        Talk::Established => {
            format!(
                "established {protocol}, {} connections",
                thousands(way.flows)
            )
        }
        Talk::New => format!("new {protocol}"),
        Talk::Refused => format!("refused {protocol}"),
    };
    let talk = talk.replace(" 1 connections", " 1 connection");
    let mut name = talk;
    if size.rules != SMALL.rules || way.talk != Talk::Established {
        name += &format!(", {} rules", thousands(size.rules));
    }
    if size.ports != SMALL.ports {
        name += &format!(", {} ports", size.ports);
    }
    format!("{name}, {}", way.hook.as_str())
}

impl Exchange {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> String {
        let client = match self.client {
            Client::Vm => "from the VM",
            Client::Far => "to the VM",
        };
        let task = match (self.task, self.offload) {
            (Task::Whole, _) => "connect, ask, answer, close",
            (Task::Ask, _) => "ask and answer",
            (Task::Send, true) => "stream, super-packets",
            (Task::Send, false) => "stream, frames of the MTU",
        };
        format!("{task}, {client}")
    }
}

fn thousands(number: u32) -> String {
    let (high, low) = (number / 1_000, number % 1_000);
    match high {
        0 => low.to_string(),
        1_000.. => format!("{},{low:03}", thousands(high)),
        _ => format!("{high},{low:03}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_of_a_run_has_a_name_of_its_own_for_everybody_in_it() {
        for extent in [Extent::Quick, Extent::Full] {
            let mut seen = BTreeSet::new();
            for stage in extent.stages() {
                for way in &stage.ways {
                    for who in stage.sides.iter().filter(|who| **who != Who::Empty) {
                        let name = name_of(way, stage.size);
                        assert!(seen.insert((name.clone(), *who)), "{name} twice");
                    }
                }
            }
            let names: Vec<_> = extent.exchanges().iter().map(Exchange::name).collect();
            let distinct: BTreeSet<_> = names.iter().collect();
            assert_eq!(distinct.len(), names.len());
        }
    }

    #[test]
    fn the_quick_run_measures_nothing_that_the_full_one_does_not() {
        let names = |extent: Extent| -> BTreeSet<String> {
            let stages = extent.stages().into_iter();
            let names = stages.flat_map(|stage| {
                let names: Vec<_> = stage
                    .ways
                    .iter()
                    .map(|way| name_of(way, stage.size))
                    .collect();
                names
            });
            names.collect()
        };
        let (quick, full) = (names(Extent::Quick), names(Extent::Full));
        assert!(quick.is_subset(&full), "{:?}", quick.difference(&full));
    }

    #[test]
    fn connections_only_grow_within_a_stage() {
        for stage in Extent::Full.stages() {
            for protocol in [Protocol::Udp, Protocol::Tcp] {
                let ways = stage
                    .ways
                    .iter()
                    .filter(|way| way.protocol == protocol && way.talk == Talk::Established);
                assert!(ways.map(|way| way.flows).is_sorted());
            }
        }
    }

    #[test]
    fn numbers_are_written_with_commas() {
        assert_eq!(thousands(5), "5");
        assert_eq!(thousands(65_536), "65,536");
        assert_eq!(thousands(1_000_000), "1,000,000");
    }
}
