//! What the agent needs of the kernel side.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    path::PathBuf,
    sync::Arc,
};

use sg_common::{
    hook::{Direction, Hook},
    layout::counter::Counter,
    layout::flow::{Flow, FlowKey},
    layout::hit::{HitKey, Hits},
    layout::settings::{Settings, Ticks},
    layout::sweep::Sweep,
    reason::{self, Accept, Condition, DropReason, Verdict},
};

use super::{Reader, Trouble};
pub use crate::view::SweptBy;
use crate::{
    compile::Limits,
    error::Result,
    flows::kernel::KernelFlow,
    metrics::ProgramTime,
    model::PortId,
    netlink::Link,
    plan::{Change, State},
};

/// What a look at the interfaces has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The interfaces that were attached to, also by a former process.
    pub attached: BTreeMap<u32, Attachment>,
    /// Where what their VMs send is judged.
    pub modes: BTreeMap<u32, Mode>,
    /// What is wrong at which, besides what [`Datapath::attach`] may mend.
    pub troubles: Vec<(u32, Trouble)>,
    /// How many pins somebody had removed, which are back.
    pub pinned_again: usize,
    /// Why pins cannot be put back: what is in force ends with this process.
    pub unpinned: Option<String>,
}

/// What became of an interface that was attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attachment {
    /// Our programs are at both hooks, before all others.
    InForce,
    /// Our programs are at both hooks, but another is before one of them.
    Behind,
    /// What filters there is an sgd's of another layout or with tables of other sizes, and goes on by what it was told.
    Earlier,
    /// A program is missing: taken off by somebody, or not put on to the end.
    Lost,
    /// The interface does not exist any more.
    Gone,
    /// The interface is in another network namespace, or about to be gone.
    Moved,
}

/// Where what a VM sends is judged. What it is to receive is always judged at tc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// At tc.
    Tc,
    /// At XDP, before tc and before packet sockets.
    Xdp,
    /// At tc; what needs no memory to be refused is refused at XDP.
    Guard,
}

impl Mode {
    /// Its name, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Tc => "tc",
            Mode::Xdp => "xdp",
            Mode::Guard => "guard",
        }
    }
}

/// A program of ours at a hook, by the numbers and names that bpftool takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooked {
    /// The hook.
    pub hook: Hook,
    /// The program's number.
    pub program: u32,
    /// Its name.
    pub name: String,
    /// Its tag, a digest of its instructions.
    pub tag: u64,
    /// How it hangs there.
    pub by: Hanging,
}

/// How a program hangs at a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hanging {
    /// By a link of tcx.
    Tcx {
        /// The link's number.
        link: u32,
        /// Where it is pinned.
        pin: PathBuf,
    },
    /// By a link of XDP.
    Xdp {
        /// The link's number.
        link: u32,
        /// Where it is pinned.
        pin: PathBuf,
        /// Whether it runs within the driver, and not in the network stack.
        native: bool,
    },
    /// By a filter of clsact.
    Clsact {
        /// Its priority, tc's `pref`.
        priority: u16,
        /// Its handle.
        handle: u32,
    },
}

/// The kernel side: programs on interfaces, and what they have counted and remembered. What it holds is
/// pinned and stays when the process ends.
///
/// Nobody else writes what this trait and [`PolicyTables`] write, as long as the process has the lock of the
/// pins.
pub trait Datapath: Send {
    /// How programs are attached: `tcx` or `clsact`.
    fn attach_mode(&self) -> &'static str;

    /// Asks the kernel what became of all that was attached to, and puts back pins.
    fn look(&mut self) -> Result<Look>;

    /// The packet sockets for all protocols, which the kernel serves before our programs.
    fn readers(&mut self) -> Result<Vec<Reader>>;

    /// Puts the programs on an interface, or back there and before all others if they can be. It is closed
    /// until its port is written. Where what its VM sends cannot be judged in this mode it is at tc, and
    /// [`Datapath::look`] says why.
    ///
    /// # Errors
    ///
    /// What is in the way; then a part of the interface may be closed, and nothing of it is enforced.
    fn attach(&mut self, link: &Link, mode: Mode) -> std::result::Result<Attachment, Trouble>;

    /// Forgets an interface that is gone.
    fn forget(&mut self, ifindex: u32) -> Result<()>;

    /// Takes the programs off an interface that was moved, by the name that it had here. From no other that
    /// lives they are ever taken off.
    fn release(&mut self, interface: &str) -> Result<()>;

    /// What the policy's tables hold, read while somebody may write them.
    fn state(&self) -> Result<State>;

    /// What was counted under a slot.
    fn counters(&self, slot: u32) -> Result<PortCounts>;

    /// The flow tables, to be used beside the agent: a walk through them takes its time.
    fn flow_tables(&self) -> Arc<dyn FlowTables>;

    /// What rows have permitted, to be asked beside the agent.
    fn hit_table(&self) -> Arc<dyn HitTable>;

    /// What another filter has tracked here, to be asked beside the agent.
    fn tracker(&self) -> Arc<dyn Tracker>;

    /// Room for assured connections of IPv4.
    fn flow_capacity(&self) -> u32;

    /// Bytes that a table takes, with what belongs to it; 0 if that is not known.
    fn memory(&self, table: &str) -> u64;

    /// Bytes that all maps take, with those that are no tables.
    fn memory_of_all(&self) -> u64;

    /// What the kernel counts of our programs; nothing unless it counts (`kernel.bpf_stats_enabled`).
    fn program_times(&self) -> Vec<ProgramTime>;

    /// The programs of ours that are at an interface, and how they hang there.
    fn hooks(&self, ifindex: u32) -> Vec<Hooked>;

    /// Who removes expired connections, and what that has done.
    fn sweep(&self) -> Result<(SweptBy, Sweep)>;

    /// What the kernel has refused of that, in words.
    fn sweep_refusal(&self) -> Option<&str>;

    /// The operator's settings, as the kernel has them.
    fn settings(&self) -> Result<Settings>;

    /// Puts settings in force. A packet under way may see some of the old and some of the new.
    fn set_settings(&mut self, settings: &Settings) -> Result<()>;

    /// The clock that flows expire by.
    fn now(&self) -> Ticks;
}

/// The tables of the policy, for the only one that writes them.
pub trait PolicyTables: Send {
    /// How much they hold.
    fn limits(&self) -> Limits;

    /// What they hold, and the first generation that was never used.
    fn state(&self) -> Result<(State, u32)>;

    /// Remembers that all generations below this one are used. Survives the process.
    fn reserve_generations(&mut self, next: u32) -> Result<()>;

    /// Writes, in this order. `newcomers` are slots that get other owners than they had: these find neither
    /// counts nor connections of the former ones. After an error some of it may be written.
    fn apply(&mut self, changes: &[Change], newcomers: &BTreeSet<u32>) -> Result<()>;
}

/// The flow tables of the kernel side, which goes on using them meanwhile. Calls may come from several
/// threads at once; none holds the others up for longer than one system call.
pub trait FlowTables: Send + Sync {
    /// Visits every entry, expired or not, a page of bounded size at a time, until told to stop. What
    /// is there all the time is visited once.
    fn walk(&self, visit: &mut Visit<'_>) -> Result<()>;

    /// Every entry at once, which takes the memory of all.
    fn all(&self) -> Result<Vec<(FlowKey, Flow)>> {
        let mut all = Vec::new();
        self.walk(&mut |page| {
            all.extend_from_slice(page);
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// The entry of a connection, expired or not.
    fn find(&self, key: &FlowKey) -> Result<Option<Flow>>;

    /// Stores a connection, among the assured ones if it is, unless one of this key lives there. The port's
    /// quota holds here too.
    fn add(&self, key: &FlowKey, flow: &Flow) -> Result<Added>;

    /// The same, but where there is no room among the assured ones, or the port has its share, `flow` is made one that can
    /// be evicted.
    fn add_somewhere(&self, key: &FlowKey, flow: &mut Flow) -> Result<Added> {
        let added = self.add(key, flow)?;
        if added != Added::NoRoom || !flow.word().assured() {
            return Ok(added);
        }
        flow.change(|word| word.set_assured(false));
        self.add(key, flow)
    }

    /// Removes a connection; returns what it was at the end, if it was there.
    fn remove(&self, key: &FlowKey) -> Result<Option<Flow>>;

    /// How full the flow tables are; those that evict all together, as each port has its own. Their
    /// entries are counted, so it takes as long as a walk through them.
    fn fill(&self) -> Result<Vec<TableFill>>;

    /// How many assured connections a slot has, or had until the sweep comes by.
    fn assured_of(&self, slot: u32) -> Result<u32>;

    /// How full the tables are that a slot has of its own.
    fn fill_of_port(&self, slot: u32) -> Result<Vec<TableFill>>;

    /// The clock that flows expire by.
    fn now(&self) -> Ticks;
}

/// What rows of the rules have permitted.
pub trait HitTable: Send + Sync {
    /// Takes it away, so that it is told once.
    fn take(&self) -> Result<Vec<Hit>>;
}

/// What a row has permitted to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hit {
    /// The port.
    pub port: PortId,
    /// The row.
    pub row: HitKey,
    /// How often, and when last.
    pub hits: Hits,
}

/// The kernel's own tracker of connections, nf_conntrack.
pub trait Tracker: Send + Sync {
    /// Every connection that it has here.
    ///
    /// # Errors
    ///
    /// It tells nothing, with what helps.
    fn dump(&self) -> Result<Vec<KernelFlow>>;
}

/// Sees a page of entries, and says whether to go on.
pub type Visit<'a> = dyn FnMut(&[(FlowKey, Flow)]) -> ControlFlow<()> + 'a;

/// What became of a connection that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is stored.
    Stored,
    /// There is one of its key already, which stays as it is.
    Exists,
    /// Its table is full.
    NoRoom,
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
