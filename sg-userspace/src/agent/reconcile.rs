//! From what should be to what is.

use std::collections::BTreeSet;

use super::{Agent, enforce::Places};
use crate::{error::Result, model::Interface, netlink::Link};

impl Agent {
    /// First closes, then enforces, then forgets: an interface is never open in between.
    pub(super) fn reconcile(&mut self) -> Result<usize> {
        if self.desired.document.is_none() {
            return Ok(0);
        }
        let attached = self.close_interfaces()?;
        let places = self.places(&attached);
        let enforced = self
            .tables
            .enforce(&mut *self.datapath, &self.desired.inventory, &places);
        self.forget_interfaces(&attached);
        match enforced {
            Ok(enforced) => {
                self.trouble.enforce = None;
                self.enforced = enforced;
                Ok(self.enforced.changes)
            }
            Err(error) => {
                tracing::error!("the kernel does not hold the whole inventory: {error}");
                self.trouble.enforce = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// Attaches to the interface of every port of the inventory, also of those that are closed.
    fn close_interfaces(&mut self) -> Result<BTreeSet<u32>> {
        let mut attached = self.datapath.attached()?;
        self.trouble.attach.clear();
        for link in self.wanted_links() {
            if attached.contains(&link.ifindex) {
                continue;
            }
            match self.datapath.attach(&link) {
                Ok(()) => {
                    tracing::info!(interface = link.name, ifindex = link.ifindex, "attached");
                    attached.insert(link.ifindex);
                }
                // It may have gone meanwhile. If not, the next try says so again.
                Err(error) => {
                    tracing::error!("interface {} is not filtered: {error}", link.name);
                    self.trouble.attach.insert(link.ifindex, error.to_string());
                }
            }
        }
        Ok(attached)
    }

    fn wanted_links(&self) -> Vec<Link> {
        let names: BTreeSet<_> = self
            .desired
            .inventory
            .interfaces()
            .map(Interface::as_str)
            .collect();
        let wanted = self
            .links
            .iter()
            .filter(|(_, name)| names.contains(name.as_str()));
        wanted
            .map(|(ifindex, name)| Link {
                ifindex: *ifindex,
                name: name.clone(),
            })
            .collect()
    }

    /// Where the open ports are. A port whose interface has no program is not enforced, and so has
    /// no place.
    fn places(&self, attached: &BTreeSet<u32>) -> Places {
        let ports = self.desired.inventory.ports.values();
        let places =
            ports.filter_map(|port| Some((port.id, self.ifindex(port.interface.as_str())?)));
        places
            .filter(|(_, ifindex)| attached.contains(ifindex))
            .collect()
    }

    /// Gives up interfaces that are gone. One that is there but whose port left the inventory
    /// stays attached, and so is closed: a shortened inventory must not open anything.
    fn forget_interfaces(&mut self, attached: &BTreeSet<u32>) {
        for ifindex in attached
            .iter()
            .filter(|ifindex| !self.links.contains_key(ifindex))
        {
            match self.datapath.detach(*ifindex) {
                Ok(()) => tracing::info!(ifindex, "the interface is gone"),
                Err(error) => tracing::warn!(ifindex, "cannot forget an interface: {error}"),
            }
        }
    }
}
