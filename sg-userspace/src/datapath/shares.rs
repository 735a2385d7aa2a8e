//! The tables that evict: one of each kind for every slot that has a port.

use std::collections::BTreeSet;
use std::sync::Arc;

use aya::Ebpf;
use aya::maps::{Array, MapData};
use sg_common::layout::maps::name;
use sg_common::layout::share::{Kind, Share};

use super::at_once::at_once;
use super::error::{Error, Result};
use super::slotted::{Slotted, vacate};
use super::tables::{Raw, take};
use super::template::Template;

/// The tables of all slots, and what they have by the count of the programs.
pub struct Shares {
    slotted: Arc<[Slotted; 3]>,
    counts: Array<MapData, Raw<Share>>,
}

impl Shares {
    /// Takes the maps out of the loaded object.
    pub fn open(object: &mut Ebpf, templates: [Template; 3]) -> Result<Self> {
        let [embryos4, embryos6, fragments] = templates;
        let slotted = [
            Slotted::open(object, embryos4)?,
            Slotted::open(object, embryos6)?,
            Slotted::open(object, fragments)?,
        ];
        Ok(Self {
            slotted: Arc::new(slotted),
            counts: take(object, name::SHARES)?,
        })
    }

    /// The maps of maps, by [`Kind`].
    pub fn slotted(&self) -> Arc<[Slotted; 3]> {
        self.slotted.clone()
    }

    /// Makes the tables of slots that have none.
    pub fn furnish(&mut self, slots: &BTreeSet<u32>) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let mut bare = Vec::new();
        for (kind, slotted) in Kind::ALL.into_iter().zip(self.slotted.iter()) {
            let taken = slotted.looked_at(slots)?;
            let slots: Vec<u32> = slots.difference(&taken).copied().collect();
            for slot in &slots {
                let share = cleared(&self.counts, *slot, kind)?;
                let written = self.counts.set(*slot, Raw(share), 0);
                written.map_err(Error::map("write", name::SHARES))?;
            }
            bare.push((slotted, slots));
        }
        at_once(&bare, |(slotted, slots)| slotted.furnish(slots))
    }

    /// Removes the tables of slots, with all that is in them.
    pub fn vacate(&self, slots: &BTreeSet<u32>) -> Result<()> {
        vacate(self.slotted.iter(), slots)
    }

    /// The slots that have all their tables.
    pub fn furnished(&self) -> BTreeSet<u32> {
        let [first, others @ ..] = &*self.slotted;
        others
            .iter()
            .fold(first.slots(), |all, slotted| &all & &slotted.slots())
    }

    /// Removes the tables of all slots but these.
    pub fn keep(&self, slots: &BTreeSet<u32>) -> Result<()> {
        let all = self.slotted.iter().flat_map(Slotted::slots);
        self.vacate(&all.filter(|slot| !slots.contains(slot)).collect())
    }
}

/// The counts of a slot with those of one kind at zero.
fn cleared(counts: &Array<MapData, Raw<Share>>, slot: u32, kind: Kind) -> Result<Share> {
    let read = counts.get(&slot, 0);
    let Raw(mut share) = read.map_err(Error::map("read", name::SHARES))?;
    share.stored[kind as usize] = 0;
    share.gone[kind as usize] = 0;
    Ok(share)
}
