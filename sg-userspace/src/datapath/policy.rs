//! The tables of the policy as they are written, with what each port has of its own beside its row.

use std::collections::BTreeSet;
use std::sync::Arc;

use sg_common::layout::maps::Node;

use super::error::Result;
use super::events::EventTables;
use super::flow_tables::KernelFlows;
use super::hits::KernelHits;
use super::shares::Shares;
use super::tables::Tables;
use crate::agent::PolicyTables;
use crate::compile::{Limits, Table};
use crate::plan::{Change, State};

/// The only one that writes the policy.
pub struct Policy {
    pub(super) tables: Tables,
    pub(super) shares: Shares,
    pub(super) flows: Arc<KernelFlows>,
    pub(super) events: Arc<EventTables>,
    pub(super) hits: Arc<KernelHits>,
}

impl PolicyTables for Policy {
    fn limits(&self) -> Limits {
        let rooms = self.tables.rooms();
        let of = |table: Table| {
            let room = rooms.iter().find(|(name, _)| *name == table.name());
            room.map_or(0, |(_, room)| u32::try_from(*room).unwrap_or(u32::MAX))
        };
        Limits {
            ports: of(Table::Ports),
            addresses: of(Table::Addresses),
            policies: of(Table::Policies),
            members: of(Table::Members),
            prefixes: of(Table::Prefixes),
            grants: of(Table::Grants),
            port_sets: of(Table::PortSets),
            port_pairs: of(Table::PortPairs),
        }
    }

    fn state(&self) -> crate::error::Result<(State, u32)> {
        Ok((self.tables.state()?, self.tables.node()?.next_generation))
    }

    fn reserve_generations(&mut self, next_generation: u32) -> crate::error::Result<()> {
        let node = self.tables.node()?;
        Ok(self.tables.set_node(Node {
            next_generation,
            ..node
        })?)
    }

    fn apply(&mut self, changes: &[Change], newcomers: &BTreeSet<u32>) -> crate::error::Result<()> {
        Ok(self.write(changes, newcomers)?)
    }
}

impl Policy {
    /// Does the writes in their order, of which those that remove ports are the first. A port has tables of
    /// its own before it is written and as long as it is there, and what is gone gives its memory back before
    /// any is asked for.
    ///
    /// # Errors
    ///
    /// The first of all. If a newcomer cannot have its tables, it alone is not written: it stays closed, and
    /// nothing else waits for it.
    fn write(&mut self, changes: &[Change], newcomers: &BTreeSet<u32>) -> Result<()> {
        let is_removal = |change: &Change| matches!(change, Change::Port(_, None));
        let removals = changes.iter().take_while(|change| is_removal(change));
        let (removals, rest) = changes.split_at(removals.count());
        let wanted: BTreeSet<u32> = rest.iter().filter_map(slot).collect();

        removals.iter().try_for_each(|change| self.put(change))?;
        if !changes
            .iter()
            .any(|change| matches!(change, Change::Port(..)))
        {
            return rest.iter().try_for_each(|change| self.put(change));
        }
        let there = self.tables.slots()?;
        self.shares.keep(&there.union(&wanted).copied().collect())?;
        self.vacate(newcomers)?;
        let furnished = self.shares.furnish(&wanted);
        let refused = match furnished {
            Ok(()) => BTreeSet::new(),
            Err(_) => newcomers - &self.shares.furnished(),
        };
        let is_refused =
            |change: &&Change| slot(change).is_some_and(|slot| refused.contains(&slot));
        rest.iter()
            .filter(|change| !is_refused(change))
            .try_for_each(|change| self.put(change))?;
        furnished
    }

    fn put(&mut self, change: &Change) -> Result<()> {
        if let Change::Port(_, Some(port)) = change {
            self.events.owned(port.slot, port.uuid)?;
            self.hits.owned(port.slot, port.uuid);
        }
        self.tables.write(change)
    }

    /// Leaves nothing under slots for their new owners: neither counts nor connections.
    fn vacate(&mut self, slots: &BTreeSet<u32>) -> Result<()> {
        if !slots.is_empty() {
            self.hits.settle()?;
        }
        self.shares.vacate(slots)?;
        self.flows.forget(slots)?;
        slots
            .iter()
            .try_for_each(|slot| self.tables.clear_counters(*slot))
    }
}

/// The slot of the port that is written.
fn slot(change: &Change) -> Option<u32> {
    match change {
        Change::Port(_, Some(port)) => Some(port.slot),
        _ => None,
    }
}
