//! From what should be to what is.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Agent, Attachment, Troubles,
    enforce::{Enforced, Places},
};
use crate::{
    error::Result,
    model::{Interface, PortId},
    netlink::Link,
};

/// Interfaces that were attached to, and what became of it.
type Attached = BTreeMap<u32, Attachment>;

impl Agent {
    /// First closes, then enforces, then forgets: an interface is never open in between.
    pub(super) fn reconcile(&mut self) -> Result<usize> {
        self.reconcile_expecting(None)
    }

    /// As [`Agent::reconcile`], and gives a port a slot even if it has no interface.
    pub(super) fn reconcile_expecting(&mut self, port: Option<PortId>) -> Result<usize> {
        if self.desired.document.is_none() {
            return Ok(0);
        }
        let done = match self.enforce(port) {
            Ok(enforced) => {
                self.failures.enforce = None;
                self.enforced = enforced;
                if !self.troubles.is_refused_anywhere() {
                    self.pause.reset();
                }
                Ok(self.enforced.changes)
            }
            Err(error) => {
                tracing::error!("the kernel does not hold the whole inventory: {error}");
                self.failures.enforce = Some(error.to_string());
                Err(error)
            }
        };
        self.look();
        done
    }

    fn enforce(&mut self, expected: Option<PortId>) -> Result<Enforced> {
        let attached = self.close_interfaces()?;
        let places = self.places(&attached);
        let inventory = &self.desired.inventory;
        let enforced = self
            .tables
            .enforce(&mut *self.datapath, inventory, &places, expected);
        self.forget_interfaces(&attached);
        enforced
    }

    /// Attaches to the interface of every port of the inventory, also of those that are closed; and puts
    /// back what somebody has taken off, also where the port has left the inventory.
    pub(super) fn close_interfaces(&mut self) -> Result<Attached> {
        let mut attached = self.datapath.attached()?;
        let mut troubles = Troubles::default();
        let is_lost = |link: &Link| attached.get(&link.ifindex) == Some(&Attachment::Lost);
        let lost = self.links.all().filter(|link| is_lost(link));
        let links: BTreeSet<_> = lost.chain(self.wanted_links()).cloned().collect();
        for link in links {
            let before = attached.get(&link.ifindex).copied();
            if matches!(before, Some(Attachment::InForce | Attachment::Gone)) {
                continue;
            }
            match self.datapath.attach(&link) {
                Ok(()) => {
                    attached.insert(link.ifindex, Attachment::InForce);
                    self.tell_attached(&link, before.is_some());
                }
                // It may have gone meanwhile; then the next look does not find it.
                Err(trouble) => troubles.insert(link.ifindex, trouble),
            }
        }
        self.tell_troubles(&self.troubles, &troubles);
        self.troubles = troubles;
        Ok(attached)
    }

    /// Logs the troubles that are new and those that are over.
    pub(super) fn tell_troubles(&self, before: &Troubles, now: &Troubles) {
        let interface = |ifindex| self.interface_name(ifindex);
        for (ifindex, trouble) in now.since(before) {
            let (interface, kind) = (interface(ifindex), trouble.as_str());
            let (problem, remedy) = (trouble.problem(), trouble.remedy());
            match trouble.opens() {
                true => tracing::error!(kind, ifindex, "{interface} {problem}. {remedy}"),
                false => tracing::warn!(kind, ifindex, "{interface} {problem}. {remedy}"),
            }
        }
        for (ifindex, trouble) in before.since(now) {
            let (interface, kind) = (interface(ifindex), trouble.as_str());
            tracing::info!(interface, ifindex, kind, "this trouble is over");
        }
    }

    fn tell_attached(&mut self, link: &Link, was_lost: bool) {
        let (interface, ifindex) = (&link.name, link.ifindex);
        if was_lost {
            self.restored += 1;
            tracing::warn!(
                interface,
                ifindex,
                "the filter was gone and is back; until now the interface was open: find out who took it off"
            );
        } else {
            tracing::info!(interface, ifindex, "attached");
        }
    }

    fn wanted_links(&self) -> impl Iterator<Item = &Link> {
        let interfaces = self.desired.inventory.interfaces().map(Interface::as_str);
        interfaces.filter_map(|name| self.links.get(self.ifindex(name)?))
    }

    /// Where the open ports are. A port whose interface has no program is not enforced, and so has
    /// no place.
    fn places(&self, attached: &Attached) -> Places {
        let ports = self.desired.inventory.ports.values();
        let places =
            ports.filter_map(|port| Some((port.id, self.ifindex(port.interface.as_str())?)));
        places
            .filter(|(_, ifindex)| attached.get(ifindex) == Some(&Attachment::InForce))
            .collect()
    }

    /// Gives up interfaces that are gone. One that is there but whose port left the inventory
    /// stays attached, and so is closed: a shortened inventory must not open anything.
    fn forget_interfaces(&mut self, attached: &Attached) {
        let is_gone = |(ifindex, attachment): &(&u32, &Attachment)| {
            **attachment == Attachment::Gone || self.links.name(**ifindex).is_none()
        };
        for (ifindex, _) in attached.iter().filter(is_gone) {
            match self.datapath.detach(*ifindex) {
                Ok(()) => tracing::info!(ifindex, "the interface is gone"),
                Err(error) => tracing::warn!(ifindex, "cannot forget an interface: {error}"),
            }
        }
    }
}
