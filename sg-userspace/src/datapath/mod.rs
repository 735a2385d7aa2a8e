//! The kernel side: loads the object, pins maps and links, attaches, writes. The only place that names
//! aya.

mod accounts;
mod at_once;
mod attached;
mod away;
mod batch;
mod carry;
mod claim;
mod clock;
mod clsact;
mod dump;
mod earlier;
mod error;
mod events;
mod filters;
mod flow_tables;
mod held;
mod hits;
mod inner;
mod keeper;
mod links;
mod load;
mod look;
mod memory;
mod modes;
mod netns;
mod object;
mod occupancy;
mod order;
mod pins;
mod place;
mod policy;
mod port_table;
mod programs;
mod qdiscs;
mod readers;
mod removal;
mod settings_table;
mod shares;
mod shut;
mod slotted;
mod stock;
mod sweep;
mod sys;
mod tables;
mod tcx;
mod template;
mod trust;
mod verify;
mod xdp;

use std::path::Path;
use std::sync::Arc;

use aya_log::EbpfLogger;
use bytemuck::Zeroable;
use sg_common::hook::Direction;
use sg_common::layout::maps::name;
use sg_common::layout::settings::{Settings, Ticks};
use sg_common::layout::sweep::Sweep;

pub use error::Error;
pub use events::{EventRing, EventTables};
pub use load::load;
pub use object::Sizes;
use object::Wanted;
pub use pins::Way;
#[cfg(test)]
pub(crate) use pins::named_by;
pub use policy::Policy;
pub use shut::shut;
pub use sweep::Sweeper;

use crate::agent::{
    Attachment, Datapath, FlowTables, HitTable, Hooked, Look, Mode, PortCounts, Reader, SweptBy,
    Tracker, Trouble,
};
use crate::ctnetlink;
use crate::flows::kernel::KernelFlow;
use crate::host::Lock;
use crate::metrics::ProgramTime;
use crate::netlink::Link;
use crate::plan::State;
use accounts::Accounts;
use earlier::Earlier;
use error::Result;
use flow_tables::KernelFlows;
use hits::KernelHits;
use keeper::Keeper;
use links::Links;
use memory::MapMemory;
use pins::Pins;
use readers::Owners;
use settings_table::SettingsTable;
use shares::Shares;
use stock::Stock;
use sweep::Sweeping;
use tables::Tables;
use template::Template;

/// Reads what the kernel programs log, and passes it on to the log of this program.
pub type KernelLog = EbpfLogger<&'static dyn log::Log>;

/// The kernel side of one daemon, but for the policy's tables, which are only read here.
pub struct Kernel {
    tables: Tables,
    settings: Arc<SettingsTable>,
    events: Arc<EventTables>,
    hits: Arc<KernelHits>,
    flows: Arc<KernelFlows>,
    memory: MapMemory,
    sweeping: Sweeping,
    swept_by: SweptBy,
    links: Links,
    owners: Owners,
    keeper: Keeper,
    ring: Option<EventRing>,
}

impl Kernel {
    /// Opens what is pinned below a directory, or makes it; and puts this object's programs in the place
    /// of those that are attached. Flows, policy and links of a former process are adopted. What has another layout or
    /// other sizes stays attached until [`Datapath::attach`] is asked for its interface (see [`earlier`]).
    ///
    /// # Errors
    ///
    /// [`Error::OtherLayout`] and [`Error::OtherNamespace`] for pins that are not ours to use; [`Error::Load`] and [`Error::Program`] for what the kernel refuses.
    pub fn open(
        root: &Path,
        way: Option<Way>,
        sizes: Sizes,
    ) -> Result<(Kernel, Policy, Option<KernelLog>)> {
        let wanted = Wanted::new(sizes)?;
        let (mut pins, mut earlier) = Earlier::set_aside(root, &wanted)?;
        let mut stock = Stock::new(wanted.load(&pins)?, &pins);
        let log = match EbpfLogger::init(&mut stock.object) {
            Ok(log) => Some(log),
            Err(error) => {
                tracing::warn!("what the kernel programs log is not shown: {error}");
                None
            }
        };
        let sweeping = Sweeping::open(&mut stock);
        let object = &mut stock.object;
        let mut memory = MapMemory::open(object)?;
        let settings = Arc::new(SettingsTable::open(object)?);
        let mut tables = Tables::open(object)?;
        if tables.node()?.abi == 0 {
            earlier.recall(&mut tables)?;
        }
        claim::claim(&mut tables, &pins)?;
        let (of_shares, of_accounts) = Template::all(sizes)?;
        let shares = Shares::open(object, of_shares)?;
        let flows = Arc::new(KernelFlows::open(&mut stock, shares.slotted())?);
        let object = &mut stock.object;
        let accounts = Accounts::open(object, of_accounts, flows.clone())?;
        let events = Arc::new(EventTables::open(object, settings.clone(), accounts)?);
        let hits = Arc::new(KernelHits::open(object)?);
        earlier.bring(&pins, &flows)?;
        // A restart leaves in force what was set; a map that was just made has nothing yet.
        if settings.get()? == Settings::zeroed() {
            settings.set(&Settings::DEFAULT)?;
        }
        for (slot, uuid) in tables.owners()? {
            events.owned(slot, uuid)?;
            hits.owned(slot, uuid);
        }
        let ring = Some(EventRing::open(&mut stock.object)?);
        let keeper = Keeper::open(root, &pins)?;
        let policy = Policy {
            tables,
            shares,
            flows: flows.clone(),
            events: events.clone(),
            hits: hits.clone(),
        };
        let tables = Tables::open(&mut pins)?;
        let links = Links::open(pins, earlier, way, stock)?;
        memory.find_others();
        let kernel = Kernel {
            tables,
            settings,
            events,
            hits,
            flows,
            memory,
            sweeping,
            swept_by: SweptBy::Nobody,
            links,
            owners: Owners::default(),
            keeper,
            ring,
        };
        Ok((kernel, policy, log))
    }

    /// Keeps the directory of the pins locked, also when somebody has removed it and it is made again.
    pub fn keep_locked(&mut self, lock: Lock) {
        self.keeper.keep_locked(lock);
    }

    /// What is told one by one: what is asked for, and, the first time, the ring.
    pub fn events(&mut self) -> (Arc<EventTables>, Option<EventRing>) {
        (self.events.clone(), self.ring.take())
    }

    /// Starts the sweep of expired connections: in the kernel, where it outlives this process; or, if
    /// that is not wanted or this kernel refuses it, by what is returned. Verdicts need no sweep, so the
    /// daemon goes on where the kernel refuses both.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] if the program of the sweep is there and cannot be used.
    pub fn start_sweep(&mut self, in_kernel: bool) -> Result<Option<Sweeper>> {
        if in_kernel && self.sweeping.start_timer() {
            self.swept_by = SweptBy::Kernel;
            return Ok(None);
        }
        let sweeper = self.sweeping.by_hand()?;
        self.swept_by = match sweeper {
            Some(_) => SweptBy::Daemon,
            None => SweptBy::Nobody,
        };
        if let Some(refused) = self.sweeping.refused() {
            tracing::warn!("the kernel does not remove expired connections by itself: {refused}");
        }
        if sweeper.is_none() {
            tracing::warn!("expired connections are not removed, and their room is not used again");
        }
        Ok(sweeper)
    }

    /// Takes all filters off, and removes all pins, of whatever layout. Every port is open afterwards. Tells
    /// of how many interfaces of how many it has.
    ///
    /// # Errors
    ///
    /// [`Error::OtherNamespace`] if there are filters that only another namespace can take off;
    /// [`Error::Foreign`] if pins are somebody else's;
    /// [`Error::Directory`] if a pin cannot be removed.
    pub fn remove(root: &Path, mut tell: impl FnMut(usize, usize)) -> Result<()> {
        trust::check(root)?;
        for pins in Pins::all(root)? {
            claim::check_removal(&pins)?;
            let interfaces = pins.interfaces()?;
            for (done, ifindex) in interfaces.iter().enumerate() {
                links::detach(&pins, *ifindex)?;
                tell(done + 1, interfaces.len());
            }
            pins.remove_all()?;
        }
        for command in clsact::unmarked() {
            tracing::warn!(
                "a filter named as ours is not of {}, and stays: of another sgd, or its pins were removed \
                 (`{command}` takes it off)",
                root.display()
            );
        }
        // Not ours to remove if anything else is in it.
        let _ = std::fs::remove_dir(root);
        Ok(())
    }
}

impl Datapath for Kernel {
    fn attach_mode(&self) -> &'static str {
        self.links.way().as_str()
    }

    fn look(&mut self) -> crate::error::Result<Look> {
        let pinned = self.keeper.pin_again(&self.links);
        let mut look = self.links.look()?;
        match pinned {
            Ok(count) => look.pinned_again = count,
            Err(error) => look.unpinned = Some(error.to_string()),
        }
        Ok(look)
    }

    fn readers(&mut self) -> crate::error::Result<Vec<Reader>> {
        Ok(self.owners.readers()?)
    }

    fn attach(&mut self, link: &Link, mode: Mode) -> std::result::Result<Attachment, Trouble> {
        self.links.attach(link, mode)
    }

    fn forget(&mut self, ifindex: u32) -> crate::error::Result<()> {
        Ok(self.links.forget(ifindex)?)
    }

    fn release(&mut self, interface: &str) -> crate::error::Result<()> {
        Ok(self.links.release(interface)?)
    }

    fn state(&self) -> crate::error::Result<State> {
        Ok(self.tables.state()?)
    }

    fn counters(&self, slot: u32) -> crate::error::Result<PortCounts> {
        let mut counts = PortCounts::NONE;
        for (direction, counters) in Direction::ALL.into_iter().zip(&mut counts.0) {
            *counters = self.tables.counters(slot, direction)?;
        }
        Ok(counts)
    }

    fn flow_tables(&self) -> Arc<dyn FlowTables> {
        self.flows.clone()
    }

    fn hit_table(&self) -> Arc<dyn HitTable> {
        self.hits.clone()
    }

    fn tracker(&self) -> Arc<dyn Tracker> {
        Arc::new(Conntrack)
    }

    fn flow_capacity(&self) -> u32 {
        self.flows.room()
    }

    fn memory(&self, table: &str) -> u64 {
        let turns = match table {
            name::FLOWS4 => self.memory.bytes(name::TURNS4),
            name::FLOWS6 => self.memory.bytes(name::TURNS6),
            _ => 0,
        };
        self.memory.bytes(table) + turns
    }

    fn memory_of_all(&self) -> u64 {
        self.memory.all()
    }

    fn program_times(&self) -> Vec<ProgramTime> {
        self.links.program_times()
    }

    fn hooks(&self, ifindex: u32) -> Vec<Hooked> {
        self.links.hooks(ifindex)
    }

    fn sweep(&self) -> crate::error::Result<(SweptBy, Sweep)> {
        Ok((self.swept_by, self.flows.sweep()?))
    }

    fn sweep_refusal(&self) -> Option<&str> {
        self.sweeping.refused()
    }

    fn settings(&self) -> crate::error::Result<Settings> {
        Ok(self.settings.get()?)
    }

    fn set_settings(&mut self, settings: &Settings) -> crate::error::Result<()> {
        Ok(self.settings.set(settings)?)
    }

    fn now(&self) -> Ticks {
        clock::now()
    }
}

/// The kernel's own tracker, asked over netlink.
struct Conntrack;

impl Tracker for Conntrack {
    fn dump(&self) -> crate::error::Result<Vec<KernelFlow>> {
        Ok(ctnetlink::dump()?.flows)
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NoObject
            | Error::Load(_)
            | Error::Program { .. }
            | Error::Pin { .. }
            | Error::Foreign { .. }
            | Error::OtherLayout { .. }
            | Error::OtherSize { .. }
            | Error::OtherNamespace { .. }
            | Error::NoNamespace(_) => {
                crate::error::Error::Host(crate::host::HostError::Kernel(error.to_string()))
            }
            other => crate::error::Error::Datapath(other.to_string()),
        }
    }
}
