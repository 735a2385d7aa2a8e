//! What became of all that was attached, as the kernel says it.

use std::collections::BTreeMap;

use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::links::{Links, is_gone, tell};
use super::order::{self, Place, Running};
use super::pins::Way;
use super::place::interface;
use super::{clsact, qdiscs, tcx};
use crate::agent::{Attachment, Hanging, Hooked, Look, Trouble};

impl Links {
    /// What became of the interfaces that we have attached to.
    ///
    /// # Errors
    ///
    /// The kernel cannot be asked.
    pub fn look(&mut self) -> Result<Look> {
        self.settle();
        let qdiscs = qdiscs::all().map_err(Error::Attached)?;
        let mut look = Look::default();
        for ifindex in self.interfaces() {
            let Ok(name) = interface(ifindex) else {
                look.attached.insert(ifindex, Attachment::Gone);
                continue;
            };
            self.names.insert(ifindex, name);
            let mut places = Vec::new();
            for hook in Hook::ALL {
                let ours = self.programs.id(hook)?;
                let order = order::at(ifindex, hook, has_filters(&qdiscs, ifindex, hook));
                let order = order.unwrap_or_default();
                let others = filters_of_others(&order, ours, hook);
                look.troubles.extend(others.map(|other| (ifindex, other)));
                let place = Place::of(ours, &order);
                if let Place::Behind(other) = &place {
                    let other = other.other(hook);
                    look.troubles.push((ifindex, Trouble::NotFirst { other }));
                }
                places.push(place);
            }
            look.attached.insert(ifindex, Place::attachment(&places));
        }
        for (ifindex, moved) in self.away.troubles() {
            if is_gone(ifindex) {
                look.attached.insert(ifindex, Attachment::Moved);
            }
            look.troubles.push((ifindex, moved));
        }
        Ok(look)
    }

    /// The programs of ours that are at an interface, and how they hang there.
    pub fn hooks(&self, ifindex: u32) -> Vec<Hooked> {
        let at = |hook: Hook| {
            let info = self.programs.filter(hook).ok()?.info().ok()?;
            Some(Hooked {
                hook,
                program: info.id(),
                name: info.name_as_str().unwrap_or_default().into(),
                tag: info.tag(),
                by: self.hanging(ifindex, hook, info.id())?,
            })
        };
        Hook::ALL.into_iter().filter_map(at).collect()
    }

    /// Tells the links of interfaces that were moved to another namespace from those of this one, and takes
    /// back those that have returned.
    fn settle(&mut self) {
        let is_elsewhere = |held| tcx::attached(held).is_some_and(|link| !tcx::is_here(&link));
        let elsewhere = self.held.iter().filter(|(_, held)| is_elsewhere(*held));
        let elsewhere: Vec<_> = elsewhere.map(|(at, _)| *at).collect();
        for (ifindex, hook) in elsewhere {
            let Some(held) = self.held.remove(&(ifindex, hook)) else {
                continue;
            };
            // The tables know an interface by its number, which may there be another one's here.
            let closed = self.programs.closed();
            tell(closed.and_then(|closed| tcx::replace(&held, closed, ifindex, hook)));
            let name = self.names.get(&ifindex).cloned().unwrap_or_default();
            self.away.take(&self.pins, Some(ifindex), name, held);
        }
        for (ifindex, hook, mut held) in self.away.returned() {
            let ours = self.programs.filter(hook);
            tell(ours.and_then(|ours| tcx::replace(&held, ours, ifindex, hook)));
            tell(held.move_to(self.pins.link(ifindex, hook, Way::Tcx)));
            self.held.insert((ifindex, hook), held);
        }
        let here = self.interfaces();
        self.names.retain(|ifindex, _| here.contains(ifindex));
    }

    fn hanging(&self, ifindex: u32, hook: Hook, program: u32) -> Option<Hanging> {
        if self.marked.contains(&(ifindex, hook)) {
            return clsact::hanging(ifindex, hook, program);
        }
        let held = self.held.get(&(ifindex, hook))?;
        let link = tcx::attached(held).filter(tcx::is_here)?.id;
        let pin = held.path().into();
        Some(Hanging::Tcx { link, pin })
    }
}

/// Whether an interface has filters that are asked at a hook.
fn has_filters(qdiscs: &BTreeMap<u32, String>, ifindex: u32, hook: Hook) -> bool {
    match qdiscs.get(&ifindex).map(String::as_str) {
        None => false,
        // It lists the same filters for both hooks, and asks them at one.
        Some(qdiscs::INGRESS) => hook == Hook::FromVm,
        Some(_) => true,
    }
}

/// Filters that are named as ours and are not.
fn filters_of_others(
    order: &[Running],
    ours: u32,
    hook: Hook,
) -> impl Iterator<Item = Trouble> + '_ {
    let others = order.iter().filter(move |one| one.program != ours);
    let others = others.filter(move |one| one.is_named(hook));
    others.map(move |one| Trouble::OtherFilter {
        other: one.other(hook),
    })
}
