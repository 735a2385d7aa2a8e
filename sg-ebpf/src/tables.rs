//! The filter's tables over BPF maps.

use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_ebpf::helpers::{bpf_get_prandom_u32, bpf_ktime_get_coarse_ns};
use sg_common::hook::Direction;
use sg_common::layout::account::Account;
use sg_common::layout::counter::counter_index;
use sg_common::layout::events::{Action, Event};
use sg_common::layout::flow::{Flow, FlowKey};
use sg_common::layout::fragment::{FragmentKey, FragmentValue};
use sg_common::layout::hit::HitKey;
use sg_common::layout::policy::{Grant, GrantKey, Member, MemberKey, Policy, PrefixKey};
use sg_common::layout::port::{AddressKey, Port, PortKey, SlotPorts};
use sg_common::layout::settings::{Settings, TICK_SHIFT, Ticks};
use sg_common::layout::share::Kind;
use sg_common::layout::shared::tag_is;
use sg_common::reason::{Condition, DropReason, Verdict, condition_counter, verdict_counter};
use sg_common::tables::Tables;
use sg_common::wire::addr::Family;

use crate::flows::{self, Entry};
use crate::{accounts, events, hits, log, maps, pairs, share};

/// The pinned maps.
pub struct KernelTables;

/// Bits of an LPM key whose whole data counts.
const fn all_bits<T>() -> u32 {
    size_of::<T>() as u32 * 8
}

/// Looks up a hash element. The reference is good for this program run; that its memory may be given to
/// another key meanwhile is what the tags are for.
macro_rules! get {
    // SAFETY: see above; every value with a meaning carries a tag that its reader checks.
    ($map:expr, $key:expr) => {
        unsafe { $map.get($key) }
    };
}

/// Does with the tables of a connection's family, under the key of that family.
macro_rules! by_family {
    ($key:expr, ($v4:expr, $v6:expr), |$map:ident, $narrow:ident| $body:expr) => {
        match $key.family() {
            Family::V4 => {
                let ($map, $narrow) = (&$v4, &$key.narrow());
                $body
            }
            Family::V6 => {
                let ($map, $narrow) = (&$v6, $key);
                $body
            }
        }
    };
}

pub(crate) use by_family;

/// Does with a port's own table of the connections of this family that are not proven yet; `None` if the
/// slot has none.
macro_rules! embryos {
    ($key:expr, |$map:ident, $narrow:ident| $body:expr) => {
        match $key.family() {
            Family::V4 => {
                let $narrow = &$key.narrow();
                maps::EMBRYOS4.get($narrow.whose.slot()).map(|$map| $body)
            }
            Family::V6 => {
                let $narrow = $key;
                maps::EMBRYOS6.get($narrow.whose.slot()).map(|$map| $body)
            }
        }
    };
}

pub(crate) use embryos;

impl Tables for KernelTables {
    type Entry = Entry;

    #[inline(always)]
    fn assured(&self, key: &FlowKey) -> Option<Entry> {
        by_family!(key, (maps::FLOWS4, maps::FLOWS6), |map, key| map
            .get_ptr_mut(key))
        .map(Entry)
    }

    #[inline(always)]
    fn embryo(&self, key: &FlowKey) -> Option<Entry> {
        embryos!(key, |map, key| map.get_ptr_mut(key))
            .flatten()
            .map(Entry)
    }

    #[inline(always)]
    fn is_still(&self, key: &FlowKey, flow: &Flow) -> bool {
        flows::is_still(key, flow.word().nonce())
    }

    #[inline(always)]
    fn create(&self, key: &FlowKey, flow: &Flow) -> bool {
        flows::create(key, flow)
    }

    #[inline(always)]
    fn promote(&self, key: &FlowKey, flow: &Flow) -> Result<(), Condition> {
        flows::promote(key, flow).result()
    }

    #[inline(always)]
    fn now(&self) -> Ticks {
        // SAFETY: a helper without arguments.
        (unsafe { bpf_ktime_get_coarse_ns() } >> TICK_SHIFT) as Ticks
    }

    #[inline(always)]
    fn random(&self) -> u32 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_get_prandom_u32() }
    }

    #[inline(always)]
    fn settings(&self) -> Option<&Settings> {
        maps::SETTINGS.get(0)
    }

    #[inline(always)]
    fn port(&self, key: &mut PortKey) -> Option<&Port> {
        key.turn = 0;
        let slot = match maps::SLOTS.get(key.ifindex) {
            Some(slot) if key.vlan == 0 => slot,
            _ => get!(maps::PORTS, &*key)?,
        };
        if *slot == 0 {
            return None;
        }
        let SlotPorts { turn, ports, .. } = maps::SLOT_PORTS.get(*slot)?;
        // SAFETY: a reference is valid. Volatile, so that index and tag are of one reading.
        let turn = unsafe { (&raw const *turn).read_volatile() };
        key.turn = turn as u16;
        ports.get(turn as usize & 1)
    }

    #[inline(always)]
    fn port_of(&self, slot: u32) -> Option<&Port> {
        let SlotPorts { turn, ports, .. } = maps::SLOT_PORTS.get(slot)?;
        ports.get(*turn as usize & 1)
    }

    #[inline(always)]
    fn port_again(&self, key: &PortKey, slot: u32) -> Option<&Port> {
        let SlotPorts { ports, .. } = maps::SLOT_PORTS.get(slot)?;
        ports.get(key.turn as usize & 1)
    }

    #[inline(always)]
    fn address(&self, key: &AddressKey) -> Option<u32> {
        maps::ADDRESSES
            .get(&Key::new(all_bits::<AddressKey>(), *key))
            .copied()
    }

    #[inline(always)]
    fn policy(&self, id: &u64) -> Option<&Policy> {
        get!(maps::POLICIES, id)
    }

    #[inline(always)]
    fn member(&self, key: &MemberKey) -> Option<&Member> {
        get!(maps::MEMBERS, key)
    }

    #[inline(always)]
    fn prefix(&self, key: &PrefixKey) -> Option<u64> {
        maps::PREFIXES
            .get(&Key::new(all_bits::<PrefixKey>(), *key))
            .copied()
    }

    #[inline(always)]
    fn grant(&self, key: &GrantKey) -> Option<&Grant> {
        get!(maps::GRANTS, key)
    }

    #[inline(always)]
    fn port_word(&self, id: &u64, port: u16) -> u64 {
        let Some(set) = get!(maps::PORT_SETS, id) else {
            return 0;
        };
        let word = set.word(port);
        match tag_is(&set.id, id) {
            true => word,
            false => 0,
        }
    }

    #[inline(always)]
    fn in_port_pairs(&self, id: &u64, protocol: u8, source: u16, destination: u16) -> bool {
        match get!(maps::PORT_PAIRS, id) {
            Some(pairs) => {
                pairs::contain(pairs, protocol, source, destination) && tag_is(&pairs.id, id)
            }
            None => false,
        }
    }

    #[inline(always)]
    fn fragment(&self, key: &FragmentKey) -> Option<FragmentValue> {
        get!(maps::FRAGMENTS.get(key.slot)?, key).copied()
    }

    #[inline(always)]
    fn remember_fragment(&self, key: &FragmentKey, value: &FragmentValue) -> bool {
        let Some(map) = maps::FRAGMENTS.get(key.slot) else {
            return false;
        };
        match map.insert(key, value, BPF_NOEXIST.into()) {
            Ok(()) => {
                share::stored(key.slot, Kind::Fragments);
                true
            }
            Err(_) => map.insert(key, value, BPF_ANY.into()).is_ok(),
        }
    }

    #[inline(always)]
    fn floods(&self, slot: u32, now: Ticks) -> bool {
        let refused = verdict_counter(&Err(DropReason::NoRule));
        let refused = counter_index(slot, Direction::Egress, refused);
        let (Some(flood), Some(refused)) = (
            maps::FLOODS.get_ptr_mut(slot),
            maps::COUNTERS.get_ptr(refused),
        ) else {
            return false;
        };
        // SAFETY: the elements are this CPU's own, as in `count`.
        unsafe { (*flood).look((*refused).packets, now) }
    }

    #[inline(always)]
    fn count(&self, slot: u32, direction: Direction, verdict: &Verdict, bytes: u32) {
        count(
            counter_index(slot, direction, verdict_counter(verdict)),
            1,
            bytes.into(),
        );
    }

    #[inline(always)]
    fn condition(&self, slot: u32, direction: Direction, condition: Condition) {
        conditions(slot, direction, condition, 1);
    }

    #[inline(always)]
    fn tell(&self, slot: u32, action: Action, fill: impl FnOnce(&mut Event, u64)) {
        events::tell(slot, action, fill);
    }

    #[inline(always)]
    fn hit(&self, hit: &HitKey, direction: Direction) {
        if !hits::count(hit) {
            self.condition(hit.slot, direction, Condition::HitNotCounted);
        }
    }

    #[inline(always)]
    fn account(&self, key: &FlowKey, direction: Direction, bytes: u32, opens: bool) {
        if !accounts::count(key, direction as u32, bytes, opens) {
            self.condition(key.slot(), direction, Condition::FlowNotCounted);
        }
    }

    #[inline(always)]
    fn account_of(&self, key: &FlowKey) -> Option<Account> {
        get!(maps::ACCOUNTS.get(key.slot())?, key).copied()
    }
}

/// Counts a condition that was met so many times, and may tell the operator.
#[inline(always)]
pub fn conditions(slot: u32, direction: Direction, condition: Condition, times: u32) {
    let counter = counter_index(slot, direction, condition_counter(condition));
    count(counter, times.into(), 0);
    log::condition(KernelTables.now(), slot, condition);
}

#[inline(always)]
fn count(index: u32, packets: u64, bytes: u64) {
    if let Some(counter) = maps::COUNTERS.get_ptr_mut(index) {
        // SAFETY: the element is this CPU's own, and no other program interrupts this one to count.
        unsafe {
            (*counter).packets += packets;
            (*counter).bytes += bytes;
        }
    }
}
