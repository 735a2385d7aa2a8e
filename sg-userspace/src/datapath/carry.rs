//! Copying connections from the tables of an earlier filter, which goes on with them, into ours.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aya::maps::{MapData, MapInfo};
use bytemuck::Pod;
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4, Side};
use sg_common::layout::maps::name;
use sg_common::layout::settings::Ticks;
use sg_common::wire::protocol;

use super::batch::Page;
use super::earlier::{is_shared, owners};
use super::error::{Error, Result};
use super::flow_tables::{KernelFlows, walk};
use super::inner::inner_maps;
use super::pins::Pins;
use super::port_table::NOBODY;
use crate::agent::{Added, FlowTables};

/// Copies connections, as often as it is asked to: what is new and what has become assured since.
pub struct Carrier {
    from: Pins,
    to: Pins,
    tables: Arc<KernelFlows>,
    /// The maps that have to be copied.
    maps: Vec<&'static str>,
    /// What was copied, and whether it was assured then.
    carried: BTreeMap<FlowKey, bool>,
    refused: u64,
    /// When it was done last, and how long that took.
    last: Option<(Instant, Duration)>,
}

/// Of all time, copying takes this part at most while interfaces wait for it.
const SHARE: u32 = 10;

impl Carrier {
    /// Between two sets of pins; `None` if all tables are the same.
    ///
    /// # Errors
    ///
    /// [`Error::Map`]
    pub fn between(from: Pins, to: &Pins, tables: &Arc<KernelFlows>) -> Result<Option<Carrier>> {
        let maps = [name::FLOWS4, name::FLOWS6, name::EMBRYOS4, name::EMBRYOS6];
        let maps: Vec<_> = maps
            .into_iter()
            .filter(|map| !is_shared(&from, to, map))
            .collect();
        Ok((!maps.is_empty()).then(|| Carrier {
            from,
            to: to.clone(),
            tables: tables.clone(),
            maps,
            carried: BTreeMap::new(),
            refused: 0,
            last: None,
        }))
    }

    /// Whether it is worth while to copy once more.
    pub fn is_due(&self) -> bool {
        self.last
            .is_none_or(|(at, took)| at.elapsed() > took * SHARE)
    }

    /// Copies once more. What cannot be read is logged: the others are worth having.
    pub fn carry(&mut self) {
        let begun = Instant::now();
        if let Err(error) = self.carry_all() {
            tracing::warn!("not all connections are taken along: {error}");
        }
        self.last = Some((Instant::now(), begun.elapsed()));
    }

    /// Says how many there were.
    pub fn tell(&self) {
        let (connections, refused) = (self.carried.len(), self.refused);
        tracing::info!(
            connections,
            refused,
            "connections were copied into the new tables"
        );
    }

    fn carry_all(&mut self) -> Result<()> {
        self.refused = 0;
        let kept = self.kept_slots()?;
        for map in self.maps.clone() {
            match map {
                name::FLOWS4 => self.copy(map, FlowKey4::widen, &kept)?,
                name::FLOWS6 => self.copy(map, |key: &FlowKey| *key, &kept)?,
                name::EMBRYOS4 => self.copy_slotted(map, FlowKey4::widen, &kept)?,
                _ => self.copy_slotted(map, |key: &FlowKey| *key, &kept)?,
            }
        }
        Ok(())
    }

    fn copy<K: Pod>(
        &mut self,
        map: &'static str,
        widen: impl Fn(&K) -> FlowKey,
        kept: &[bool],
    ) -> Result<()> {
        let data = MapData::from_pin(self.from.map(map)).map_err(Error::map("open", map))?;
        self.copy_out(map, &data, &widen, kept)
    }

    fn copy_slotted<K: Pod>(
        &mut self,
        map: &'static str,
        widen: impl Fn(&K) -> FlowKey,
        kept: &[bool],
    ) -> Result<()> {
        let info = MapInfo::from_pin(self.from.map(map)).map_err(Error::map("open", map))?;
        let outer = info.fd().map_err(Error::map("open", map))?;
        let inner = inner_maps(outer.as_fd(), 0..info.max_entries());
        let inner = inner.map_err(|error| Error::map("read", map)(error.into()))?;
        for id in inner.into_values() {
            // Its port may just have gone.
            if let Ok(data) = MapData::from_id(id) {
                self.copy_out(map, &data, &widen, kept)?;
            }
        }
        Ok(())
    }

    fn copy_out<K: Pod>(
        &mut self,
        map: &'static str,
        data: &MapData,
        widen: impl Fn(&K) -> FlowKey,
        kept: &[bool],
    ) -> Result<()> {
        let now = self.tables.now();
        let mut done = Ok(());
        let _ = walk(
            map,
            data.fd().as_fd(),
            widen,
            &mut Page::new(),
            &mut |page| {
                let mut page = page
                    .iter()
                    .filter(|(key, _)| kept.get(key.slot() as usize).is_some_and(|kept| *kept));
                done = page.try_for_each(|(key, flow)| self.copy_one(key, flow, now));
                match done {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            },
        )?;
        done
    }

    fn copy_one(&mut self, key: &FlowKey, flow: &Flow, now: Ticks) -> Result<()> {
        let is_assured = flow.word().assured();
        let before = self.carried.get(key).copied();
        if !flow.lives(now) || before.is_some_and(|was_assured| was_assured || !is_assured) {
            return Ok(());
        }
        if before.is_some() && !self.makes_way(key)? {
            self.carried.insert(*key, true);
            return Ok(());
        }
        let added = self.tables.add_somewhere(key, &mut renewed(key, flow));
        match added.map_err(refused)? {
            Added::NoRoom => self.refused += 1,
            Added::Stored | Added::Exists => drop(self.carried.insert(*key, is_assured)),
        }
        Ok(())
    }

    /// Whether what was copied of a connection that is assured by now is out of its way. If our filter has seen it, it
    /// knows more.
    fn makes_way(&self, key: &FlowKey) -> Result<bool> {
        let here = self.tables.find(key).map_err(refused)?;
        match here {
            Some(here) if here.word().assured() => Ok(false),
            Some(_) => self.tables.remove(key).map(|_| true).map_err(refused),
            None => Ok(true),
        }
    }

    /// Of each slot, whether it has the same port in both.
    fn kept_slots(&self) -> Result<Vec<bool>> {
        let (from, to) = (owners(self.from.clone())?, owners(self.to.clone())?);
        let is_kept = |(from, to): (&[u8; 16], &[u8; 16])| from == to && *from != NOBODY;
        Ok(from.iter().zip(&to).map(is_kept).collect())
    }
}

/// A connection as it is copied: it is judged by the rules at its next packet; and what its windows are by then, nobody
/// knows.
fn renewed(key: &FlowKey, flow: &Flow) -> Flow {
    let mut flow = Flow {
        generation: 0,
        ..*flow
    };
    if key.protocol() == protocol::TCP {
        flow.change(|word| {
            word.set_liberal(Side::Original, true);
            word.set_liberal(Side::Reply, true);
        });
    }
    flow
}

fn refused(error: crate::error::Error) -> Error {
    Error::map("write", name::FLOWS4)(std::io::Error::other(error.to_string()).into())
}
