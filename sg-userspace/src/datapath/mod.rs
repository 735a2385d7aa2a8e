//! The kernel side: loads the object, pins maps and links, attaches, writes. The only place that names
//! aya.

mod clock;
mod error;
mod links;
mod object;
mod pins;
mod tables;

use std::collections::BTreeSet;
use std::path::Path;

use aya_log::EbpfLogger;
use sg_common::flow::{Flow, FlowKey};
use sg_common::hook::Direction;
use sg_common::maps::{ABI, Node};
use sg_common::settings::{EXPIRY_STEP, Settings, Ticks, passed};

pub use error::Error;
pub use object::Sizes;
pub use pins::Way;

use crate::agent::{Datapath, PortCounts, TableFill};
use crate::compile::{Limits, Table};
use crate::netlink::Link;
use crate::plan::{Change, State};
use error::Result;
use links::Links;
use pins::Pins;
use tables::Tables;

/// Reads what the kernel programs log, and passes it on to the log of this program.
pub type KernelLog = EbpfLogger<&'static dyn log::Log>;

/// The kernel side of one daemon.
pub struct Kernel {
    tables: Tables,
    links: Links,
}

impl Kernel {
    /// Opens what is pinned below a directory, or makes it; and puts this object's programs in the place
    /// of those that are attached. Flows, policy and links of a former process are adopted.
    ///
    /// # Errors
    ///
    /// [`Error::OtherLayout`] for pins that are not of this layout; [`Error::Load`] and
    /// [`Error::Program`] for what the kernel refuses.
    pub fn open(
        root: &Path,
        way: Option<Way>,
        sizes: Sizes,
    ) -> Result<(Kernel, Option<KernelLog>)> {
        let pins = Pins::open(root)?;
        let mut object = object::load(&pins, sizes)?;
        let log = match EbpfLogger::init(&mut object) {
            Ok(log) => Some(log),
            Err(error) => {
                tracing::warn!("what the kernel programs log is not shown: {error}");
                None
            }
        };
        let mut tables = Tables::open(&mut object)?;
        let node = tables.node()?;
        let node = Node {
            abi: ABI,
            next_generation: node.next_generation.max(1),
        };
        tables.set_node(node)?;
        tables.set_settings(&Settings::DEFAULT)?;
        let links = Links::open(pins, way, object)?;
        Ok((Kernel { tables, links }, log))
    }

    /// Takes all filters off, and removes all pins, of whatever layout. Every port is open afterwards.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`] if a pin cannot be removed.
    pub fn remove(root: &Path) -> Result<()> {
        if let Ok(pins) = Pins::open(root) {
            for ifindex in pins.interfaces()? {
                links::detach(&pins, ifindex)?;
            }
        }
        Pins::remove_all(root)
    }
}

impl Datapath for Kernel {
    fn attach_mode(&self) -> &'static str {
        self.links.way().as_str()
    }

    fn attached(&self) -> crate::error::Result<BTreeSet<u32>> {
        Ok(self.links.attached()?)
    }

    fn attach(&mut self, link: &Link) -> crate::error::Result<()> {
        Ok(self.links.attach(link.ifindex)?)
    }

    fn detach(&mut self, ifindex: u32) -> crate::error::Result<()> {
        Ok(self.links.detach(ifindex)?)
    }

    fn limits(&self) -> Limits {
        limits(&self.tables)
    }

    fn state(&self) -> crate::error::Result<(State, u32)> {
        Ok((self.tables.state()?, self.tables.node()?.next_generation))
    }

    fn reserve_generations(&mut self, next_generation: u32) -> crate::error::Result<()> {
        Ok(self.tables.set_node(Node {
            abi: ABI,
            next_generation,
        })?)
    }

    fn apply(&mut self, changes: &[Change]) -> crate::error::Result<()> {
        Ok(changes
            .iter()
            .try_for_each(|change| self.tables.write(change))?)
    }

    fn reset_counters(&mut self, slot: u32) -> crate::error::Result<()> {
        Ok(self.tables.clear_counters(slot)?)
    }

    fn counters(&self, slot: u32) -> crate::error::Result<PortCounts> {
        let mut counts = PortCounts::NONE;
        for (direction, counters) in Direction::ALL.into_iter().zip(&mut counts.0) {
            *counters = self.tables.counters(slot, direction)?;
        }
        Ok(counts)
    }

    fn flows(&self) -> crate::error::Result<Vec<(FlowKey, Flow)>> {
        Ok(self.tables.flows()?)
    }

    fn sweep(&mut self) -> crate::error::Result<usize> {
        let now = clock::now();
        // A moment later than the filter, so that no packet still counts on the entry.
        Ok(self
            .tables
            .sweep(|flow| passed(flow.expires.wrapping_add(EXPIRY_STEP), now))?)
    }

    fn settings(&self) -> crate::error::Result<Settings> {
        Ok(self.tables.settings()?)
    }

    fn tables(&self) -> crate::error::Result<Vec<TableFill>> {
        let tables = self.tables.rooms().into_iter().zip(self.tables.used()?);
        Ok(tables
            .map(|((name, capacity), used)| TableFill {
                name,
                used,
                capacity,
            })
            .collect())
    }

    fn now(&self) -> Ticks {
        clock::now()
    }
}

/// The sizes that the maps really have: pinned ones keep theirs.
fn limits(tables: &Tables) -> Limits {
    let rooms = tables.rooms();
    let of = |table: Table| {
        let room = rooms
            .iter()
            .find(|(name, _)| *name == table.name())
            .map_or(0, |(_, room)| *room);
        u32::try_from(room).unwrap_or(u32::MAX)
    };
    Limits {
        ports: of(Table::Ports),
        addresses: of(Table::Addresses),
        policies: of(Table::Policies),
        members: of(Table::Members),
        prefixes: of(Table::Prefixes),
        grants: of(Table::Grants),
        port_sets: of(Table::PortSets),
    }
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::NoObject
            | Error::Load(_)
            | Error::Program { .. }
            | Error::Pin { .. }
            | Error::OtherLayout { .. } => {
                crate::error::Error::Host(crate::host::HostError::Kernel(error.to_string()))
            }
            other => crate::error::Error::Datapath(other.to_string()),
        }
    }
}
