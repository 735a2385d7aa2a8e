//! A kernel side in memory, for tests. Its tables are those of the filter, so packets can be walked
//! through what the agent has written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use sg_common::{
    flow::{Flow, FlowKey},
    settings::{Settings, Ticks, passed},
};

use super::{Datapath, PortCounts, TableFill};
use crate::{
    compile::{Limits, Table},
    error::{Error, Result},
    netlink::Link,
    plan::{Change, State},
};

/// Both ends of a pretended kernel: the agent holds one, the test another.
#[derive(Clone, Default)]
pub struct Double(Arc<Mutex<Kernel>>);

/// What the pretended kernel holds.
#[derive(Default)]
pub struct Kernel {
    /// Interfaces with programs.
    pub attached: BTreeSet<u32>,
    /// The tables.
    pub state: State,
    /// The first unused generation.
    pub next_generation: u32,
    /// How much the tables hold.
    pub limits: Limits,
    /// What was done, in order.
    pub calls: Vec<String>,
    /// Interfaces that refuse programs.
    pub refuses: BTreeSet<u32>,
    /// Why the tables refuse to be written.
    pub broken: Option<String>,
    /// What was counted, by slot.
    pub counts: BTreeMap<u32, PortCounts>,
    /// The flow tables.
    pub flows: Vec<(FlowKey, Flow)>,
    /// The clock.
    pub now: Ticks,
}

impl Double {
    /// The pretended kernel, to look into or to change.
    pub fn kernel(&self) -> MutexGuard<'_, Kernel> {
        self.0.lock().unwrap()
    }

    /// What was done since the last time.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.kernel().calls)
    }

    /// Where ports are, by interface.
    pub fn places(&self) -> Vec<u32> {
        self.kernel()
            .state
            .ports
            .keys()
            .map(|key| key.ifindex)
            .collect()
    }
}

impl Datapath for Double {
    fn attach_mode(&self) -> &'static str {
        "tcx"
    }

    fn attached(&self) -> Result<BTreeSet<u32>> {
        Ok(self.kernel().attached.clone())
    }

    fn attach(&mut self, link: &Link) -> Result<()> {
        let mut kernel = self.kernel();
        if kernel.refuses.contains(&link.ifindex) {
            return Err(Error::Datapath(format!("{}: no such device", link.name)));
        }
        kernel
            .calls
            .push(format!("attach {} {}", link.ifindex, link.name));
        kernel.attached.insert(link.ifindex);
        Ok(())
    }

    fn detach(&mut self, ifindex: u32) -> Result<()> {
        let mut kernel = self.kernel();
        kernel.calls.push(format!("detach {ifindex}"));
        kernel.attached.remove(&ifindex);
        Ok(())
    }

    fn limits(&self) -> Limits {
        self.kernel().limits
    }

    fn state(&self) -> Result<(State, u32)> {
        let kernel = self.kernel();
        Ok((kernel.state.clone(), kernel.next_generation))
    }

    fn reserve_generations(&mut self, next: u32) -> Result<()> {
        self.kernel().next_generation = next;
        Ok(())
    }

    fn apply(&mut self, changes: &[Change]) -> Result<()> {
        let mut kernel = self.kernel();
        if let Some(broken) = &kernel.broken {
            return Err(Error::Datapath(broken.clone()));
        }
        for change in changes {
            assert!(kernel.state.apply(change), "{change:?} changes nothing");
            if let Change::Port(key, port) = change {
                let verb = if port.is_some() { "write" } else { "remove" };
                kernel.calls.push(format!("{verb} port at {}", key.ifindex));
            }
        }
        kernel.calls.dedup();
        Ok(())
    }

    fn reset_counters(&mut self, slot: u32) -> Result<()> {
        self.kernel().counts.remove(&slot);
        Ok(())
    }

    fn counters(&self, slot: u32) -> Result<PortCounts> {
        Ok(self
            .kernel()
            .counts
            .get(&slot)
            .cloned()
            .unwrap_or(PortCounts::NONE))
    }

    fn flows(&self) -> Result<Vec<(FlowKey, Flow)>> {
        Ok(self.kernel().flows.clone())
    }

    fn sweep(&mut self) -> Result<usize> {
        let mut kernel = self.kernel();
        let (before, now) = (kernel.flows.len(), kernel.now);
        kernel.flows.retain(|(_, flow)| !passed(flow.expires, now));
        Ok(before - kernel.flows.len())
    }

    fn tables(&self) -> Result<Vec<TableFill>> {
        let kernel = self.kernel();
        let fill = |table: Table| TableFill {
            name: table.name(),
            used: kernel.state.count(table) as u64,
            capacity: kernel.limits.of(table) as u64,
        };
        Ok(Table::ALL.map(fill).into())
    }

    fn settings(&self) -> Result<Settings> {
        Ok(Settings::DEFAULT)
    }

    fn now(&self) -> Ticks {
        self.kernel().now
    }
}
