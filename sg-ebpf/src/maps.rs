//! Every map, and nothing else. Sizes are defaults that the loader may change.

use aya_ebpf::bindings::{BPF_F_NO_PREALLOC, bpf_timer};
use aya_ebpf::btf_maps::{
    Array, ArrayOfMaps, HashMap, LpmTrie, LruHashMap, PerCpuArray, ProgramArray, Queue, RingBuf,
};
use aya_ebpf::macros::btf_map;
use sg_common::hook::Hook;
use sg_common::layout::account::Account;
use sg_common::layout::capacity;
use sg_common::layout::counter::Counter;
use sg_common::layout::events::{Asked, Budget};
use sg_common::layout::flood::Flood;
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4};
use sg_common::layout::fragment::{FragmentKey, FragmentValue};
use sg_common::layout::hit::{HitKey, Hits};
use sg_common::layout::maps::Node;
use sg_common::layout::policy::{
    Grant, GrantKey, Member, MemberKey, Policy, PortPairs, PortSet, PrefixKey,
};
use sg_common::layout::port::{AddressKey, PortKey, SlotPorts};
use sg_common::layout::settings::Settings;
use sg_common::layout::share::Share;
use sg_common::layout::sweep::{Adoption, Room, Sweep};
use sg_common::scratch::Run;

use crate::frame::Outer;

/// Policy maps are written by the loader and mostly empty: they take memory as they fill. Flow tables are
/// written per connection: their memory is there from the start, which makes an insert three times
/// cheaper.
const ON_DEMAND: usize = BPF_F_NO_PREALLOC as usize;

/// Of the daemon's, here to be pinned with the rest.
#[btf_map(name = "node")]
pub static NODE: Array<Node, 1> = Array::new();

#[btf_map(name = "settings")]
pub static SETTINGS: Array<Settings, 1> = Array::new();

/// The slot of what has no place in `slots`: the port of a VLAN, of no interface, or of one whose number is
/// too high.
#[btf_map(name = "ports")]
pub static PORTS: HashMap<PortKey, u32, { capacity::PORTS as usize }, ON_DEMAND> = HashMap::new();

/// The slot of each interface; 0 if it has none.
#[btf_map(name = "slots")]
pub static SLOTS: Array<u32, { capacity::SLOTS as usize }> = Array::new();

#[btf_map(name = "slot_ports")]
pub static SLOT_PORTS: Array<SlotPorts, { capacity::slots(capacity::PORTS) as usize }> =
    Array::new();

/// Of the daemon's: the UUID of the port that a slot has, for an sgd of another layout.
#[btf_map(name = "owners")]
pub static OWNERS: Array<[u8; 16], { capacity::slots(capacity::PORTS) as usize }> = Array::new();

#[btf_map(name = "addresses")]
pub static ADDRESSES: LpmTrie<AddressKey, u32, { capacity::ADDRESSES as usize }> = LpmTrie::new();

#[btf_map(name = "policies")]
pub static POLICIES: HashMap<u64, Policy, { capacity::POLICIES as usize }, ON_DEMAND> =
    HashMap::new();

#[btf_map(name = "members")]
pub static MEMBERS: HashMap<MemberKey, Member, { capacity::MEMBERS as usize }, ON_DEMAND> =
    HashMap::new();

#[btf_map(name = "prefixes")]
pub static PREFIXES: LpmTrie<PrefixKey, u64, { capacity::PREFIXES as usize }> = LpmTrie::new();

#[btf_map(name = "grants")]
pub static GRANTS: HashMap<GrantKey, Grant, { capacity::GRANTS as usize }, ON_DEMAND> =
    HashMap::new();

#[btf_map(name = "port_sets")]
pub static PORT_SETS: HashMap<u64, PortSet, { capacity::PORT_SETS as usize }, ON_DEMAND> =
    HashMap::new();

#[btf_map(name = "port_pairs")]
pub static PORT_PAIRS: HashMap<u64, PortPairs, { capacity::PORT_PAIRS as usize }, ON_DEMAND> =
    HashMap::new();

#[btf_map(name = "flows4")]
pub static FLOWS4: HashMap<FlowKey4, Flow, { capacity::FLOWS4 as usize }> = HashMap::new();

#[btf_map(name = "flows6")]
pub static FLOWS6: HashMap<FlowKey, Flow, { capacity::FLOWS6 as usize }> = HashMap::new();

/// Of each slot a table of its own, which the loader makes for its port.
type OfSlots<M> = ArrayOfMaps<M, { capacity::slots(capacity::PORTS) as usize }>;

pub type Embryos4 = LruHashMap<FlowKey4, Flow, { capacity::EMBRYOS4 as usize }>;
pub type Embryos6 = LruHashMap<FlowKey, Flow, { capacity::EMBRYOS6 as usize }>;
pub type Fragments = LruHashMap<FragmentKey, FragmentValue, { capacity::FRAGMENTS as usize }>;

#[btf_map(name = "embryos4")]
pub static EMBRYOS4: OfSlots<Embryos4> = ArrayOfMaps::new();

#[btf_map(name = "embryos6")]
pub static EMBRYOS6: OfSlots<Embryos6> = ArrayOfMaps::new();

#[btf_map(name = "fragments")]
pub static FRAGMENTS: OfSlots<Fragments> = ArrayOfMaps::new();

/// What each slot has in its tables that evict, by count.
#[btf_map(name = "shares")]
pub static SHARES: Array<Share, { capacity::slots(capacity::PORTS) as usize }> = Array::new();

#[btf_map(name = "counters")]
pub static COUNTERS: PerCpuArray<Counter, { capacity::counters(capacity::PORTS) as usize }> =
    PerCpuArray::new();

/// Which slots flood.
#[btf_map(name = "floods")]
pub static FLOODS: PerCpuArray<Flood, { capacity::slots(capacity::PORTS) as usize }> =
    PerCpuArray::new();

/// What is to be told of each slot.
#[btf_map(name = "asked")]
pub static ASKED: Array<Asked, { capacity::slots(capacity::PORTS) as usize }> = Array::new();

/// How much of it may be told now, and how much was not.
#[btf_map(name = "budgets")]
pub static BUDGETS: Array<Budget, { capacity::slots(capacity::PORTS) as usize }> = Array::new();

/// What is told: [`sg_common::layout::events::Event`]s. libbpf wants the values of a ring to have no size.
#[btf_map(name = "events")]
pub static EVENTS: RingBuf<[u8; 0], { capacity::EVENTS as usize }> = RingBuf::new();

/// What rows have permitted, until user space takes it away.
#[btf_map(name = "hits")]
pub static HITS: HashMap<HitKey, Hits, { capacity::HITS as usize }, ON_DEMAND> = HashMap::new();

pub type Accounts = HashMap<FlowKey, Account, { capacity::ACCOUNTS as usize }, ON_DEMAND>;

/// Packets and bytes by connection, of the slots of which they are asked for.
#[btf_map(name = "accounts")]
pub static ACCOUNTS: OfSlots<Accounts> = ArrayOfMaps::new();

/// How full the tables of assured connections are.
#[btf_map(name = "rooms")]
pub static ROOMS: Array<Room, 2> = Array::new();

/// Assured connections of each slot.
#[btf_map(name = "port_flows")]
pub static PORT_FLOWS: Array<u32, { capacity::slots(capacity::PORTS) as usize }> = Array::new();

/// The order in which the sweep looks at the assured connections: as many turns as entries.
#[btf_map(name = "turns4")]
pub static TURNS4: Queue<FlowKey4, { capacity::FLOWS4 as usize }> = Queue::new();

#[btf_map(name = "turns6")]
pub static TURNS6: Queue<FlowKey, { capacity::FLOWS6 as usize }> = Queue::new();

#[btf_map(name = "sweep")]
pub static SWEEP: Array<Sweep, 1> = Array::new();

/// The clock of the sweep. It goes as long as the map is pinned.
#[btf_map(name = "sweep_timer")]
pub static SWEEP_TIMER: Array<Timer, 1> = Array::new();

/// A value that holds a timer.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Timer {
    pub timer: bpf_timer,
}

/// When each condition was last logged, in [`sg_common::layout::settings::Ticks`].
#[btf_map(name = "logged")]
pub static LOGGED: Array<u32, { sg_common::reason::Condition::ALL.len() }> = Array::new();

/// The ring that `aya-log` reads; the name is its. libbpf wants the values of a ring to have no size.
#[btf_map]
pub static AYA_LOGS: RingBuf<[u8; 0], { 64 << 10 }> = RingBuf::new();

/// The second program of the filter, by hook.
#[btf_map(name = "whole")]
pub static WHOLE: ProgramArray<{ Hook::ALL.len() }> = ProgramArray::new();

/// The same at XDP, where there is one hook.
#[btf_map(name = "whole_xdp")]
pub static WHOLE_XDP: ProgramArray<1> = ProgramArray::new();

/// Room for what does not fit on the stack.
#[btf_map(name = "scratch")]
pub static SCRATCH: PerCpuArray<Run, 1> = PerCpuArray::new();

/// Room for a connection that the loader gives.
#[btf_map(name = "adoption")]
pub static ADOPTION: PerCpuArray<Adoption, 1> = PerCpuArray::new();

/// Room for the outermost tag of a packet at XDP.
#[btf_map(name = "outer")]
pub static OUTER: PerCpuArray<Outer, 1> = PerCpuArray::new();
