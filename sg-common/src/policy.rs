//! The rules of security groups as rows of maps: peers and grants.
//!
//! Neutron's rules only permit, so a verdict is an OR over the rows of all the peers that an address
//! stands for, and neither order nor priority nor product is needed.

use crate::addr::Address;
use crate::packet::Opening;
use crate::shared::{shared, tag_is};
use crate::tables::{Note, Tables};

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
    pub struct Permits: 128 {
        /// Protocols permitted whole, one bit each.
        pub protocols: [u64; 4],
        /// Ports permitted, by [`port_protocol`].
        pub ports: [PortGrant; PORT_PROTOCOLS],
    }

    /// Value of the `policies` map, for one set of groups, one direction and one family.
    pub struct Policy: 160 {
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
    pub struct Grant: 144 {
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
}

/// Bits of [`PrefixKey`] before the address: every prefix is at least this long.
pub const PREFIX_KEY_BITS: u32 = 64;

/// Protocols whose ports (or ICMP types) rules can name.
pub const PORT_PROTOCOLS: usize = 6;

/// Bits of [`Policy::ask`].
pub mod ask {
    /// `members` under [`super::Policy::sources`].
    pub const MEMBERS: u64 = 1;
    /// `prefixes` under [`super::Policy::sources`].
    pub const SOURCE_PREFIXES: u64 = 2;
    /// `prefixes` under [`super::Policy::cidrs`].
    pub const CIDRS: u64 = 4;
}

/// Protocol numbers (IANA) that the filter knows by name.
pub mod protocol {
    #![expect(missing_docs, reason = "the names are IANA's")]
    pub const HOP_BY_HOP: u8 = 0;
    pub const ICMP: u8 = 1;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const DCCP: u8 = 33;
    pub const ROUTING: u8 = 43;
    pub const FRAGMENT: u8 = 44;
    pub const GRE: u8 = 47;
    pub const ICMPV6: u8 = 58;
    pub const NO_NEXT_HEADER: u8 = 59;
    pub const DESTINATION_OPTIONS: u8 = 60;
    pub const SCTP: u8 = 132;
    pub const UDPLITE: u8 = 136;
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

/// Whether a policy permits a new connection: anyone's row, then the rows of the peers that the
/// address stands for. At most `policies` + `members` + two `prefixes` + three `grants` look-ups.
#[inline(always)]
pub fn permits<T: Tables>(tables: &T, id: u64, opening: &Opening) -> bool {
    if id == 0 {
        return false;
    }
    let Some(policy) = tables.policy(&id) else {
        return false;
    };
    let (asks, sources, cidrs) = (policy.ask, policy.sources, policy.cidrs);
    let anyone = policy.anyone.allow(tables, opening);
    if !tag_is(&policy.id, &id) {
        return false;
    }
    if anyone {
        tables.note(Note::PermittedToAnyone);
        return true;
    }
    (asks & ask::MEMBERS != 0 && to_member(tables, id, sources, opening))
        || (asks & ask::SOURCE_PREFIXES != 0 && within(tables, id, sources, opening))
        || (asks & ask::CIDRS != 0 && within(tables, id, cidrs, opening))
}

/// A subprogram of its own in the kernel, like [`within`].
#[cfg_attr(target_arch = "bpf", inline(never))]
fn to_member<T: Tables>(tables: &T, policy: u64, index: u64, opening: &Opening) -> bool {
    let key = MemberKey {
        index,
        address: opening.key.remote,
    };
    let Some(member) = tables.member(&key) else {
        return false;
    };
    let peer = member.peer;
    let permitted = tag_is(&member.key, &key) && granted(tables, policy, peer, opening);
    if permitted {
        tables.note(Note::PermittedToMember);
    }
    permitted
}

/// A subprogram of its own in the kernel: its keys need their own stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn within<T: Tables>(tables: &T, policy: u64, index: u64, opening: &Opening) -> bool {
    let key = PrefixKey {
        index,
        address: opening.key.remote,
    };
    let permitted = match tables.prefix(&key) {
        Some(peer) => granted(tables, policy, peer, opening),
        None => false,
    };
    if permitted {
        tables.note(Note::PermittedToPrefix);
    }
    permitted
}

#[inline(always)]
fn granted<T: Tables>(tables: &T, policy: u64, peer: u64, opening: &Opening) -> bool {
    let key = GrantKey { policy, peer };
    let Some(grant) = tables.grant(&key) else {
        return false;
    };
    let allowed = grant.permits.allow(tables, opening);
    allowed && tag_is(&grant.key, &key)
}

impl Permits {
    /// Permits nothing.
    pub const NOTHING: Permits = Permits {
        protocols: [0; 4],
        ports: [PortGrant::NOTHING; PORT_PROTOCOLS],
    };

    #[inline(always)]
    fn allow<T: Tables>(&self, tables: &T, opening: &Opening) -> bool {
        let protocol = opening.key.protocol as usize;
        if self.protocols[(protocol >> 6) & 3] >> (protocol & 63) & 1 != 0 {
            return true;
        }
        match port_protocol(opening.key.protocol) {
            Some(index) if opening.has_port() => {
                self.ports[index].allows(tables, opening.transport.destination)
            }
            _ => false,
        }
    }
}

impl PortGrant {
    /// The empty range.
    pub const NOTHING: PortGrant = PortGrant {
        set: 0,
        low: 1,
        high: 0,
        reserved: 0,
    };

    #[inline(always)]
    fn allows<T: Tables>(&self, tables: &T, port: u16) -> bool {
        match self.set {
            0 => self.low <= port && port <= self.high,
            set => tables.in_port_set(&set, port),
        }
    }
}

impl PortSet {
    /// Whether the set holds a port.
    #[inline(always)]
    pub fn contains(&self, port: u16) -> bool {
        self.words[(port as usize >> 6) & 1023] >> (port & 63) & 1 != 0
    }
}
