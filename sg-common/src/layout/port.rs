//! A Neutron port as the kernel knows it.

use crate::hook::Direction;
use crate::layout::shared::shared;
use crate::wire::addr::{Address, Family, Mac};

shared! {
    /// Key of a port: the interface, and the VLAN of a trunk's subport (0: untagged). By it `ports` has the slots
    /// of the ports that have no place in `slots`.
    pub struct PortKey: 8 {
        /// Kernel index of the tap; or a number that is no interface's, see [`PortKey::parked`].
        pub ifindex: u32,
        /// VLAN id of a trunk subport, 0 for the frames without a tag.
        pub vlan: u16,
        /// In the tag of a [`SlotPorts`], which of its writings this is; else 0.
        pub turn: u16,
    }

    /// All that decides about a port before its flows and its policy.
    pub struct Port: 144 {
        /// Its own key, checked after the value was copied.
        pub key: PortKey,
        /// Dense number of the port: index of its counters and the port's part of flow keys. Never 0.
        pub slot: u32,
        /// Judgements of flows are valid as long as this number stands. Never repeated on a node.
        pub generation: u32,
        /// The port's MAC address.
        pub mac: Mac,
        /// Bits of [`flags`].
        pub flags: u16,
        /// Policy ids by [`policy_index`]; 0 refuses all but the built-ins.
        pub policies: [u64; 4],
        /// The port's UUID, for people and for a restarted daemon; the filter does not read it.
        pub uuid: [u8; 16],
        /// The addresses that go with the port's MAC, as far as there is room, by [`Family`]: most ports
        /// have no more, and then nothing is looked up ([`flags::ONLY_OWN_V4`]). Rows of `addresses`, too.
        pub own: [[Address; OWN]; 2],
        /// Bits of [`kind`] of these addresses; 0 where there is none.
        pub own_kinds: [[u8; OWN]; 2],
        /// Zero.
        pub reserved: u32,
    }

    /// Value of the `slot_ports` map: the port of a slot, which is written beside the one in force, for a reader
    /// may just hold that.
    pub struct SlotPorts: 296 {
        /// How often it was written; `ports[turn & 1]` is in force.
        pub turn: u32,
        /// Zero.
        pub reserved: u32,
        /// The port, and what it was before or is about to be. Slot 0: there is none.
        pub ports: [Port; 2],
    }

    /// The data of a key of the `addresses` trie: an address the port may send from.
    pub struct AddressKey: 28 {
        /// The port.
        pub slot: u32,
        /// Source MAC that goes with the address.
        pub mac: Mac,
        /// 4 or 6; 0 in the rows that say "this MAC may send", whose address is zero; with
        /// [`ANY_MAC`] in the rows that say "some MAC may send from this address", whose MAC is zero.
        pub family: u8,
        /// Zero.
        pub reserved: u8,
        /// The address, of which the prefix length says how many bits count.
        pub address: Address,
    }
}

/// How many addresses of each family [`Port::own`] has room for: a fixed one and the link-local one.
pub const OWN: usize = 2;

/// Bits of [`AddressKey`] before the address: every prefix is at least this long.
pub const ADDRESS_KEY_BITS: u32 = 96;

/// The family number of the rows "this MAC may send".
pub const ANY_FAMILY: u8 = 0;

/// Set in the family number of the rows "some MAC may send from this address". There is one for every
/// pair with a MAC that is not the port's: a connection knows its addresses, but not its MACs.
pub const ANY_MAC: u8 = 0x80;

/// Bits of [`Port::flags`].
pub mod flags {
    /// Port security is off, or the port is trusted (`network:` owner): everything passes.
    pub const UNFILTERED: u16 = 1;
    /// The groups are stateless: no connection is tracked, every packet meets the rules.
    pub const STATELESS: u16 = 2;
    /// An allowed pair covers all of IPv4: ARP senders are not checked (Neutron `arp_protect.py`).
    pub const ARP_UNCHECKED: u16 = 4;
    /// The port has a fixed IPv6 address: router advertisements reach it.
    pub const FIXED_V6: u16 = 8;
    /// The port has fixed addresses, but neither one nor a pair of IPv4.
    pub const WITHOUT_V4: u16 = 16;
    /// The port has fixed addresses, but neither one nor a pair of IPv6.
    pub const WITHOUT_V6: u16 = 32;
    /// The parent of a trunk: a frame in a VLAN of no subport is nobody's, even if everything else passes.
    pub const TRUNK: u16 = 64;
    /// All IPv4 addresses that the port may send from are in [`super::Port::own`], with the port's MAC.
    pub const ONLY_OWN_V4: u16 = 128;
    /// All IPv6 addresses that the port may send from are in [`super::Port::own`], with the port's MAC.
    pub const ONLY_OWN_V6: u16 = 256;
    /// What no rule permits passes, and is counted and told.
    pub const AUDIT: u16 = 512;
}

/// Bits of the value of the `addresses` trie: why an address is allowed.
pub mod kind {
    /// A fixed address of the port.
    pub const FIXED: u32 = 1;
    /// An allowed address pair.
    pub const PAIR: u32 = 2;
    /// The port has no fixed address: any source with its MAC.
    pub const ANY: u32 = 4;
    /// The link-local address that belongs to a MAC of the port.
    pub const LINK_LOCAL: u32 = 8;
    /// A MAC that may send, in the rows of [`super::ANY_FAMILY`].
    pub const MAC: u32 = 16;
}

impl PortKey {
    /// Numbers from here on are no interface's: an index is a positive `int` (`include/linux/netdevice.h`).
    const PARKED: u32 = 1 << 31;

    /// The key of an interface and a VLAN.
    #[inline(always)]
    pub const fn new(ifindex: u32, vlan: u16) -> PortKey {
        PortKey {
            ifindex,
            vlan,
            turn: 0,
        }
    }

    /// The place of a port that has no interface at the moment, of which no packet speaks. The last place
    /// given out has the lowest number; `former` is the lowest in use.
    pub const fn parked(former: Option<PortKey>) -> Option<PortKey> {
        let number = match former {
            None => u32::MAX,
            Some(key) => key.ifindex.wrapping_sub(1),
        };
        let key = PortKey::new(number, 0);
        if key.is_parked() { Some(key) } else { None }
    }

    /// Whether it is the place of a port without an interface.
    pub const fn is_parked(&self) -> bool {
        self.ifindex >= Self::PARKED
    }
}

/// Index into [`Port::policies`].
#[inline(always)]
pub const fn policy_index(direction: Direction, family: Family) -> usize {
    direction as usize * 2 + family as usize
}

impl Port {
    /// Whether a bit of [`flags`] is set.
    #[inline(always)]
    pub const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}
