//! Links on interfaces that were moved to another network namespace. They go on filtering there, and are
//! kept until they have nothing to filter, or their interface is back.

use std::collections::BTreeMap;

use sg_common::hook::Hook;

use super::error::Result;
use super::held::Held;
use super::pins::Pins;
use super::tcx;

/// The links by their numbers: those of interfaces say nothing once they are in another namespace.
#[derive(Default)]
pub struct Away(BTreeMap<u32, Link>);

struct Link {
    held: Held,
    hook: Hook,
    /// The number of its interface when it was here; its own, if only a former process knew.
    ifindex: u32,
    /// The name that it had here; empty if only a former process knew.
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
        for held in pins.away()? {
            away.take(pins, None, held);
        }
        Ok(away)
    }

    /// Keeps a link whose interface has left, of this number and name. One that is attached to nothing ends.
    pub fn take(&mut self, pins: &Pins, left: Option<(u32, String)>, mut held: Held) {
        let Some(link) = tcx::attached(&held) else {
            let _ = held.unpin();
            return;
        };
        if let Err(error) = held.move_to(pins.link_away(link.id)) {
            tracing::warn!("{error}; it is tried again");
        }
        let (ifindex, interface) = left.unwrap_or((link.ifindex, String::new()));
        let (id, hook) = (link.id, link.hook);
        self.0.insert(
            id,
            Link {
                held,
                hook,
                ifindex,
                interface,
            },
        );
    }

    /// Gives back the links whose interfaces are here again, and under which number; ends those that are
    /// attached to nothing any more.
    pub fn returned(&mut self) -> Vec<(u32, Hook, Held)> {
        let mut returned = Vec::new();
        for (id, link) in std::mem::take(&mut self.0) {
            match tcx::attached(&link.held) {
                None => drop(link.held.unpin()),
                Some(at) if tcx::is_here(&at) => returned.push((at.ifindex, at.hook, link.held)),
                Some(_) => drop(self.0.insert(id, link)),
            }
        }
        returned
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Held> {
        self.0.values().map(|link| &link.held)
    }

    /// All of them, with the numbers that their interfaces had here, and their hooks.
    pub fn links(&self) -> impl Iterator<Item = (u32, Hook, &Held)> {
        let links = self.0.values();
        links.map(|link| (link.ifindex, link.hook, &link.held))
    }

    /// The interfaces that left: the numbers and names that they had here.
    pub fn interfaces(&self) -> impl Iterator<Item = (u32, String)> + '_ {
        let links = self.0.values();
        links.map(|link| (link.ifindex, link.interface.clone()))
    }
}
