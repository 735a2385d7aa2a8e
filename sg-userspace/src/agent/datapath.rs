//! What the agent needs of the kernel side.

use std::collections::BTreeSet;

use sg_common::{
    flow::{Flow, FlowKey},
    hook::Direction,
    reason::{self, Accept, Condition, Counter, DropReason, Verdict},
    settings::{Settings, Ticks},
};

use crate::{
    compile::Limits,
    error::Result,
    netlink::Link,
    plan::{Change, State},
};

/// The kernel side: programs on interfaces, and the tables they read. What it holds is pinned and
/// stays when the process ends.
///
/// Nobody else writes what this trait writes, as long as the process has the lock of the pins.
pub trait Datapath: Send {
    /// How programs are attached: `tcx` or `clsact`.
    fn attach_mode(&self) -> &'static str;

    /// The interfaces with our programs on them, also those that a former process has attached.
    fn attached(&self) -> Result<BTreeSet<u32>>;

    /// Puts the programs on an interface. It is closed until its port is written.
    fn attach(&mut self, link: &Link) -> Result<()>;

    /// Forgets an interface that is gone, or takes the programs off one that is there.
    fn detach(&mut self, ifindex: u32) -> Result<()>;

    /// How much the tables hold.
    fn limits(&self) -> Limits;

    /// The policy half of the tables, and the first generation that was never used.
    fn state(&self) -> Result<(State, u32)>;

    /// Remembers that all generations below this one are used. Survives the process.
    fn reserve_generations(&mut self, next: u32) -> Result<()>;

    /// Writes, in this order. After an error some of it may be written.
    fn apply(&mut self, changes: &[Change]) -> Result<()>;

    /// Zeroes what was counted under a slot, before it gets another owner.
    fn reset_counters(&mut self, slot: u32) -> Result<()>;

    /// What was counted under a slot.
    fn counters(&self, slot: u32) -> Result<PortCounts>;

    /// Every entry of the flow tables, expired or not.
    fn flows(&self) -> Result<Vec<(FlowKey, Flow)>>;

    /// Removes connections that are over from the tables that do not evict; returns how many. Look-ups
    /// take them for absent anyway: this only frees the room.
    fn sweep(&mut self) -> Result<usize>;

    /// How full the tables are that can fill.
    fn tables(&self) -> Result<Vec<TableFill>>;

    /// The operator's settings, as the kernel has them.
    fn settings(&self) -> Result<Settings>;

    /// The clock that flows expire by.
    fn now(&self) -> Ticks;
}

/// How full a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFill {
    /// Name of the map.
    pub name: &'static str,
    /// Entries in use.
    pub used: u64,
    /// Entries it can hold.
    pub capacity: u64,
}

/// Counters of a port: by [`Direction`], then as [`sg_common::reason`] numbers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortCounts(pub [[Counter; reason::COUNTERS as usize]; 2]);

impl PortCounts {
    /// Nothing was counted.
    pub const NONE: Self = Self(
        [[Counter {
            packets: 0,
            bytes: 0,
        }; reason::COUNTERS as usize]; 2],
    );

    /// Packets of a verdict.
    pub fn verdict(&self, direction: Direction, verdict: Verdict) -> Counter {
        self.0[direction as usize][reason::verdict_counter(&verdict) as usize]
    }

    /// Packets that met a condition.
    pub fn condition(&self, direction: Direction, condition: Condition) -> Counter {
        self.0[direction as usize][reason::condition_counter(condition) as usize]
    }

    /// Every counter of a direction by its name.
    pub fn named(&self, direction: Direction) -> impl Iterator<Item = (&'static str, Counter)> {
        let accepts = Accept::ALL
            .iter()
            .map(move |accept| (accept.as_str(), self.verdict(direction, Ok(*accept))));
        let drops = DropReason::ALL
            .iter()
            .map(move |reason| (reason.as_str(), self.verdict(direction, Err(*reason))));
        let conditions = Condition::ALL
            .iter()
            .map(move |condition| (condition.as_str(), self.condition(direction, *condition)));
        accepts.chain(drops).chain(conditions)
    }
}
