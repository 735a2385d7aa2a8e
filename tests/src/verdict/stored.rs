//! The maps that packets write, as they are pinned.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use sg_common::hook::Hook;
use sg_common::layout::counter::{Counter, counter_index};
use sg_common::layout::flood::Flood;
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4};
use sg_common::layout::fragment::{FragmentKey, FragmentValue};
use sg_common::layout::maps::name;
use sg_common::layout::settings::Ticks;
use sg_common::reason::{Verdict, verdict_counter};
use sg_common::wire::addr::Family;

use crate::pinned;
use crate::testrun::{PinnedHash, PinnedPerCpu};

type Connections4 = PinnedHash<{ size_of::<FlowKey4>() }, { size_of::<Flow>() }>;
type Connections6 = PinnedHash<{ size_of::<FlowKey>() }, { size_of::<Flow>() }>;

/// The maps that packets write.
pub(super) struct Stored {
    flows4: Connections4,
    flows6: Connections6,
    /// The pins of what each port has of its own.
    embryos: [PathBuf; 2],
    fragments: PathBuf,
    counters: PinnedPerCpu<{ size_of::<Counter>() }>,
    floods: PinnedPerCpu<{ size_of::<Flood>() }>,
}

impl Stored {
    pub fn open(bpffs: &Path) -> Self {
        let pin = |name: &str| super::map_pin(bpffs, name);
        Self {
            flows4: PinnedHash::open(&pin(name::FLOWS4)),
            flows6: PinnedHash::open(&pin(name::FLOWS6)),
            embryos: [name::EMBRYOS4, name::EMBRYOS6].map(pin),
            fragments: pin(name::FRAGMENTS),
            counters: PinnedPerCpu::open(&pin(name::COUNTERS)),
            floods: PinnedPerCpu::open(&pin(name::FLOODS)),
        }
    }

    pub fn clear(&mut self) {
        self.flows4.clear();
        self.flows6.clear();
        let of_ports = self.embryos.iter().chain([&self.fragments]);
        of_ports.for_each(|pin| pinned::clear(pin));
    }

    /// Lets a slot flood from this moment on, or not.
    pub fn set_flood(&mut self, slot: u32, floods: bool, now: Ticks) {
        let flood = Flood {
            // None of what is refused is more.
            refused: u64::MAX,
            since: now,
            on: floods.into(),
        };
        self.floods.set(slot, bytemuck::cast(flood));
    }

    pub fn fragments(&self) -> BTreeSet<FragmentKey> {
        const KEY: usize = size_of::<FragmentKey>();
        let tables = PinnedHash::<KEY, { size_of::<FragmentValue>() }>::within(&self.fragments);
        let keys = tables.values().flat_map(PinnedHash::keys);
        keys.collect()
    }

    pub fn put(&mut self, key: &FlowKey, flow: &Flow) {
        let flow = bytemuck::cast(*flow);
        match key.family() {
            Family::V4 => self.flows4.insert(bytemuck::cast(key.narrow()), flow),
            Family::V6 => self.flows6.insert(bytemuck::cast(*key), flow),
        }
    }

    pub fn forget(&mut self, key: &FlowKey) {
        match key.family() {
            Family::V4 => {
                let narrow = bytemuck::cast(key.narrow());
                self.flows4.change(narrow, None);
                let mut others = Connections4::within(&self.embryos[0]);
                others.values_mut().for_each(|map| map.change(narrow, None));
            }
            Family::V6 => {
                let wide = bytemuck::cast(*key);
                self.flows6.change(wide, None);
                let mut others = Connections6::within(&self.embryos[1]);
                others.values_mut().for_each(|map| map.change(wide, None));
            }
        }
    }

    pub fn assured(&self, key: &FlowKey) -> Option<Flow> {
        match key.family() {
            Family::V4 => self.flows4.get(bytemuck::cast(key.narrow())),
            Family::V6 => self.flows6.get(bytemuck::cast(*key)),
        }
        .map(bytemuck::cast)
    }

    /// Of a port, and of no port.
    pub fn counted(&self, slot: u32, hook: Hook, verdict: &Verdict) -> Counter {
        let of_slot = |slot| {
            let index = counter_index(slot, hook.direction(), verdict_counter(verdict));
            self.counters.get::<Counter>(index)
        };
        let counters: Vec<_> = [0, slot].into_iter().flat_map(of_slot).collect();
        Counter {
            packets: counters.iter().map(|counter| counter.packets).sum(),
            bytes: counters.iter().map(|counter| counter.bytes).sum(),
        }
    }
}
