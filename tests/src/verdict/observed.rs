//! What a packet leaves behind: the same to be seen on the host and in the kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use sg_common::hook::Direction;
use sg_common::layout::counter::{Counter, counter_index};
use sg_common::layout::flow::{Flow, FlowKey};
use sg_common::layout::fragment::FragmentKey;
use sg_common::wire::protocol;
use sg_userspace::agent::PortCounts;

/// What became of a packet on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Whether it passed.
    pub passes: bool,
    /// The counters that moved.
    pub counted: BTreeMap<Name, Counter>,
    /// The connections stored after it.
    pub flows: BTreeMap<FlowKey, Known>,
    /// The datagrams in fragments stored after it.
    pub fragments: BTreeSet<FragmentKey>,
}

/// A counter: slot, direction, name.
pub type Name = (u32, Direction, &'static str);

/// What is known of a connection, but for what no two runs have in common: the clock and chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    flags: u32,
    generation: u32,
    /// TCP only.
    sequence: Option<[u32; 12]>,
}

impl Observed {
    /// In what two sides differ, one line each.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        fn compare<T: PartialEq + Debug>(what: &str, host: &T, kernel: &T) -> Option<String> {
            (host != kernel).then(|| format!("{what}: host {host:x?}, kernel {kernel:x?}"))
        }
        [
            compare("verdict (passes)", &self.passes, &other.passes),
            compare("counters", &self.counted, &other.counted),
            compare("connections", &self.flows, &other.flows),
            compare("fragments", &self.fragments, &other.fragments),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Connections as they are compared.
pub(super) fn flows(flows: impl Iterator<Item = (FlowKey, Flow)>) -> BTreeMap<FlowKey, Known> {
    flows.map(|(key, flow)| (key, known(&key, &flow))).collect()
}

fn known(key: &FlowKey, flow: &Flow) -> Known {
    let numbers = || {
        let Flow {
            end,
            max_end,
            max_window,
            max_ack,
            ..
        } = *flow;
        [
            end[0],
            end[1],
            max_end[0],
            max_end[1],
            max_window[0],
            max_window[1],
            max_ack[0],
            max_ack[1],
            flow.last_sequence,
            flow.last_ack,
            flow.last_end,
            flow.last_window.into(),
        ]
    };
    Known {
        // The upper half is random.
        flags: flow.word as u32,
        generation: flow.generation,
        sequence: (key.protocol() == protocol::TCP).then(numbers),
    }
}

/// The counters of some slots at one moment.
pub(super) struct Counts(BTreeMap<Name, Counter>);

impl Counts {
    pub fn of(slots: impl Iterator<Item = u32>, read: impl Fn(u32) -> PortCounts) -> Self {
        let mut counts = BTreeMap::new();
        for slot in slots {
            let read = read(slot);
            for direction in Direction::ALL {
                counts.extend(
                    read.named(direction)
                        .map(|(name, n)| ((slot, direction, name), n)),
                );
            }
        }
        Self(counts)
    }

    pub fn from_memory(counters: &BTreeMap<u32, Counter>, slot: u32) -> PortCounts {
        let mut counts = PortCounts::NONE;
        for (direction, row) in Direction::ALL.into_iter().zip(&mut counts.0) {
            for (number, counter) in (0..).zip(row) {
                if let Some(counted) = counters.get(&counter_index(slot, direction, number)) {
                    *counter = *counted;
                }
            }
        }
        counts
    }

    /// What has moved since.
    pub fn since(&self, before: &Self) -> BTreeMap<Name, Counter> {
        let moved = self.0.iter().map(|(name, now)| {
            let then = before.0[name];
            let counter = Counter {
                packets: now.packets - then.packets,
                bytes: now.bytes - then.bytes,
            };
            (*name, counter)
        });
        moved
            .filter(|(_, counter)| {
                *counter
                    != Counter {
                        packets: 0,
                        bytes: 0,
                    }
            })
            .collect()
    }
}
