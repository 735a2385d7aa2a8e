//! Links on interfaces that were moved to another network namespace. They go on filtering there, and are
//! kept until they have nothing to filter, or their interface is back.

use std::collections::BTreeMap;

use super::attached::{Here, attached};
use super::error::Result;
use super::held::Held;
use super::links::tell;
use super::pins::{Pins, Spot};
use super::sys;
use crate::agent::Trouble;

/// The links by their numbers: those of interfaces say nothing once they are in another namespace.
#[derive(Default)]
pub struct Away(BTreeMap<u32, Link>);

struct Link {
    held: Held,
    /// The number of its interface when it was here; its own, if only a former process knew.
    ifindex: u32,
    /// The name that it had here; empty if nobody has kept it.
    interface: String,
}

impl Away {
    /// What a former process has left.
    ///
    /// # Errors
    ///
    /// The pins cannot be read.
    pub fn open(pins: &Pins) -> Result<Away> {
        let mut away = Away::default();
        for (interface, held) in pins.away()? {
            away.take(pins, None, interface, held);
        }
        Ok(away)
    }

    /// Keeps a link whose interface has left, of this name and, unless only a former process knew it, number.
    /// One that is attached to nothing ends.
    pub fn take(&mut self, pins: &Pins, left: Option<u32>, interface: String, mut held: Held) {
        let Some(at) = attached(&held) else {
            return tell(held.unpin());
        };
        tell(held.move_to(pins.link_away(at.id, &interface)));
        let link = Link {
            held,
            ifindex: left.unwrap_or(at.spot.ifindex),
            interface,
        };
        self.0.insert(at.id, link);
    }

    /// Gives back the links whose interfaces are here again, and under which number; ends those that are
    /// attached to nothing any more.
    pub fn returned(&mut self, here: &Here) -> Vec<(Spot, Held)> {
        let mut returned = Vec::new();
        for (id, link) in std::mem::take(&mut self.0) {
            match attached(&link.held) {
                None => tell(link.held.unpin()),
                Some(at) if here.has(&at) => returned.push((at.spot, link.held)),
                Some(_) => drop(self.0.insert(id, link)),
            }
        }
        returned
    }

    /// Takes the programs off the interface that had this name here.
    ///
    /// # Errors
    ///
    /// A pin cannot be removed.
    pub fn release(&mut self, interface: &str) -> Result<()> {
        let all = std::mem::take(&mut self.0).into_iter();
        let (released, kept): (BTreeMap<_, _>, _) =
            all.partition(|(_, link)| link.interface == interface);
        self.0 = kept;
        // One that is attached to nothing by now needs no more.
        released.into_values().try_for_each(|link| {
            let _ = sys::detach_link(&link.held);
            link.held.unpin()
        })
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Held> {
        self.0.values().map(|link| &link.held)
    }

    /// The interfaces that left, by the numbers that they had here.
    pub fn troubles(&self) -> impl Iterator<Item = (u32, Trouble)> + use<> {
        let mut interfaces = BTreeMap::<_, Vec<_>>::new();
        for (id, link) in &self.0 {
            let interface = (link.ifindex, link.interface.clone());
            interfaces.entry(interface).or_default().push(*id);
        }
        let moved = |interface, links| Trouble::Moved { interface, links };
        let all = interfaces.into_iter();
        all.map(move |((ifindex, name), links)| (ifindex, moved(name, links)))
    }
}
