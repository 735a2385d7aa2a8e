//! The writes of a plan, with what each port has of its own beside its row.

use std::collections::BTreeSet;

use super::Kernel;
use super::error::Result;
use crate::plan::Change;

impl Kernel {
    /// Does the writes in their order, of which those that remove ports are the first. A port has tables of
    /// its own before it is written and as long as it is there, and what is gone gives its memory back before
    /// any is asked for.
    ///
    /// # Errors
    ///
    /// The first of all. If a newcomer cannot have its tables, it alone is not written: it stays closed, and
    /// nothing else waits for it.
    pub(super) fn write(&mut self, changes: &[Change], newcomers: &BTreeSet<u32>) -> Result<()> {
        let is_removal = |change: &Change| matches!(change, Change::Port(_, None));
        let removals = changes.iter().take_while(|change| is_removal(change));
        let (removals, rest) = changes.split_at(removals.count());
        let wanted: BTreeSet<u32> = rest.iter().filter_map(slot).collect();

        removals
            .iter()
            .try_for_each(|change| self.tables.write(change))?;
        if !changes
            .iter()
            .any(|change| matches!(change, Change::Port(..)))
        {
            return rest.iter().try_for_each(|change| self.tables.write(change));
        }
        let there = self.tables.slots()?;
        self.shares.keep(&there.union(&wanted).copied().collect())?;
        self.vacate(newcomers)?;
        let furnished = self.shares.furnish(&wanted);
        let refused = match furnished {
            Ok(()) => BTreeSet::new(),
            Err(_) => newcomers - &self.shares.furnished()?,
        };
        let is_refused =
            |change: &&Change| slot(change).is_some_and(|slot| refused.contains(&slot));
        rest.iter()
            .filter(|change| !is_refused(change))
            .try_for_each(|change| self.tables.write(change))?;
        furnished
    }

    /// Leaves nothing under slots for their new owners: neither counts nor connections.
    fn vacate(&mut self, slots: &BTreeSet<u32>) -> Result<()> {
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
