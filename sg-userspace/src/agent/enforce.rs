//! Bringing the tables to what an inventory says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sg_common::layout::port::{PortKey, flags};

use super::{PolicyTables, parking::parked};
use crate::{
    compile::{Compilation, Limits, Table},
    error::Result,
    model::{Fault, Inventory, PortId, Touched, Vlan},
    plan::{Change, State, Way, plan, plan_part},
    settings::Audit,
};

/// Where the ports of an inventory are: the index of each port's interface.
pub type Places = BTreeMap<PortId, u32>;

/// What the tables hold and what they were made of, if it is known: read once, and again after anything went
/// wrong.
pub struct Tables {
    policy: Box<dyn PolicyTables>,
    held: Option<(State, u32)>,
    compilation: Option<Compilation>,
}

/// What the tables hold, in short.
#[derive(Debug, Default)]
pub struct Holding {
    /// The ports, also those without an interface.
    pub ports: BTreeMap<PortKey, sg_common::layout::port::Port>,
    /// Rows of each table, as in [`Table::ALL`].
    pub rows: Vec<usize>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Enforced {
    /// Entries written or removed.
    pub changes: usize,
    /// How long it took.
    pub took: Duration,
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
    /// Tables of which nothing is known yet.
    pub fn new(policy: Box<dyn PolicyTables>) -> Self {
        Self {
            policy,
            held: None,
            compilation: None,
        }
    }

    /// What the tables hold.
    pub fn state(&mut self) -> Result<&State> {
        Ok(&self.known()?.0)
    }

    /// What they were made of, if that is known.
    pub fn compilation(&self) -> Option<&Compilation> {
        self.compilation.as_ref()
    }

    /// What the tables hold, in short.
    pub fn holding(&mut self) -> Result<Holding> {
        let state = self.state()?;
        Ok(Holding {
            ports: state.ports.clone(),
            rows: Table::ALL.map(|table| state.count(table)).into(),
        })
    }

    /// How much they hold.
    pub fn limits(&self) -> Limits {
        self.policy.limits()
    }

    /// Compiles and compares everything the next time.
    pub fn forget_compiled(&mut self) {
        self.compilation = None;
    }

    /// Makes the tables say what the inventory says of the ports at these places, and nothing else. Ports
    /// that have no place but had one keep their slot, and one that is `expected` gets one. Those in `audit` let
    /// pass what no rule permits. `touched` is what
    /// has changed since the last time.
    pub fn enforce(
        &mut self,
        inventory: &Inventory,
        places: &Places,
        audit: &Audit,
        expected: Option<PortId>,
        touched: &Touched,
    ) -> Result<Enforced> {
        let begun = Instant::now();
        let limits = self.limits();
        let mut keys = parked(self.state()?, inventory, places, expected, &limits);
        keys.extend(places.iter().filter_map(|(id, ifindex)| {
            let vlan = inventory.ports.get(id)?.vlan();
            Some((*id, PortKey::new(*ifindex, vlan.map_or(0, Vlan::id))))
        }));
        let (mut compilation, mut reach) = match self.compilation.take() {
            Some(mut compilation) => {
                let reach = compilation.update(inventory, &keys, touched, &limits);
                (compilation, reach)
            }
            None => (Compilation::new(inventory, &keys, &limits), None),
        };
        let audited = compilation.mark(inventory, flags::AUDIT, |port| audit.holds(port));
        if let Some(reach) = &mut reach {
            reach.ports.extend(audited);
        }
        let compiled = begun.elapsed();
        let image = compilation.image();
        let (state, next_generation) = self.known()?;
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
            self.policy.reserve_generations(plan.next_generation)?;
        }
        let changes = plan.changes.len();
        if changes > 0 {
            self.policy.apply(&plan.changes, &plan.newcomers)?;
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
        let faults = compiled.left_out();
        self.compilation = Some(compilation);
        Ok(Enforced {
            changes,
            took: begun.elapsed(),
            places,
            reached,
            closed,
            faults,
        })
    }

    /// Gives every port a new generation: each connection is judged once more, at its next packet.
    pub fn judge_again(&mut self) -> Result<()> {
        let (mut state, first) = self.known()?.clone();
        (self.held, self.compilation) = (None, None);
        // Generation 0 means none.
        let mut next_generation = first.max(1);
        let mut changes = Vec::new();
        for (key, port) in &mut state.ports {
            port.generation = next_generation;
            next_generation += 1;
            changes.push(Change::Port(*key, Some(*port)));
        }
        self.policy.reserve_generations(next_generation)?;
        self.policy.apply(&changes, &BTreeSet::new())?;
        self.held = Some((state, next_generation));
        Ok(())
    }

    /// Reads everything the next time: what is known may be wrong.
    pub fn forget(&mut self) {
        (self.held, self.compilation) = (None, None);
    }

    fn known(&mut self) -> Result<&(State, u32)> {
        match &mut self.held {
            Some(known) => Ok(known),
            unknown => Ok(unknown.insert(self.policy.state()?)),
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
