//! What became of all that was attached, as the kernel says it.

use std::collections::BTreeMap;

use sg_common::hook::Hook;

use super::attached::{Here, attached};
use super::error::{Error, Result};
use super::links::{Links, is_gone, tc, tell};
use super::order::{self, Place, Running};
use super::pins::{Spot, Way};
use super::place::interface;
use super::programs::Role;
use super::{clsact, qdiscs, tcx};
use crate::agent::{Attachment, Hanging, Hooked, Look, Trouble};
use crate::metrics::ProgramTime;

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
                let ours = self.programs.id(Role::Filter(hook))?;
                let order = order::at(ifindex, hook, has_filters(&qdiscs, ifindex, hook));
                let order = order.unwrap_or_default();
                let others = filters_of_others(&order, ours, hook);
                look.troubles.extend(others.map(|other| (ifindex, other)));
                let place = self.place(ifindex, hook, &order)?;
                if let Place::Behind(other) = &place {
                    let other = other.other(hook);
                    look.troubles.push((ifindex, Trouble::NotFirst { other }));
                }
                places.push(place);
            }
            look.attached.insert(ifindex, Place::attachment(&places));
            look.modes.insert(ifindex, self.mode(ifindex));
            let refused = self.refused.get(&ifindex).cloned();
            look.troubles
                .extend(refused.map(|trouble| (ifindex, trouble)));
        }
        for ifindex in self.earlier.interfaces() {
            let attachment = match is_gone(ifindex) {
                true => Attachment::Gone,
                false => Attachment::Earlier,
            };
            look.attached.insert(ifindex, attachment);
        }
        self.earlier.end();
        for (ifindex, moved) in self.away.troubles() {
            if is_gone(ifindex) {
                look.attached.insert(ifindex, Attachment::Moved);
            }
            look.troubles.push((ifindex, moved));
        }
        Ok(look)
    }

    /// What the kernel counts of the programs.
    pub fn program_times(&self) -> Vec<ProgramTime> {
        let counts = self.programs.infos().map(|(name, info)| ProgramTime {
            name: name.into(),
            runs: info.run_count(),
            time: info.run_time(),
        });
        counts.filter(|one| one.runs > 0).collect()
    }

    /// The programs of ours that are at an interface, and how they hang there.
    pub fn hooks(&self, ifindex: u32) -> Vec<Hooked> {
        let at = |spot: Spot| {
            let Spot { hook, way, .. } = spot;
            let role = match way {
                Way::Xdp => self.role_at_xdp(ifindex)?,
                Way::Tcx | Way::Clsact => Role::Filter(hook),
            };
            let info = self.programs.info(role).ok()?;
            Some(Hooked {
                hook,
                program: info.id(),
                name: info.name_as_str().unwrap_or_default().into(),
                tag: info.tag(),
                by: self.hanging(spot, info.id())?,
            })
        };
        let at_tc = Hook::ALL.map(|hook| (ifindex, hook)).map(tc);
        let all = [Spot::xdp(ifindex)].into_iter().chain(at_tc);
        all.filter_map(at).collect()
    }

    /// Tells the links of interfaces that were moved to another namespace from those of this one, and takes
    /// back those that have returned.
    fn settle(&mut self) {
        let here = Here::default();
        let is_elsewhere = |held| attached(held).is_some_and(|link| !here.has(&link));
        let elsewhere = self.held.iter().filter(|(_, held)| is_elsewhere(*held));
        let elsewhere: Vec<_> = elsewhere.map(|(at, _)| *at).collect();
        for spot in elsewhere {
            let Some(held) = self.held.remove(&spot) else {
                continue;
            };
            let Spot { ifindex, hook, way } = spot;
            // The tables know an interface by its number, which may there be another one's here.
            let closed = self.programs.fd(Role::closed(way));
            tell(closed.and_then(|closed| tcx::replace(&held, closed, ifindex, hook)));
            let name = self.names.get(&ifindex).cloned().unwrap_or_default();
            self.away.take(&self.pins, Some(ifindex), name, held);
        }
        for (spot, mut held) in self.away.returned(&here) {
            if spot.way == Way::Xdp {
                tell(self.programs.load_xdp());
            }
            let ours = self.programs.fd(Role::filter(spot.hook, spot.way));
            tell(ours.and_then(|ours| tcx::replace(&held, ours, spot.ifindex, spot.hook)));
            tell(held.move_to(self.pins.link(spot)));
            self.held.insert(spot, held);
        }
        let here = self.interfaces();
        self.names.retain(|ifindex, _| here.contains(ifindex));
    }

    fn hanging(&self, spot: Spot, program: u32) -> Option<Hanging> {
        let Spot { ifindex, hook, way } = spot;
        if way == Way::Tcx && self.marked.contains(&(ifindex, hook)) {
            return clsact::hanging(ifindex, hook, program);
        }
        let held = self.held.get(&spot)?;
        let here = Here::default();
        let link = attached(held).filter(|link| here.has(link))?.id;
        let pin = held.path().into();
        match way {
            Way::Xdp => {
                let native = here.at_xdp(ifindex).is_some_and(|running| running.native);
                Some(Hanging::Xdp { link, pin, native })
            }
            _ => Some(Hanging::Tcx { link, pin }),
        }
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
