//! A kernel side in memory, for tests. Its tables are those of the filter, so packets can be walked
//! through what the agent has written.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard},
};

use sg_common::{
    hook::Hook,
    layout::flow::{Flow, FlowKey},
    layout::settings::{Settings, Ticks},
    layout::sweep::Sweep,
};

use super::{
    Added, Attachment, Datapath, FlowTables, Hanging, Hit, HitTable, Hooked, Look, Mode,
    PolicyTables, PortCounts, Reader, SweptBy, TableFill, Tracker, Trouble, Visit,
};
use crate::{
    compile::Limits,
    error::{Error, Result},
    flows::kernel::KernelFlow,
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
    pub attached: BTreeMap<u32, Attachment>,
    /// Where what their VMs send is judged, if it is not tc.
    pub modes: BTreeMap<u32, Mode>,
    /// What is wrong at interfaces.
    pub troubles: Vec<(u32, Trouble)>,
    /// The tables.
    pub state: State,
    /// The first unused generation.
    pub next_generation: u32,
    /// How much the tables hold.
    pub limits: Limits,
    /// What was done, in order.
    pub calls: Vec<String>,
    /// Who reads frames before the programs do.
    pub readers: Vec<Reader>,
    /// Interfaces that refuse programs.
    pub refuses: BTreeSet<u32>,
    /// Why the tables refuse to be written.
    pub broken: Option<String>,
    /// What was counted, by slot.
    pub counts: BTreeMap<u32, PortCounts>,
    /// The flow tables.
    pub flows: BTreeMap<FlowKey, Flow>,
    /// What rows have permitted.
    pub hits: Vec<Hit>,
    /// What nf_conntrack has.
    pub tracked: Vec<KernelFlow>,
    /// How many assured connections there is room for; 0 for any number.
    pub flow_room: usize,
    /// The settings.
    pub settings: Settings,
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

    fn look(&mut self) -> Result<Look> {
        let kernel = self.kernel();
        let modes = kernel.attached.keys().map(|ifindex| {
            let mode = kernel.modes.get(ifindex).copied();
            (*ifindex, mode.unwrap_or(Mode::Tc))
        });
        Ok(Look {
            attached: kernel.attached.clone(),
            modes: modes.collect(),
            troubles: kernel.troubles.clone(),
            ..Look::default()
        })
    }

    fn readers(&mut self) -> Result<Vec<Reader>> {
        Ok(self.kernel().readers.clone())
    }

    fn attach(&mut self, link: &Link, mode: Mode) -> std::result::Result<Attachment, Trouble> {
        let mut kernel = self.kernel();
        if kernel.refuses.contains(&link.ifindex) {
            let error = format!("{}: no such device", link.name);
            return Err(Trouble::Refused { error });
        }
        let at = match mode {
            Mode::Tc => "",
            Mode::Xdp => " at xdp",
            Mode::Guard => " with a guard",
        };
        kernel
            .calls
            .push(format!("attach {} {}{at}", link.ifindex, link.name));
        kernel.attached.insert(link.ifindex, Attachment::InForce);
        kernel.modes.insert(link.ifindex, mode);
        Ok(Attachment::InForce)
    }

    fn forget(&mut self, ifindex: u32) -> Result<()> {
        let mut kernel = self.kernel();
        kernel.calls.push(format!("forget {ifindex}"));
        kernel.attached.remove(&ifindex);
        kernel.modes.remove(&ifindex);
        Ok(())
    }

    fn release(&mut self, interface: &str) -> Result<()> {
        let mut kernel = self.kernel();
        kernel.calls.push(format!("release {interface}"));
        let is_it = |trouble: &Trouble| matches!(trouble, Trouble::Moved { interface: it, .. } if it == interface);
        kernel.troubles.retain(|(_, trouble)| !is_it(trouble));
        Ok(())
    }

    fn state(&self) -> Result<State> {
        Ok(self.kernel().state.clone())
    }

    fn counters(&self, slot: u32) -> Result<PortCounts> {
        Ok(self
            .kernel()
            .counts
            .get(&slot)
            .cloned()
            .unwrap_or(PortCounts::NONE))
    }

    fn flow_tables(&self) -> Arc<dyn FlowTables> {
        Arc::new(self.clone())
    }

    fn hit_table(&self) -> Arc<dyn HitTable> {
        Arc::new(self.clone())
    }

    fn tracker(&self) -> Arc<dyn Tracker> {
        Arc::new(self.clone())
    }

    fn flow_capacity(&self) -> u32 {
        sg_common::layout::capacity::FLOWS4
    }

    fn memory(&self, _: &str) -> u64 {
        1 << 20
    }

    fn memory_of_all(&self) -> u64 {
        20 << 20
    }

    fn program_times(&self) -> Vec<crate::metrics::ProgramTime> {
        Vec::new()
    }

    fn hooks(&self, ifindex: u32) -> Vec<Hooked> {
        let hooks = match self.kernel().attached.get(&ifindex) {
            Some(Attachment::InForce) => Hook::ALL.as_slice(),
            _ => &[],
        };
        let hooked = (0..).zip(hooks).map(|(number, hook)| Hooked {
            hook: *hook,
            program: 1112 + number,
            name: hook.as_str().into(),
            tag: 0x3a42_d422_d61d_af28,
            by: Hanging::Tcx {
                link: 448 + number,
                pin: format!("/sys/fs/bpf/sg/v3/links/{ifindex}-{}", hook.as_str()).into(),
            },
        });
        hooked.collect()
    }

    fn sweep(&self) -> Result<(SweptBy, Sweep)> {
        Ok((SweptBy::Kernel, bytemuck::Zeroable::zeroed()))
    }

    fn sweep_refusal(&self) -> Option<&str> {
        None
    }

    fn settings(&self) -> Result<Settings> {
        Ok(self.kernel().settings)
    }

    fn set_settings(&mut self, settings: &Settings) -> Result<()> {
        let mut kernel = self.kernel();
        kernel.calls.push("set settings".into());
        kernel.settings = *settings;
        Ok(())
    }

    fn now(&self) -> Ticks {
        self.kernel().now
    }
}

impl PolicyTables for Double {
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

    fn apply(&mut self, changes: &[Change], newcomers: &BTreeSet<u32>) -> Result<()> {
        let mut kernel = self.kernel();
        if let Some(broken) = &kernel.broken {
            return Err(Error::Datapath(broken.clone()));
        }
        for change in changes {
            assert!(kernel.state.apply(change), "{change:?} changes nothing");
            if let Change::Port(key, port) = change {
                kernel.calls.push(match (port, key.is_parked()) {
                    (Some(_), false) => format!("write port at {}", key.ifindex),
                    (None, false) => format!("remove port at {}", key.ifindex),
                    (Some(_), true) => "park port".into(),
                    (None, true) => "unpark port".into(),
                });
            }
        }
        kernel.calls.dedup();
        kernel.counts.retain(|slot, _| !newcomers.contains(slot));
        Ok(())
    }
}

impl HitTable for Double {
    fn take(&self) -> Result<Vec<Hit>> {
        Ok(std::mem::take(&mut self.kernel().hits))
    }
}

impl Tracker for Double {
    fn dump(&self) -> Result<Vec<KernelFlow>> {
        let mut kernel = self.kernel();
        kernel.calls.push("dump".into());
        Ok(kernel.tracked.clone())
    }
}

/// Small enough for tests to need several.
const PAGE: usize = 4;

impl FlowTables for Double {
    fn walk(&self, visit: &mut Visit<'_>) -> Result<()> {
        let flows: Vec<_> = self.kernel().flows.clone().into_iter().collect();
        let _ = flows.chunks(PAGE).try_for_each(visit);
        Ok(())
    }

    fn find(&self, key: &FlowKey) -> Result<Option<Flow>> {
        Ok(self.kernel().flows.get(key).copied())
    }

    fn add(&self, key: &FlowKey, flow: &Flow) -> Result<Added> {
        let mut kernel = self.kernel();
        let assured = || {
            kernel
                .flows
                .iter()
                .filter(|(_, flow)| flow.word().assured())
        };
        let used = assured().count();
        let of_port = assured()
            .filter(|(other, _)| other.slot() == key.slot())
            .count();
        let over_quota = of_port as u64 >= u64::from(kernel.settings.assured_per_port);
        if kernel.flows.contains_key(key) {
            return Ok(Added::Exists);
        }
        let full = kernel.flow_room != 0 && used >= kernel.flow_room;
        if flow.word().assured() && (full || over_quota) {
            return Ok(Added::NoRoom);
        }
        kernel.flows.insert(*key, *flow);
        Ok(Added::Stored)
    }

    fn remove(&self, key: &FlowKey) -> Result<Option<Flow>> {
        Ok(self.kernel().flows.remove(key))
    }

    fn fill(&self) -> Result<Vec<TableFill>> {
        let kernel = self.kernel();
        Ok(vec![TableFill {
            name: sg_common::layout::maps::name::FLOWS4,
            used: kernel.flows.len() as u64,
            capacity: 1000,
        }])
    }

    fn assured_of(&self, slot: u32) -> Result<u32> {
        let kernel = self.kernel();
        let flows = kernel.flows.iter();
        let assured = flows.filter(|(key, flow)| key.slot() == slot && flow.word().assured());
        Ok(assured.count() as u32)
    }

    fn fill_of_port(&self, slot: u32) -> Result<Vec<TableFill>> {
        let kernel = self.kernel();
        let unproven = kernel.flows.iter();
        let unproven = unproven.filter(|(key, flow)| key.slot() == slot && !flow.word().assured());
        Ok(vec![TableFill {
            name: sg_common::layout::maps::name::EMBRYOS4,
            used: unproven.count() as u64,
            capacity: 128,
        }])
    }

    fn now(&self) -> Ticks {
        self.kernel().now
    }
}
