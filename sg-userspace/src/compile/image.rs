//! What the maps of the policy are to hold.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use sg_common::layout::policy::{
    Grant, GrantKey, Member, MemberKey, Permits, Policy, PortPairs, PortSet, PrefixKey,
};
use sg_common::layout::port::{AddressKey, OWN, PortKey};
use sg_common::wire::addr::Address;

use super::limits::Table;
use crate::model::PortId;

/// The policy half of the maps, as compiled: all but what depends on what was there before, the slots
/// and generations of the ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The ports of this host.
    pub ports: BTreeMap<PortKey, PortImage>,
    /// Their policies.
    pub rows: Rows,
}

/// A port without slot and generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortImage {
    /// The port.
    pub id: PortId,
    /// Its MAC address.
    pub mac: sg_common::wire::addr::Mac,
    /// Bits of [`sg_common::layout::port::flags`].
    pub flags: u16,
    /// By [`sg_common::layout::port::policy_index`].
    pub policies: [u64; 4],
    /// Those of its addresses that its own row holds.
    pub own: Own,
    /// Its rows of `addresses`, of slot 0.
    pub addresses: BTreeMap<(u32, AddressKey), u32>,
}

/// [`sg_common::layout::port::Port::own`] and what goes with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// The addresses.
    pub addresses: [[Address; OWN]; 2],
    /// Bits of [`sg_common::layout::port::kind`] of each.
    pub kinds: [[u8; OWN]; 2],
}

/// The rows of policies. The keys of tries are (bits of the key that count, key).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the maps")]
pub struct Rows {
    pub policies: BTreeMap<u64, Policy>,
    pub members: BTreeMap<MemberKey, Member>,
    pub prefixes: BTreeMap<(u32, PrefixKey), u64>,
    pub grants: BTreeMap<GrantKey, Grant>,
    pub port_sets: BTreeMap<u64, Box<PortSet>>,
    pub port_pairs: BTreeMap<u64, Box<PortPairs>>,
}

impl Rows {
    /// Rows of a table; none of those that belong to ports.
    pub fn count(&self, table: Table) -> usize {
        match table {
            Table::Ports | Table::Addresses => 0,
            Table::Policies => self.policies.len(),
            Table::Members => self.members.len(),
            Table::Prefixes => self.prefixes.len(),
            Table::Grants => self.grants.len(),
            Table::PortSets => self.port_sets.len(),
            Table::PortPairs => self.port_pairs.len(),
        }
    }

    /// Adds rows; of two with one key the added one stays.
    pub fn extend(&mut self, rows: Rows) {
        self.policies.extend(rows.policies);
        self.members.extend(rows.members);
        self.prefixes.extend(rows.prefixes);
        self.grants.extend(rows.grants);
        self.port_sets.extend(rows.port_sets);
        self.port_pairs.extend(rows.port_pairs);
    }
}

impl Rows {
    /// The members of an index.
    pub fn members_of(&self, index: u64) -> impl Iterator<Item = (&MemberKey, &Member)> {
        let key = |octet| MemberKey {
            index,
            address: Address::new([octet; 16]),
        };
        self.members.range(key(0)..=key(u8::MAX))
    }

    /// The prefixes of an index, the shortest first.
    pub fn prefixes_of(&self, index: u64) -> impl Iterator<Item = (&(u32, PrefixKey), &u64)> {
        let key = move |octet| PrefixKey {
            index,
            address: Address::new([octet; 16]),
        };
        let first = PrefixKey {
            index: 0,
            address: Address::new([0; 16]),
        };
        let from = move |bits| {
            let (bits, _) = self.prefixes.range((bits, first)..).next()?.0;
            Some(*bits)
        };
        let lengths = iter::successors(from(0), move |bits| from(bits + 1));
        lengths.flat_map(move |bits| self.prefixes.range((bits, key(0))..=(bits, key(u8::MAX))))
    }

    /// The grants of a policy.
    pub fn grants_of(&self, policy: u64) -> impl Iterator<Item = (&GrantKey, &Grant)> {
        let key = |peer| GrantKey { policy, peer };
        self.grants.range(key(0)..=key(u64::MAX))
    }

    /// The port sets and the pairs of ports that rows refer to, once for each time. No two of them share an
    /// id, of whichever table.
    pub fn ports_of<'a>(
        policies: impl Iterator<Item = &'a Policy>,
        grants: impl Iterator<Item = &'a Grant>,
    ) -> impl Iterator<Item = u64> {
        let permits = policies.map(|policy| &policy.anyone);
        let permits = permits.chain(grants.map(|grant| &grant.permits));
        let sets = |permits: &'a Permits| permits.ports.iter().map(|ports| ports.set);
        let ids = permits.flat_map(move |permits| sets(permits).chain([permits.pairs]));
        ids.filter(|id| *id != 0)
    }

    /// The rows that these policies ask.
    pub fn reached_from(&self, policies: impl Iterator<Item = u64>) -> Self {
        let ids: BTreeSet<u64> = policies.collect();
        let policies = select(&self.policies, |id| ids.contains(id));
        let indexes: BTreeSet<u64> = policies
            .values()
            .flat_map(|policy| [policy.sources, policy.cidrs])
            .collect();
        let grants = select(&self.grants, |key| ids.contains(&key.policy));
        let ports: BTreeSet<u64> = Self::ports_of(policies.values(), grants.values()).collect();
        Self {
            members: select(&self.members, |key| indexes.contains(&key.index)),
            prefixes: select(&self.prefixes, |(_, key)| indexes.contains(&key.index)),
            port_sets: select(&self.port_sets, |id| ports.contains(id)),
            port_pairs: select(&self.port_pairs, |id| ports.contains(id)),
            policies,
            grants,
        }
    }
}

fn select<K: Ord + Clone, V: Clone>(
    map: &BTreeMap<K, V>,
    keep: impl Fn(&K) -> bool,
) -> BTreeMap<K, V> {
    map.iter()
        .filter(|(key, _)| keep(key))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

impl Image {
    /// Rows of a table.
    pub fn count(&self, table: Table) -> usize {
        match table {
            Table::Ports => self.ports.len(),
            Table::Addresses => self.ports.values().map(|port| port.addresses.len()).sum(),
            _ => self.rows.count(table),
        }
    }
}
