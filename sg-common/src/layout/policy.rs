//! The rules of security groups as rows of maps: peers and grants.
//!
//! Neutron's rules only permit, so a verdict is an OR over the rows of all the peers that an address
//! stands for, and neither order nor priority nor product is needed.

use crate::layout::shared::shared;
use crate::wire::addr::Address;
use crate::wire::protocol;

shared! {
    /// A permitted range of ports: inline if `set` is 0 (nothing if `low > high`), else a port set.
    /// For ICMP the "port" is `type << 8 | code`.
    pub struct PortGrant: 16 {
        /// Id of a [`PortSet`], or 0.
        pub set: u64,
        /// First port.
        pub low: u16,
        /// Last port, included.
        pub high: u16,
        /// Zero.
        pub reserved: u32,
    }

    /// What one row permits: the union of the rules that it stands for.
    pub struct Permits: 136 {
        /// Protocols permitted whole, one bit each.
        pub protocols: [u64; 4],
        /// Id of [`PortPairs`], which are permitted as well; 0 if there are none.
        pub pairs: u64,
        /// Destination ports permitted from any source port, by [`port_protocol`].
        pub ports: [PortGrant; PORT_PROTOCOLS],
    }

    /// Value of the `policies` map, for one set of groups, one direction and one family.
    pub struct Policy: 168 {
        /// Its own id, checked after reading.
        pub id: u64,
        /// Index of its remote groups and address groups in `members` and `prefixes`.
        pub sources: u64,
        /// Index of the CIDRs of its rules in `prefixes`.
        pub cidrs: u64,
        /// Bits of [`ask`]: which indexes hold anything.
        pub ask: u64,
        /// What anyone may do.
        pub anyone: Permits,
    }

    /// Key of the `members` map: an address in an index.
    pub struct MemberKey: 24 {
        /// The index: one interned set of remote groups and address groups.
        pub index: u64,
        /// The address.
        pub address: Address,
    }

    /// Value of the `members` map.
    pub struct Member: 32 {
        /// Its own key, checked after reading.
        pub key: MemberKey,
        /// The peer: which of the index's groups the address belongs to.
        pub peer: u64,
    }

    /// The data of a key of the `prefixes` trie.
    pub struct PrefixKey: 24 {
        /// The index.
        pub index: u64,
        /// The address, of which the prefix length says how many bits count.
        pub address: Address,
    }

    /// Key of the `grants` map.
    pub struct GrantKey: 16 {
        /// The policy.
        pub policy: u64,
        /// The peer.
        pub peer: u64,
    }

    /// Value of the `grants` map.
    pub struct Grant: 152 {
        /// Its own key, checked after reading.
        pub key: GrantKey,
        /// What this policy permits to this peer.
        pub permits: Permits,
    }

    /// 65,536 ports, one bit each. A set never changes: another content is another id.
    pub struct PortSet: 8200 {
        /// Its own id, checked after reading.
        pub id: u64,
        /// Port `p` is bit `p % 64` of word `p / 64`.
        pub words: [u64; 1024],
    }

    /// Any of a range of source ports with any of a range of destination ports, of one protocol. The source
    /// is the packet's sender: the other side for ingress, the VM for egress.
    pub struct PortPair: 10 {
        /// The protocol's number.
        pub protocol: u16,
        /// First source port.
        pub source_low: u16,
        /// Last source port, included.
        pub source_high: u16,
        /// First destination port.
        pub low: u16,
        /// Last destination port, included.
        pub high: u16,
    }

    /// Pairs of ports. They never change: another content is another id.
    pub struct PortPairs: 656 {
        /// Its own id, checked after reading.
        pub id: u64,
        /// How many of the pairs count, from the first on.
        pub count: u64,
        /// The pairs; zero beyond `count`.
        pub pairs: [PortPair; PAIRS],
    }
}

/// Bits of [`PrefixKey`] before the address: every prefix is at least this long.
pub const PREFIX_KEY_BITS: u32 = 64;

/// Protocols whose ports (or ICMP types) rules can name.
pub const PORT_PROTOCOLS: usize = 6;

/// Pairs of ranges of ports that one row can permit.
pub const PAIRS: usize = 64;

/// Bits of [`Policy::ask`].
pub mod ask {
    /// `members` under [`super::Policy::sources`].
    pub const MEMBERS: u64 = 1;
    /// `prefixes` under [`super::Policy::sources`].
    pub const SOURCE_PREFIXES: u64 = 2;
    /// `prefixes` under [`super::Policy::cidrs`].
    pub const CIDRS: u64 = 4;
}

/// Index into [`Permits::ports`], if rules can name ports (or types) of the protocol.
#[inline(always)]
pub const fn port_protocol(protocol: u8) -> Option<usize> {
    match protocol {
        protocol::TCP => Some(0),
        protocol::UDP => Some(1),
        protocol::SCTP => Some(2),
        protocol::DCCP => Some(3),
        protocol::UDPLITE => Some(4),
        protocol::ICMP | protocol::ICMPV6 => Some(5),
        _ => None,
    }
}

impl Permits {
    /// Permits nothing.
    pub const NOTHING: Permits = Permits {
        protocols: [0; 4],
        pairs: 0,
        ports: [PortGrant::NOTHING; PORT_PROTOCOLS],
    };
}

impl PortGrant {
    /// The empty range.
    pub const NOTHING: PortGrant = PortGrant {
        set: 0,
        low: 1,
        high: 0,
        reserved: 0,
    };
}

impl PortSet {
    /// Whether the set holds a port.
    #[inline(always)]
    pub fn contains(&self, port: u16) -> bool {
        self.word(port) >> (port & 63) & 1 != 0
    }

    /// The word that has the bit of a port.
    #[inline(always)]
    pub fn word(&self, port: u16) -> u64 {
        self.words[(port as usize >> 6) & 1023]
    }
}

impl PortPairs {
    /// Whether any of the pairs is of these ports.
    #[inline(always)]
    pub fn contains(&self, protocol: u8, source: u16, destination: u16) -> bool {
        let mut pairs = self.pairs.iter().zip(0..self.count);
        pairs.any(|(pair, _)| pair.contains(protocol, source, destination))
    }
}

impl PortPair {
    /// No ports.
    pub const NOTHING: PortPair = PortPair {
        protocol: 0,
        source_low: 0,
        source_high: 0,
        low: 0,
        high: 0,
    };

    /// Whether it is of these ports.
    #[inline(always)]
    pub fn contains(&self, protocol: u8, source: u16, destination: u16) -> bool {
        self.protocol == u16::from(protocol)
            && self.source_low <= source
            && source <= self.source_high
            && self.low <= destination
            && destination <= self.high
    }
}
