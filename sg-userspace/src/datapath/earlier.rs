//! What an sgd of another layout, or with tables of other sizes, has left.
//!
//! Its pins are set aside, and its filters go on by what they were told until ours take their place, an interface at a
//! time, once its ports are written. Connections are taken along if they have the form of ours: tables of the same
//! sizes are the very same, which both filters work on meanwhile; out of others the connections are copied.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use aya::maps::{Array, MapData, MapInfo};
use bytemuck::Zeroable;
use sg_common::hook::Hook;
use sg_common::layout::maps::{ASSURED, CONNECTIONS, Node, UNPROVEN, name};
use sg_common::layout::port::{Port, PortKey};

use super::carry::Carrier;
use super::claim;
use super::clsact;
use super::error::{Error, Result};
use super::flow_tables::KernelFlows;
use super::held::Held;
use super::object::Wanted;
use super::pins::{Pins, Spot, Way, remove};
use super::port_table::NOBODY;
use super::tables::{Tables, take};
use super::trust;
use crate::plan::Change;

/// Filters of an earlier layout or of other sizes, and what is to be taken along.
pub struct Earlier {
    /// The latest last.
    all: Vec<Pins>,
    held: BTreeMap<Spot, Held>,
    /// The marks of filters, and among which pins they are.
    marked: BTreeMap<(u32, Hook), Pins>,
    /// What copies connections, if they have to be.
    carrier: Option<Carrier>,
}

impl Earlier {
    /// The pins of this layout and of these sizes, which are there or about to be made; and what else there was, set
    /// aside. Filters of a namespace that is gone filter nothing, and their pins are removed.
    ///
    /// # Errors
    ///
    /// [`Error::OtherNamespace`], [`Error::Foreign`], and [`Error::OtherLayout`] for maps that no sgd has made.
    pub fn set_aside(root: &Path, wanted: &Wanted) -> Result<(Pins, Earlier)> {
        trust::check(root)?;
        let ours = Pins::new(root);
        for pins in Pins::all(root)? {
            let is_aside = pins.number().is_some();
            let is_other = pins.directory() != ours.directory();
            if !is_aside && !is_other && !wanted.differs_in_size(&pins)? {
                continue;
            }
            match claim::is_ours(&pins)? {
                false => pins.remove_all()?,
                true if is_aside => {}
                true => drop(pins.set_aside(root)?),
            }
        }
        ours.make_directories()?;
        let mut all = Pins::all(root)?;
        all.retain(|pins| pins.number().is_some());
        all.sort_by_key(Pins::number);
        let earlier = Earlier::of(all)?;
        if claim::wrote(&ours).is_none() {
            earlier.share(&ours, wanted)?;
        }
        Ok((ours, earlier))
    }

    /// The pins of this layout, beside those of another that go on; and whether any of all has a link of XDP. `None`
    /// where there are tables of other sizes, beside which there is no place.
    ///
    /// # Errors
    ///
    /// As of [`Earlier::set_aside`].
    pub fn beside(root: &Path, wanted: &Wanted) -> Result<Option<(Pins, bool)>> {
        trust::check(root)?;
        let ours = Pins::new(root);
        if wanted.differs_in_size(&ours)? {
            return Ok(None);
        }
        let mut all = Pins::all(root)?;
        let mut at_xdp = false;
        for pins in &all {
            claim::is_ours(pins)?;
            at_xdp |= pins.spots()?.any(|spot| spot.way == Way::Xdp);
        }
        ours.make_directories()?;
        if claim::wrote(&ours).is_none() {
            all.retain(|pins| pins.directory() != ours.directory());
            all.sort_by_key(Pins::number);
            Earlier::of(all)?.share(&ours, wanted)?;
        }
        Ok(Some((ours, at_xdp)))
    }

    /// Gives the ports the slots that they had, by which connections are theirs, and goes on counting generations. To
    /// be called on tables that nobody has written.
    ///
    /// # Errors
    ///
    /// [`Error::Map`]
    pub fn recall(&self, tables: &mut Tables) -> Result<()> {
        let Some((pins, node)) = self.source() else {
            return Ok(());
        };
        let owners = owners(pins)?;
        let mut next_generation = node.next_generation;
        let mut key = None;
        let slots = (1..tables.slot_count()).zip(owners.into_iter().skip(1));
        for (slot, uuid) in slots.filter(|(_, uuid)| *uuid != NOBODY) {
            let Some(parked) = PortKey::parked(key) else {
                break;
            };
            key = Some(parked);
            let port = Port {
                key: parked,
                slot,
                generation: next_generation,
                uuid,
                ..Port::zeroed()
            };
            next_generation += 1;
            tables.write(&Change::Port(parked, Some(port)))?;
        }
        let node = tables.node()?;
        tables.set_node(Node {
            next_generation,
            ..node
        })
    }

    /// Copies the connections out of tables that are not ours as well, as far as they can have a place now.
    ///
    /// # Errors
    ///
    /// [`Error::Map`]
    pub fn bring(&mut self, ours: &Pins, flows: &Arc<KernelFlows>) -> Result<()> {
        let Some((pins, _)) = self.source() else {
            return Ok(());
        };
        self.carrier = Carrier::between(pins, ours, flows)?;
        self.carrier.iter_mut().for_each(Carrier::carry);
        Ok(())
    }

    /// The interfaces that are filtered by it.
    pub fn interfaces(&self) -> impl Iterator<Item = u32> {
        let held = self.held.keys().map(|spot| spot.ifindex);
        held.chain(self.marked.keys().map(|(ifindex, _)| *ifindex))
    }

    /// Its links.
    pub fn links(&self) -> impl Iterator<Item = (&Spot, &Held)> {
        self.held.iter()
    }

    /// Its links on interfaces that are in another namespace, with the names that these had here.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`]
    pub fn away(&self) -> Result<Vec<(String, Held)>> {
        let mut away = Vec::new();
        for pins in &self.all {
            away.extend(pins.away()?);
        }
        Ok(away)
    }

    /// Gives a link away.
    pub fn take_link(&mut self, spot: Spot) -> Option<Held> {
        self.held.remove(&spot)
    }

    /// Gives the filters of an interface away. What was opened until now is in our tables before.
    pub fn take(&mut self, ifindex: u32) -> Taken {
        if let Some(carrier) = &mut self.carrier
            && carrier.is_due()
        {
            carrier.carry();
        }
        let is_here = |spot: &Spot| spot.ifindex == ifindex;
        let spots: Vec<_> = self.held.keys().copied().filter(is_here).collect();
        let take = |spot| Some((spot, self.held.remove(&spot)?));
        let links = spots.into_iter().filter_map(take).collect();
        let hooks = Hook::ALL.into_iter();
        let take = |hook| Some((hook, self.marked.remove(&(ifindex, hook))?));
        let marks = hooks.filter_map(take).collect();
        Taken { links, marks }
    }

    /// Forgets an interface that is gone.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`]
    pub fn forget(&mut self, ifindex: u32) -> Result<()> {
        let Taken { links, marks } = self.take(ifindex);
        links.iter().try_for_each(|(_, held)| held.unpin())?;
        marks
            .into_iter()
            .try_for_each(|(hook, pins)| remove(&clsact::marker(&pins, ifindex, hook)))
    }

    /// Ends it, if nothing is filtered by it any more, beside everything else: what was opened last is copied, then
    /// the pins go.
    pub fn end(&mut self) {
        if self.all.is_empty() || !self.held.is_empty() || !self.marked.is_empty() {
            return;
        }
        let (all, carrier) = (std::mem::take(&mut self.all), self.carrier.take());
        let end = move || {
            if let Some(mut carrier) = carrier {
                carrier.carry();
                carrier.tell();
            }
            for pins in all {
                match pins.remove_all() {
                    Ok(()) => tracing::info!(
                        "what was before is over: {} is removed",
                        pins.directory().display()
                    ),
                    Err(error) => tracing::warn!("{error}"),
                }
            }
        };
        if let Err(error) = thread::Builder::new().name("earlier".into()).spawn(end) {
            tracing::warn!("what was before stays pinned: {error}");
        }
    }

    /// What is attached by these.
    fn of(all: Vec<Pins>) -> Result<Self> {
        let (mut held, mut marked) = (BTreeMap::new(), BTreeMap::new());
        for pins in &all {
            held.extend(pins.held()?);
            let filters = pins.marked()?.into_iter();
            marked.extend(filters.map(|at| (at, pins.clone())));
        }
        Ok(Self {
            all,
            held,
            marked,
            carrier: None,
        })
    }

    /// Where connections are that have the form of ours.
    fn source(&self) -> Option<(Pins, Node)> {
        let mut all = self.all.iter().rev();
        let (pins, node) = all.find_map(|pins| Some((pins, claim::wrote(pins)?)))?;
        (node.connections == CONNECTIONS).then(|| (pins.clone(), node))
    }

    /// Pins the maps of connections that are as ours would be among ours.
    fn share(&self, ours: &Pins, wanted: &Wanted) -> Result<()> {
        let Some((source, _)) = self.source() else {
            if !self.all.is_empty() {
                tracing::warn!(
                    "connections are not taken along: what has tracked them gave them another form"
                );
            }
            return Ok(());
        };
        let sets: [&[&'static str]; 4] = [&ASSURED, &UNPROVEN, &[name::OWNERS], &[name::COUNTERS]];
        let is_same =
            |map: &&'static str| source.map(map).exists() && wanted.check(&source, map).is_ok();
        for set in sets.into_iter().filter(|set| set.iter().all(is_same)) {
            for map in set {
                let found = Held::open(source.map(map))
                    .map_err(Error::directory("open", &source.map(map)))?;
                found.also_at(ours.map(map))?;
            }
        }
        Ok(())
    }
}

/// What was attached to an interface.
pub struct Taken {
    /// Links, with their pins.
    pub links: Vec<(Spot, Held)>,
    /// Marked filters of clsact, and among which pins their marks are.
    pub marks: Vec<(Hook, Pins)>,
}

/// The UUIDs of the ports that have the slots; [`NOBODY`] where there is none.
///
/// # Errors
///
/// [`Error::Map`]
pub fn owners(mut pins: Pins) -> Result<Vec<[u8; 16]>> {
    let owners: Array<MapData, [u8; 16]> = take(&mut pins, name::OWNERS)?;
    let all: std::result::Result<_, _> = owners.iter().collect();
    all.map_err(Error::map("read", name::OWNERS))
}

/// Whether a map is the same one in both.
pub fn is_shared(one: &Pins, other: &Pins, map: &str) -> bool {
    let id = |pins: &Pins| MapInfo::from_pin(pins.map(map)).ok().map(|info| info.id());
    let (one, other) = (id(one), id(other));
    one.is_some() && one == other
}
