//! Bringing the tables to what an inventory says.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::layout::port::PortKey;

use super::{Datapath, parking::parked};
use crate::{
    compile::{Compiled, compile},
    error::Result,
    model::{Fault, Inventory, Port, PortId, Vlan},
    plan::{Change, State, Way, plan},
};

/// Where the ports of an inventory are: the index of each port's interface.
pub type Places = BTreeMap<PortId, u32>;

/// What the tables hold, if it is known: read once, and again after anything went wrong.
#[derive(Default)]
pub struct Tables(Option<(State, u32)>);

/// What was done.
#[derive(Debug, Default)]
pub struct Enforced {
    /// Entries written or removed.
    pub changes: usize,
    /// The ports that the tables know.
    pub places: Places,
    /// Ports that are closed because they do not fit.
    pub closed: BTreeSet<PortId>,
    /// Why they do not fit.
    pub faults: Vec<Fault>,
}

impl Tables {
    /// What the tables hold.
    pub fn state(&mut self, datapath: &dyn Datapath) -> Result<&State> {
        Ok(&self.known(datapath)?.0)
    }

    /// Makes the tables say what the inventory says of the ports at these places, and nothing else. Ports
    /// that have no place but had one keep their slot, and one that is `expected` gets one.
    pub fn enforce(
        &mut self,
        datapath: &mut dyn Datapath,
        inventory: &Inventory,
        places: &Places,
        expected: Option<PortId>,
    ) -> Result<Enforced> {
        let limits = datapath.limits();
        let parked = parked(self.state(datapath)?, inventory, places, expected, &limits);
        let key = |port: &Port| match places.get(&port.id) {
            None => parked.get(&port.id).copied(),
            Some(ifindex) => Some(PortKey::new(*ifindex, port.vlan().map_or(0, Vlan::id))),
        };
        let Compiled {
            image,
            closed,
            faults,
            ..
        } = compile(inventory, &key, &limits);
        let (state, next_generation) = self.known(datapath)?;
        let plan = plan(state, &image, &limits, *next_generation);
        let newcomers = newcomers(state, &plan.state);
        tell(plan.way);

        // If any of this fails, what the tables hold has to be read again.
        self.0 = None;
        datapath.reserve_generations(plan.next_generation)?;
        datapath.apply(&plan.changes, &newcomers)?;
        self.0 = Some((plan.state, plan.next_generation));
        let closed: BTreeSet<_> = closed.into_iter().collect();
        let mut places = places.clone();
        places.retain(|port, _| !closed.contains(port));
        Ok(Enforced {
            changes: plan.changes.len(),
            places,
            closed,
            faults,
        })
    }

    /// Gives every port a new generation: each connection is judged once more, at its next packet.
    pub fn judge_again(&mut self, datapath: &mut dyn Datapath) -> Result<()> {
        let (mut state, first) = self.known(datapath)?.clone();
        self.0 = None;
        // Generation 0 means none.
        let mut next_generation = first.max(1);
        let mut changes = Vec::new();
        for (key, port) in &mut state.ports {
            port.generation = next_generation;
            next_generation += 1;
            changes.push(Change::Port(*key, Some(*port)));
        }
        datapath.reserve_generations(next_generation)?;
        datapath.apply(&changes, &BTreeSet::new())?;
        self.0 = Some((state, next_generation));
        Ok(())
    }

    fn known(&mut self, datapath: &dyn Datapath) -> Result<&(State, u32)> {
        match &mut self.0 {
            Some(known) => Ok(known),
            unknown => Ok(unknown.insert(datapath.state()?)),
        }
    }
}

/// The slots that have a new owner: its counters begin at zero, and nothing of the former's is in its tables.
fn newcomers(old: &State, new: &State) -> BTreeSet<u32> {
    let owners = |state: &State| -> BTreeSet<(u32, [u8; 16])> {
        state
            .ports
            .values()
            .map(|port| (port.slot, port.uuid))
            .collect()
    };
    let old = owners(old);
    owners(new)
        .into_iter()
        .filter(|owner| !old.contains(owner))
        .map(|(slot, _)| slot)
        .collect()
}

fn tell(way: Way) {
    match way {
        Way::InPlace => {}
        Way::ChangedPortsClosed => tracing::warn!(
            "the tables are too small to hold the old and the new rules side by side: the ports \
             that change are closed while they are written"
        ),
        Way::AllPortsClosed => tracing::warn!(
            "the tables are too small to hold the old and the new rules side by side: all ports \
             are closed while they are written"
        ),
    }
}
