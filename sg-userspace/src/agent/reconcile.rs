//! From what should be to what is.

use std::collections::BTreeSet;

use super::{
    Agent, Attachment, Look, Trouble, Troubles,
    enforce::{Enforced, Places},
    lookup,
    work::Attached,
};
use crate::{
    error::Result,
    model::{PortId, Security, Touched},
    netlink::Link,
};

/// Why the filters are tended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// It is time.
    Clock,
    /// Something has happened.
    News,
}

impl Agent {
    /// Closes; what is to be enforced is due then, and what is to be forgotten after that: an interface is
    /// never open in between, unless it was so before (see [`super::standing`]).
    ///
    /// # Errors
    ///
    /// It is not known what is attached, and nothing can be written.
    pub(super) fn reconcile(&mut self) -> Result<()> {
        if !self.desired.is_known() {
            return Ok(());
        }
        match self.close_interfaces(Occasion::News) {
            Ok(attached) => {
                self.places_are_due(attached);
                Ok(())
            }
            Err(error) => {
                self.due.anew = true;
                let failed = self.note_enforced(Err(error));
                self.look();
                failed.map(drop)
            }
        }
    }

    /// As [`Agent::reconcile`], for what has changed in the inventory, which reaches no further. Where no port
    /// has come, gone or changed, the interfaces are what they were.
    pub(super) fn reconcile_touched(&mut self, touched: Touched) -> Result<()> {
        self.enforced.reached.clear();
        let is_about_ports = !touched.ports.is_empty() || self.failures.enforce.is_some();
        self.due.enforce |= !touched.is_empty() && self.desired.is_known();
        self.due.touched.extend(touched);
        match is_about_ports {
            true => self.reconcile(),
            false => Ok(()),
        }
    }

    pub(super) fn places_are_due(&mut self, attached: Attached) {
        self.places = self.places(&attached);
        if self.standing.adopts() {
            self.due.adopt = self.standing_ports().collect();
        }
        self.due.attached = Some(attached);
        self.due.enforce = true;
    }

    pub(super) fn note_enforced(&mut self, enforced: Result<Enforced>) -> Result<usize> {
        match enforced {
            Ok(enforced) => {
                self.failures.enforce = None;
                self.applies.observe(enforced.took.as_secs_f64());
                self.enforced = enforced;
                if let Some(logs) = &self.logs {
                    logs.ports_are_here(self.enforced.places.keys().copied());
                }
                self.pause.reset();
                Ok(self.enforced.changes)
            }
            Err(error) => {
                tracing::error!("the kernel does not hold the whole inventory: {error}");
                self.failures.enforce = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Puts filters back where they are not, or not first; what now can be written is due.
    pub(super) fn tend(&mut self, occasion: Occasion) -> Result<()> {
        if !self.desired.is_known() {
            return Ok(());
        }
        let attached = self.close_interfaces(occasion);
        let is_written = |(port, ifindex): (&PortId, &u32)| {
            self.enforced.closed.contains(port) || self.enforced.places.get(port) == Some(ifindex)
        };
        let places = attached.as_ref().map(|attached| self.places(attached));
        let is_all_written = places.is_ok_and(|places| places.iter().all(is_written));
        self.look();
        // What the kernel has refused waits for its turn.
        if !is_all_written && self.failures.enforce.is_none() {
            self.places_are_due(attached?);
            return Ok(());
        }
        attached.map(drop)
    }

    /// Attaches to the interface of every port of the inventory, also of those that are closed; and puts
    /// back, and before all others, what somebody has taken off or got before, also where the port has left
    /// the inventory.
    pub(super) fn close_interfaces(&mut self, occasion: Occasion) -> Result<Attached> {
        use Attachment::{Behind, Earlier, Gone, InForce, Lost, Moved};
        let look = self.datapath.look()?;
        self.tell_pins(&look);
        self.release_unfiltered(&look);
        // What cannot be asked is told by `look`; what was judged at XDP stays there.
        let readers = self.datapath.readers();
        let mut attached = look.attached;
        let mut troubles = Troubles::default();
        let is_lost =
            |link: &Link| matches!(attached.get(&link.ifindex), Some(Lost | Behind | Earlier));
        let lost = self.links.all().filter(|link| is_lost(link));
        let links: BTreeSet<_> = lost.chain(self.wanted_links()).cloned().collect();
        for link in links {
            if self.stands(&link) {
                continue;
            }
            self.standing.leave(link.ifindex);
            let before = attached.get(&link.ifindex).copied();
            let is = look.modes.get(&link.ifindex).copied();
            let mode = match (&readers, is) {
                (Ok(readers), _) => self.wanted_mode(&link, readers),
                (Err(_), Some(is)) => is,
                (Err(_), None) => self.wanted_mode(&link, &[]),
            };
            let is_settled = before == Some(InForce) && is == Some(mode);
            if is_settled || matches!(before, Some(Gone | Moved)) {
                continue;
            }
            let contested = self.contests.is_on(link.ifindex);
            if contested && before.is_some() && occasion == Occasion::News {
                continue;
            }
            match self.datapath.attach(&link, mode) {
                Ok(now) => {
                    attached.insert(link.ifindex, now);
                    // Behind a program that it cannot get before, it stays there.
                    if before != Some(now) {
                        self.tell_attached(&link, before);
                    }
                }
                // It may have gone meanwhile; then the next look does not find it.
                Err(trouble) => troubles.insert(link.ifindex, trouble),
            }
        }
        for ifindex in attached.keys().filter(|at| self.contests.is_on(**at)) {
            troubles.insert(*ifindex, Trouble::Contended);
        }
        self.tell_troubles(&self.troubles, &troubles);
        self.troubles = troubles;
        Ok(attached)
    }

    /// Takes the filters off interfaces that were moved to another namespace and that the inventory does not
    /// want filtered: so Open vSwitch's ports of DHCP servers get to where they work.
    fn release_unfiltered(&mut self, look: &Look) {
        for (_, trouble) in &look.troubles {
            let Trouble::Moved { interface, .. } = trouble else {
                continue;
            };
            let ports = lookup::all(&self.desired.inventory);
            let ports =
                ports.filter(|port| port.interface().is_some_and(|at| at.as_str() == interface));
            let unfiltered = ports.map(|port| {
                port.read()
                    .is_some_and(|port| port.security != Security::Filtered)
            });
            let unfiltered: Vec<_> = unfiltered.collect();
            if unfiltered.is_empty() || unfiltered.contains(&false) {
                continue;
            }
            match self.datapath.release(interface) {
                Ok(()) => tracing::info!(
                    interface,
                    "it is in another network namespace and its port is unfiltered: the filter was taken off"
                ),
                Err(error) => tracing::warn!(interface, "cannot take the filter off: {error}"),
            }
        }
    }

    fn wanted_links(&self) -> impl Iterator<Item = &Link> {
        let inventory = &self.desired.inventory;
        let links = self.links.all();
        links.filter(|link| inventory.has_interface(&link.name))
    }

    /// Where the open ports are. A port whose interface has no program is not enforced, and so has
    /// no place, unless it is written before it gets one.
    pub(super) fn places(&self, attached: &Attached) -> Places {
        let is_filtered = |link: &&Link| {
            let there = attached.get(&link.ifindex);
            matches!(there, Some(Attachment::InForce | Attachment::Behind))
                || self.standing.has(link)
        };
        let links = self.links.all().filter(is_filtered);
        let places = links.flat_map(|link| {
            let ports = self.desired.inventory.ports_at(&link.name);
            ports.map(|port| (port.id, link.ifindex))
        });
        places.collect()
    }

    /// Gives up interfaces that are gone. One that is there but whose port left the inventory
    /// stays attached, and so is closed: a shortened inventory must not open anything.
    pub(super) fn forget_interfaces(&mut self, attached: &Attached) {
        // What netlink says is not enough: an interface that was moved away lives on.
        let is_gone = |(_, attachment): &(&u32, &Attachment)| **attachment == Attachment::Gone;
        for (ifindex, _) in attached.iter().filter(is_gone) {
            match self.datapath.forget(*ifindex) {
                Ok(()) => tracing::info!(ifindex, "the interface is gone"),
                Err(error) => tracing::warn!(ifindex, "cannot forget an interface: {error}"),
            }
        }
    }
}
