//! Interfaces that stood open when the filter came to this node, or are filtered by one of another layout.
//!
//! What goes over them went over them before, past another filter or past none, and is not to be cut. So their
//! ports are written first, then what nf_conntrack has tracked of them is taken over, and then the filter is
//! put on: between open and filtered there is no closed moment. Interfaces that come later are closed before
//! anything is written, and so are all where a filter was in force at the start: one of them that is open was
//! plugged in while nobody looked.

use std::collections::{BTreeMap, BTreeSet};

use super::{Agent, Attachment, reconcile::Occasion};
use crate::{
    error::Result,
    model::PortId,
    netlink::{Link, LinkEvent},
    view::AdoptedPort,
};

/// The interfaces that stand open, by number.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// `None` before it is known which interfaces there are.
    open: Option<BTreeMap<u32, Link>>,
    /// Whether they are filtered by an earlier layout, which goes on.
    is_filtered: bool,
    /// Whether the connections of their ports are to be taken over.
    adopts: bool,
}

impl Standing {
    /// Whether an interface stands open.
    pub fn has(&self, link: &Link) -> bool {
        let known = self.open.as_ref().and_then(|open| open.get(&link.ifindex));
        known.is_some_and(|known| known.name == link.name)
    }

    /// Whether any does.
    pub fn is_any(&self) -> bool {
        self.open.as_ref().is_some_and(|open| !open.is_empty())
    }

    /// Whether the connections of their ports are taken over from nf_conntrack. An earlier layout has left its own.
    pub fn adopts(&self) -> bool {
        self.adopts && !self.is_filtered
    }

    /// It is filtered, or is to be treated as any other.
    pub fn leave(&mut self, ifindex: u32) {
        self.open
            .iter_mut()
            .for_each(|open| drop(open.remove(&ifindex)));
    }

    /// All are to be treated as any others.
    pub fn clear(&mut self) {
        self.open = Some(BTreeMap::new());
    }
}

impl Agent {
    /// Has the connections of interfaces that stand open at the start taken over, or not.
    pub fn adopt_at_first(&mut self, adopts: bool) {
        self.standing.adopts = adopts;
    }

    /// Takes note of the interfaces that are here at the start, the first time they are all told.
    pub(super) fn note_standing(&mut self, event: &LinkEvent) {
        match (event, &self.standing.open) {
            (LinkEvent::All(links), None) => {
                // What cannot be asked may have been filtered.
                let attached = self.datapath.look().map(|look| look.attached);
                let is_first = attached.as_ref().is_ok_and(BTreeMap::is_empty);
                let is_earlier = |link: &Link| {
                    let attached = attached.as_ref().ok();
                    attached.and_then(|all| all.get(&link.ifindex)) == Some(&Attachment::Earlier)
                };
                self.standing.is_filtered = !is_first;
                let links = links.iter().filter(|link| is_first || is_earlier(link));
                let open = links.map(|link| (link.ifindex, link.clone()));
                self.standing.open = Some(open.collect());
            }
            (LinkEvent::Gone(ifindex), _) => self.standing.leave(*ifindex),
            (LinkEvent::Present(link), _) if !self.standing.has(link) => {
                self.standing.leave(link.ifindex);
            }
            _ => {}
        }
    }

    /// Whether an interface is to stay open for now: it stands so, and what its ports may do is not written.
    pub(super) fn stands(&self, link: &Link) -> bool {
        let is_written = |port: PortId| {
            let place = self.enforced.places.get(&port);
            place == Some(&link.ifindex) || self.enforced.closed.contains(&port)
        };
        let mut ports = self.desired.inventory.ports_at(&link.name);
        self.standing.has(link) && !ports.all(|port| is_written(port.id))
    }

    /// The ports of interfaces that stand open.
    pub(super) fn standing_ports(&self) -> impl Iterator<Item = PortId> {
        let links = self.links.all().filter(|link| self.standing.has(link));
        let ports = links.flat_map(|link| self.desired.inventory.ports_at(&link.name));
        ports.map(|port| port.id)
    }

    /// Puts the filter on interfaces that stand open and whose ports are written. What nf_conntrack has tracked
    /// of them until then is to be taken over as well.
    /// If they cannot be written, they are closed; but what is filtered by an earlier layout goes on so.
    pub(super) fn enter(&mut self, is_written: bool) -> Result<()> {
        if !self.standing.is_any() {
            return Ok(());
        }
        let standing: BTreeSet<_> = self.standing_ports().collect();
        if !is_written && !self.standing.is_filtered {
            self.standing.clear();
        }
        let attached = self.close_interfaces(Occasion::News)?;
        let still: BTreeSet<_> = self.standing_ports().collect();
        // Where half of the filter could not be put on, the other half is to let nothing pass.
        if self.places(&attached) != self.places {
            self.places_are_due(attached);
        }
        if self.standing.adopts() && is_written {
            self.due.adopt.extend(&standing - &still);
        }
        Ok(())
    }

    /// The connections of these ports are in the tables.
    pub(super) fn note_adopted(&mut self, adopted: Vec<AdoptedPort>) {
        for port in adopted {
            self.adopted += port.adopted;
            let (id, name, zone) = (&port.port, &port.name, port.zone);
            let (adopted, existing, refused) = (port.adopted, port.existing, port.refused.len());
            match &port.note {
                Some(note) if port.incomplete => tracing::warn!(
                    port = id,
                    name,
                    "connections that nf_conntrack has were not taken over: {note}; `sgctl flows adopt` does it"
                ),
                Some(note) => tracing::debug!(port = id, name, "{note}"),
                None => tracing::info!(
                    port = id,
                    name,
                    zone,
                    adopted,
                    existing,
                    refused,
                    "took over connections of nf_conntrack"
                ),
            }
        }
    }
}
