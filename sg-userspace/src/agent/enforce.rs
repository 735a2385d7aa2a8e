//! Bringing the tables to what an inventory says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use sg_common::layout::port::PortKey;

use super::{Datapath, parking::parked};
use crate::{
    compile::Compilation,
    error::Result,
    model::{Fault, Inventory, Port, PortId, Touched, Vlan},
    plan::{Change, State, Way, plan, plan_part},
};

/// Where the ports of an inventory are: the index of each port's interface.
pub type Places = BTreeMap<PortId, u32>;

/// What the tables hold and what they were made of, if it is known: read once, and again after anything went
/// wrong.
#[derive(Default)]
pub struct Tables {
    held: Option<(State, u32)>,
    compilation: Option<Compilation>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Enforced {
    /// Entries written or removed.
    pub changes: usize,
    /// The ports that the tables know.
    pub places: Places,
    /// The ports of this host that it was about, if it was not about all.
    pub reached: BTreeSet<PortId>,
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

    /// Compiles and compares everything the next time.
    pub fn forget_compiled(&mut self) {
        self.compilation = None;
    }

    /// Makes the tables say what the inventory says of the ports at these places, and nothing else. Ports
    /// that have no place but had one keep their slot, and one that is `expected` gets one. `touched` is what
    /// has changed since the last time.
    pub fn enforce(
        &mut self,
        datapath: &mut dyn Datapath,
        inventory: &Inventory,
        places: &Places,
        expected: Option<PortId>,
        touched: &Touched,
    ) -> Result<Enforced> {
        let begun = Instant::now();
        let limits = datapath.limits();
        let parked = parked(self.state(datapath)?, inventory, places, expected, &limits);
        let key = |port: &Port| match places.get(&port.id) {
            None => parked.get(&port.id).copied(),
            Some(ifindex) => Some(PortKey::new(*ifindex, port.vlan().map_or(0, Vlan::id))),
        };
        let ports = inventory.ports.values();
        let keys = ports
            .filter_map(|port| Some((port.id, key(port)?)))
            .collect();
        let (compilation, reach) = match self.compilation.take() {
            Some(mut compilation) => {
                let reach = compilation.update(inventory, &keys, touched, &limits);
                (compilation, reach)
            }
            None => (Compilation::new(inventory, &keys, &limits), None),
        };
        let compiled = begun.elapsed();
        let image = compilation.image();
        let (state, next_generation) = self.known(datapath)?;
        let of_part = reach
            .as_ref()
            .and_then(|reach| plan_part(state, image, reach, &limits, *next_generation));
        let is_part = of_part.is_some();
        let plan = of_part.unwrap_or_else(|| plan(state, image, &limits, *next_generation));
        tell(plan.way);
        let planned = begun.elapsed();
        let reached = match is_part {
            true => plan.state.ports.values().map(owner).collect(),
            false => BTreeSet::new(),
        };

        // If any of this fails, what the tables hold has to be read again.
        let held = self.held.take();
        if held
            .as_ref()
            .is_some_and(|(_, next)| *next != plan.next_generation)
        {
            datapath.reserve_generations(plan.next_generation)?;
        }
        let changes = plan.changes.len();
        if changes > 0 {
            datapath.apply(&plan.changes, &plan.newcomers)?;
        }
        self.held = held.map(|(state, _)| match is_part {
            true => (after(state, &plan.changes), plan.next_generation),
            false => (plan.state, plan.next_generation),
        });
        let written = begun.elapsed();
        tracing::debug!(
            is_part,
            changes,
            ?compiled,
            ?planned,
            ?written,
            "the tables"
        );
        let compiled = compilation.compiled();
        let closed: BTreeSet<_> = compiled.closed.iter().copied().collect();
        let mut places = places.clone();
        places.retain(|port, _| !closed.contains(port));
        let faults = compiled.faults.clone();
        self.compilation = Some(compilation);
        Ok(Enforced {
            changes,
            places,
            reached,
            closed,
            faults,
        })
    }

    /// Gives every port a new generation: each connection is judged once more, at its next packet.
    pub fn judge_again(&mut self, datapath: &mut dyn Datapath) -> Result<()> {
        let (mut state, first) = self.known(datapath)?.clone();
        (self.held, self.compilation) = (None, None);
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
        self.held = Some((state, next_generation));
        Ok(())
    }

    fn known(&mut self, datapath: &dyn Datapath) -> Result<&(State, u32)> {
        match &mut self.held {
            Some(known) => Ok(known),
            unknown => Ok(unknown.insert(datapath.state()?)),
        }
    }
}

fn after(mut state: State, changes: &[Change]) -> State {
    for change in changes {
        state.apply(change);
    }
    state
}

fn owner(port: &sg_common::layout::port::Port) -> PortId {
    PortId(uuid::Uuid::from_bytes(port.uuid))
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
