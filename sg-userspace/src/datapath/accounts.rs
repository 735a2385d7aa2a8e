//! Packets and bytes by connection: a table for each slot of which they are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::sync::Arc;

use aya::Ebpf;
use aya::maps::{HashMap, Map, MapData, MapError};
use sg_common::layout::account::Account;
use sg_common::layout::flow::FlowKey;
use sg_common::layout::maps::name;

use super::batch::{Page, Walk};
use super::error::{Error, Result};
use super::flow_tables::KernelFlows;
use super::slotted::{Slotted, vacate};
use super::tables::Raw;
use super::template::Template;
use crate::agent::FlowTables;

/// The tables.
pub struct Accounts {
    slotted: Slotted,
    flows: Arc<KernelFlows>,
    /// Packets of each row when it was read last.
    seen: BTreeMap<FlowKey, u64>,
}

impl Accounts {
    /// Takes the map out of the loaded object. What a former process had counted is forgotten.
    pub fn open(object: &mut Ebpf, template: Template, flows: Arc<KernelFlows>) -> Result<Self> {
        let slotted = Slotted::open(object, template)?;
        let mut accounts = Self {
            slotted,
            flows,
            seen: BTreeMap::new(),
        };
        accounts.only(&BTreeSet::new())?;
        Ok(accounts)
    }

    /// Has these slots counted, and no others.
    pub fn only(&mut self, slots: &BTreeSet<u32>) -> Result<()> {
        let there = self.slotted.slots();
        self.clear(&(&there - slots))?;
        let new: Vec<u32> = slots.difference(&there).copied().collect();
        self.slotted.furnish(&new)
    }

    /// Forgets what was counted of slots, and counts them no more.
    pub fn clear(&mut self, slots: &BTreeSet<u32>) -> Result<()> {
        self.seen.retain(|key, _| !slots.contains(&key.slot()));
        vacate([&self.slotted].into_iter(), slots)
    }

    /// What was counted. A row to which nothing was added since it was read last, and whose connection is gone, is
    /// removed.
    pub fn read(&mut self) -> Result<Vec<(FlowKey, Account)>> {
        let mut all = Vec::new();
        let mut page = Page::new();
        for slot in self.slotted.slots() {
            let Some(table) = self.slotted.table(slot)? else {
                continue;
            };
            let before = all.len();
            let mut walk = Walk::new(table.fd().as_fd(), &mut page);
            let failed = |error| Error::map("read", name::ACCOUNTS)(MapError::IoError(error));
            while let Some((keys, values)) = walk.page().map_err(failed)? {
                all.extend(keys.iter().copied().zip(values.iter().copied()));
            }
            self.tidy(table, all.get(before..).unwrap_or_default())?;
        }
        self.seen = all.iter().map(|(key, row)| (*key, packets(row))).collect();
        Ok(all)
    }

    fn tidy(&self, table: MapData, rows: &[(FlowKey, Account)]) -> Result<()> {
        let map = Map::HashMap(table);
        let mut map: HashMap<MapData, Raw<FlowKey>, Raw<Account>> =
            map.try_into().map_err(Error::map("open", name::ACCOUNTS))?;
        let now = self.flows.now();
        for (key, row) in rows {
            if self.seen.get(key) != Some(&packets(row)) {
                continue;
            }
            // What cannot be found out is kept.
            let flow = self.flows.find(key).ok();
            if flow.is_some_and(|flow| flow.is_none_or(|flow| !flow.lives(now))) {
                match map.remove(&Raw(*key)) {
                    Ok(()) | Err(MapError::KeyNotFound) => {}
                    Err(error) => return Err(Error::map("write", name::ACCOUNTS)(error)),
                }
            }
        }
        Ok(())
    }
}

fn packets(row: &Account) -> u64 {
    row.packets
        .iter()
        .fold(0, |sum, packets| sum.wrapping_add(*packets))
}
