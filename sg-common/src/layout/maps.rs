//! Names, sizes and version of the maps: what the object, the loader and the pins agree on.

use crate::layout::account::Account;
use crate::layout::counter::Counter;
use crate::layout::events::{Asked, Budget};
use crate::layout::flood::Flood;
use crate::layout::flow::{Flow, FlowKey, FlowKey4};
use crate::layout::fragment::{FragmentKey, FragmentValue};
use crate::layout::hit::{HitKey, Hits};
use crate::layout::policy::{
    Grant, GrantKey, Member, MemberKey, Policy, PortPairs, PortSet, PrefixKey,
};
use crate::layout::port::{AddressKey, PortKey, SlotPorts};
use crate::layout::settings::Settings;
use crate::layout::share::Share;
use crate::layout::shared::shared;
use crate::layout::sweep::{Adoption, Room, Sweep};

/// Version of all layouts in this crate. It is part of the pin directory, so programs and maps of
/// different layouts never meet. Raise it with every change of a key or value.
pub const ABI: u32 = 11;

/// Version of the form of connections: of keys, values and their meaning in the maps of [`ASSURED`] and [`UNPROVEN`], in
/// [`name::OWNERS`] and, if it has as many elements, [`name::COUNTERS`]: the [`ABI`] that has brought the present one. Raise it to that with every change
/// of those. As long as it stands, an sgd of another ABI takes connections along, and nodes give them to each other.
pub const CONNECTIONS: u32 = 9;

/// The maps of the assured connections: the tables, and what is counted and remembered of them.
pub const ASSURED: [&str; 8] = [
    name::FLOWS4,
    name::FLOWS6,
    name::TURNS4,
    name::TURNS6,
    name::ROOMS,
    name::PORT_FLOWS,
    name::SWEEP,
    name::SWEEP_TIMER,
];

/// The maps of all others, and of fragments.
pub const UNPROVEN: [&str; 4] = [
    name::EMBRYOS4,
    name::EMBRYOS6,
    name::FRAGMENTS,
    name::SHARES,
];

/// The names of the maps.
pub mod name {
    #![expect(
        missing_docs,
        reason = "each is documented where its key and value are"
    )]
    pub const NODE: &str = "node";
    pub const SETTINGS: &str = "settings";
    pub const PORTS: &str = "ports";
    pub const SLOTS: &str = "slots";
    pub const SLOT_PORTS: &str = "slot_ports";
    pub const OWNERS: &str = "owners";
    pub const ADDRESSES: &str = "addresses";
    pub const POLICIES: &str = "policies";
    pub const MEMBERS: &str = "members";
    pub const PREFIXES: &str = "prefixes";
    pub const GRANTS: &str = "grants";
    pub const PORT_SETS: &str = "port_sets";
    pub const PORT_PAIRS: &str = "port_pairs";
    pub const FLOWS4: &str = "flows4";
    pub const FLOWS6: &str = "flows6";
    pub const EMBRYOS4: &str = "embryos4";
    pub const EMBRYOS6: &str = "embryos6";
    pub const FRAGMENTS: &str = "fragments";
    pub const COUNTERS: &str = "counters";
    pub const FLOODS: &str = "floods";
    pub const ROOMS: &str = "rooms";
    pub const PORT_FLOWS: &str = "port_flows";
    pub const SHARES: &str = "shares";
    pub const TURNS4: &str = "turns4";
    pub const TURNS6: &str = "turns6";
    pub const SWEEP: &str = "sweep";
    pub const SWEEP_TIMER: &str = "sweep_timer";
    pub const ASKED: &str = "asked";
    pub const BUDGETS: &str = "budgets";
    pub const EVENTS: &str = "events";
    pub const HITS: &str = "hits";
    pub const ACCOUNTS: &str = "accounts";
    pub const WHOLE: &str = "whole";
    pub const WHOLE_XDP: &str = "whole_xdp";
    pub const SCRATCH: &str = "scratch";
    pub const OUTER: &str = "outer";
    pub const ADOPTION: &str = "adoption";
    pub const LOGGED: &str = "logged";
    /// `aya-log`'s own name for it.
    pub const LOG: &str = "AYA_LOGS";
}

/// Bytes of what one run of the filter works in, [`crate::scratch::Run`].
pub const SCRATCH: u32 = 528;

/// What a pinned map must look like to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Name of the map.
    pub name: &'static str,
    /// Bytes of a key.
    pub key: u32,
    /// Bytes of a value.
    pub value: u32,
}

const fn of<K, V>(name: &'static str) -> Layout {
    Layout {
        name,
        key: size_of::<K>() as u32,
        value: size_of::<V>() as u32,
    }
}

/// The layouts of the maps within the maps of maps, by [`crate::layout::share::Kind`].
pub const INNER: [Layout; 3] = [
    of::<FlowKey4, Flow>(name::EMBRYOS4),
    of::<FlowKey, Flow>(name::EMBRYOS6),
    of::<FragmentKey, FragmentValue>(name::FRAGMENTS),
];

/// The layout of the maps within [`name::ACCOUNTS`].
pub const ACCOUNT: Layout = of::<FlowKey, Account>(name::ACCOUNTS);

/// The layouts of all pinned maps: all there are, because programs of several processes work together, and what
/// one leaves for the next is to be found where that looks.
pub const LAYOUTS: [Layout; 39] = {
    /// Bytes of a trie's prefix length, before the key's data.
    const PREFIX_LENGTH: u32 = 4;
    const fn trie<K, V>(name: &'static str) -> Layout {
        Layout {
            key: size_of::<K>() as u32 + PREFIX_LENGTH,
            ..of::<K, V>(name)
        }
    }
    [
        of::<u32, Node>(name::NODE),
        of::<u32, Settings>(name::SETTINGS),
        of::<PortKey, u32>(name::PORTS),
        of::<u32, u32>(name::SLOTS),
        of::<u32, SlotPorts>(name::SLOT_PORTS),
        of::<u32, [u8; 16]>(name::OWNERS),
        trie::<AddressKey, u32>(name::ADDRESSES),
        of::<u64, Policy>(name::POLICIES),
        of::<MemberKey, Member>(name::MEMBERS),
        trie::<PrefixKey, u64>(name::PREFIXES),
        of::<GrantKey, Grant>(name::GRANTS),
        of::<u64, PortSet>(name::PORT_SETS),
        of::<u64, PortPairs>(name::PORT_PAIRS),
        of::<FlowKey4, Flow>(name::FLOWS4),
        of::<FlowKey, Flow>(name::FLOWS6),
        of::<u32, u32>(name::EMBRYOS4),
        of::<u32, u32>(name::EMBRYOS6),
        of::<u32, u32>(name::FRAGMENTS),
        of::<u32, Counter>(name::COUNTERS),
        of::<u32, Flood>(name::FLOODS),
        of::<u32, Room>(name::ROOMS),
        of::<u32, u32>(name::PORT_FLOWS),
        of::<u32, Share>(name::SHARES),
        of::<(), FlowKey4>(name::TURNS4),
        of::<(), FlowKey>(name::TURNS6),
        of::<u32, Sweep>(name::SWEEP),
        of::<u32, [u64; 2]>(name::SWEEP_TIMER),
        of::<u32, Asked>(name::ASKED),
        of::<u32, Budget>(name::BUDGETS),
        of::<(), ()>(name::EVENTS),
        of::<HitKey, Hits>(name::HITS),
        of::<u32, u32>(name::ACCOUNTS),
        of::<u32, u32>(name::WHOLE),
        of::<u32, u32>(name::WHOLE_XDP),
        Layout {
            name: name::SCRATCH,
            key: size_of::<u32>() as u32,
            value: SCRATCH,
        },
        of::<u32, [u32; 2]>(name::OUTER),
        of::<u32, Adoption>(name::ADOPTION),
        of::<u32, u32>(name::LOGGED),
        of::<(), ()>(name::LOG),
    ]
};

shared! {
    /// Value of the `node` map: one element, which the daemon writes and the filter does not read. Its size and its
    /// fields stay as they are: whatever the layout, it says what the rest is.
    pub struct Node: 32 {
        /// [`ABI`] of what wrote the other maps; 0 before the first time.
        pub abi: u32,
        /// The next generation that no port has ever had.
        pub next_generation: u32,
        /// The network namespace whose interfaces the other maps speak of, by its cookie
        /// (`SO_NETNS_COOKIE`), which the kernel gives to no other one until it is started again.
        pub netns: u64,
        /// [`CONNECTIONS`] of what wrote the other maps.
        pub connections: u32,
        /// Zero.
        pub reserved: [u32; 3],
    }
}
