//! How much the maps hold.

use sg_common::layout::capacity;
use sg_common::layout::maps::name;

/// The maps of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the maps")]
pub enum Table {
    Ports,
    Addresses,
    Policies,
    Members,
    Prefixes,
    Grants,
    PortSets,
    PortPairs,
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Ports,
        Self::Addresses,
        Self::Policies,
        Self::Members,
        Self::Prefixes,
        Self::Grants,
        Self::PortSets,
        Self::PortPairs,
    ];

    /// The name of the map.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ports => name::PORTS,
            Self::Addresses => name::ADDRESSES,
            Self::Policies => name::POLICIES,
            Self::Members => name::MEMBERS,
            Self::Prefixes => name::PREFIXES,
            Self::Grants => name::GRANTS,
            Self::PortSets => name::PORT_SETS,
            Self::PortPairs => name::PORT_PAIRS,
        }
    }

    /// The daemon's setting for the size of the map.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Ports => "--max-ports",
            Self::Addresses => "--max-addresses",
            Self::Policies => "--max-policies",
            Self::Members => "--max-members",
            Self::Prefixes => "--max-prefixes",
            Self::Grants => "--max-grants",
            Self::PortSets => "--max-port-sets",
            Self::PortPairs => "--max-port-pairs",
        }
    }
}

/// The size of each map, in entries. Slots of ports are 1 to `ports`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the maps")]
pub struct Limits {
    pub ports: u32,
    pub addresses: u32,
    pub policies: u32,
    pub members: u32,
    pub prefixes: u32,
    pub grants: u32,
    pub port_sets: u32,
    pub port_pairs: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ports: capacity::PORTS,
            addresses: capacity::ADDRESSES,
            policies: capacity::POLICIES,
            members: capacity::MEMBERS,
            prefixes: capacity::PREFIXES,
            grants: capacity::GRANTS,
            port_sets: capacity::PORT_SETS,
            port_pairs: capacity::PORT_PAIRS,
        }
    }
}

impl Limits {
    /// The size of a table.
    pub fn of(&self, table: Table) -> usize {
        let size = match table {
            Table::Ports => self.ports,
            Table::Addresses => self.addresses,
            Table::Policies => self.policies,
            Table::Members => self.members,
            Table::Prefixes => self.prefixes,
            Table::Grants => self.grants,
            Table::PortSets => self.port_sets,
            Table::PortPairs => self.port_pairs,
        };
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// The room that is left beside rows that stay.
    pub fn less(&self, rest: impl Fn(Table) -> usize) -> Self {
        let left = |table| {
            let rest = u32::try_from(rest(table)).unwrap_or(u32::MAX);
            let size = u32::try_from(self.of(table)).unwrap_or(u32::MAX);
            size.saturating_sub(rest)
        };
        Self {
            ports: left(Table::Ports),
            addresses: left(Table::Addresses),
            policies: left(Table::Policies),
            members: left(Table::Members),
            prefixes: left(Table::Prefixes),
            grants: left(Table::Grants),
            port_sets: left(Table::PortSets),
            port_pairs: left(Table::PortPairs),
        }
    }

    /// The first table that would hold more than it can, and how much.
    pub fn exceeded(&self, need: impl Fn(Table) -> usize) -> Option<(Table, usize)> {
        Table::ALL
            .into_iter()
            .map(|table| (table, need(table)))
            .find(|(t, n)| *n > self.of(*t))
    }
}
