//! How far an update reaches.

use std::collections::BTreeSet;

use sg_common::layout::policy::{GrantKey, MemberKey, PrefixKey};
use sg_common::layout::port::PortKey;

use super::image::Rows;

/// The keys of all rows that an update may have changed; the rows of all others are what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the maps")]
pub struct Reach {
    pub ports: BTreeSet<PortKey>,
    pub policies: BTreeSet<u64>,
    pub members: BTreeSet<MemberKey>,
    pub prefixes: BTreeSet<(u32, PrefixKey)>,
    pub grants: BTreeSet<GrantKey>,
    pub port_sets: BTreeSet<u64>,
    pub port_pairs: BTreeSet<u64>,
}

impl Reach {
    /// Adds the keys of rows.
    pub fn note(&mut self, rows: &Rows) {
        self.policies.extend(rows.policies.keys());
        self.members.extend(rows.members.keys());
        self.prefixes.extend(rows.prefixes.keys());
        self.grants.extend(rows.grants.keys());
        self.port_sets.extend(rows.port_sets.keys());
        self.port_pairs.extend(rows.port_pairs.keys());
    }
}
