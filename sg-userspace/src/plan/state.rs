//! What the maps hold, and one write to them.

use std::collections::BTreeMap;

use sg_common::layout::policy::{
    Grant, GrantKey, Member, MemberKey, Policy, PortPairs, PortSet, PrefixKey,
};
use sg_common::layout::port::{AddressKey, Port, PortKey};
use sg_common::memory::Memory;

use crate::compile::{Rows, Table};

/// The policy half of the maps, as read from the kernel or as last written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// `ports`.
    pub ports: BTreeMap<PortKey, Port>,
    /// `addresses`, by (bits of the key that count, key).
    pub addresses: BTreeMap<(u32, AddressKey), u32>,
    /// The other maps.
    pub rows: Rows,
}

/// One write: the key takes the value, or is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the maps")]
pub enum Change {
    Port(PortKey, Option<Port>),
    Address((u32, AddressKey), Option<u32>),
    Policy(u64, Option<Policy>),
    Member(MemberKey, Option<Member>),
    Prefix((u32, PrefixKey), Option<u64>),
    Grant(GrantKey, Option<Grant>),
    PortSet(u64, Option<Box<PortSet>>),
    PortPairs(u64, Option<Box<PortPairs>>),
}

impl Change {
    /// The map that is written.
    pub fn table(&self) -> Table {
        match self {
            Self::Port(..) => Table::Ports,
            Self::Address(..) => Table::Addresses,
            Self::Policy(..) => Table::Policies,
            Self::Member(..) => Table::Members,
            Self::Prefix(..) => Table::Prefixes,
            Self::Grant(..) => Table::Grants,
            Self::PortSet(..) => Table::PortSets,
            Self::PortPairs(..) => Table::PortPairs,
        }
    }
}

impl State {
    /// Rows of a table.
    pub fn count(&self, table: Table) -> usize {
        match table {
            Table::Ports => self.ports.len(),
            Table::Addresses => self.addresses.len(),
            _ => self.rows.count(table),
        }
    }

    /// Applies a write, and says whether it changed anything.
    pub fn apply(&mut self, change: &Change) -> bool {
        match change {
            Change::Port(key, value) => put(&mut self.ports, key, value),
            Change::Address(key, value) => put(&mut self.addresses, key, value),
            Change::Policy(key, value) => put(&mut self.rows.policies, key, value),
            Change::Member(key, value) => put(&mut self.rows.members, key, value),
            Change::Prefix(key, value) => put(&mut self.rows.prefixes, key, value),
            Change::Grant(key, value) => put(&mut self.rows.grants, key, value),
            Change::PortSet(key, value) => put(&mut self.rows.port_sets, key, value),
            Change::PortPairs(key, value) => put(&mut self.rows.port_pairs, key, value),
        }
    }

    /// The same in the tables of the filter, for `sgctl explain` and for tests.
    pub fn to_memory(&self) -> Memory {
        let rows = self.rows.clone();
        Memory {
            ports: self.ports.clone(),
            addresses: self.addresses.clone(),
            policies: rows.policies,
            members: rows.members,
            prefixes: rows.prefixes,
            grants: rows.grants,
            port_sets: rows.port_sets,
            port_pairs: rows.port_pairs,
            ..Memory::default()
        }
    }
}

fn put<K: Ord + Clone, V: Clone + PartialEq>(
    map: &mut BTreeMap<K, V>,
    key: &K,
    value: &Option<V>,
) -> bool {
    if map.get(key) == value.as_ref() {
        return false;
    }
    match value {
        Some(value) => map.insert(key.clone(), value.clone()),
        None => map.remove(key),
    };
    true
}
