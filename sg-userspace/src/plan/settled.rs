//! Which policies can be changed where they are.
//!
//! Rows are written one by one. A policy keeps every verdict between old-and-new and old-or-new on the
//! way if *either* its rows change *or* the members of its groups do. If both change at once (a member
//! joins a group in the update that changes what the group is granted), there is an instant at which
//! the new member meets the old grant. A port whose policy is not settled in this sense passes through
//! a policy of its own that permits what either permits; see [`super::either`].

use std::collections::{BTreeMap, BTreeSet};

use crate::compile::Rows;

pub(super) struct Settled<'a> {
    old: &'a Rows,
    new: &'a Rows,
    /// Policies whose rows differ.
    changed: BTreeSet<u64>,
    /// Indexes whose entries differ.
    touched: BTreeSet<u64>,
    /// Indexes with entries before and after.
    lasting: BTreeSet<u64>,
    /// Indexes in which a member's peer and a prefix change: an address could lose the one before it
    /// has the other.
    entangled: BTreeSet<u64>,
}

impl<'a> Settled<'a> {
    pub fn between(old: &'a Rows, new: &'a Rows) -> Self {
        let members = touched(&old.members, &new.members, |key| key.index);
        let prefixes = touched(&old.prefixes, &new.prefixes, |(_, key)| key.index);
        let replaced = old.members.iter();
        let replaced =
            replaced.filter(|(key, peer)| new.members.get(key).is_some_and(|n| n != *peer));
        let entangled = replaced
            .map(|(key, _)| key.index)
            .filter(|index| prefixes.contains(index))
            .collect();
        let touched = &members | &prefixes;
        let policies = old.policies.iter();
        let policies =
            policies.filter(|(id, policy)| new.policies.get(id).is_some_and(|n| n != *policy));
        // A grant in one of the two only belongs to a peer in one of the two only: the same index means
        // the same groups, and each of them is granted something.
        let grants = old.grants.iter();
        let grants = grants.filter(|(key, grant)| new.grants.get(key).is_some_and(|n| n != *grant));
        let changed = policies
            .map(|(id, _)| *id)
            .chain(grants.map(|(key, _)| key.policy))
            .collect();
        let after = indexes(new);
        let lasting = indexes(old)
            .into_iter()
            .filter(|index| after.contains(index))
            .collect();
        Self {
            old,
            new,
            changed,
            touched,
            lasting,
            entangled,
        }
    }

    /// Whether a port can go from policy `before` to policy `after` (0: none) in one write.
    pub fn is_safe(&self, before: u64, after: u64) -> bool {
        let (from, to) = (
            self.old.policies.get(&before),
            self.new.policies.get(&after),
        );
        let sources = [from, to].map(|policy| policy.map_or(0, |policy| policy.sources));
        let cidrs = [from, to].map(|policy| policy.map_or(0, |policy| policy.cidrs));
        let rows_change = [before, after]
            .iter()
            .any(|policy| self.changed.contains(policy));
        if before != after {
            return !rows_change && sources.into_iter().chain(cidrs).all(|i| self.is_quiet(i));
        }
        let cidrs_change = cidrs.iter().any(|index| self.touched.contains(index));
        match sources {
            [from, _] if !rows_change && !cidrs_change => !self.entangled.contains(&from),
            [0, index] | [index, 0] => self.is_quiet(index),
            [from, to] => from == to && !self.touched.contains(&to),
        }
    }

    /// Whether an index is wholly there as long as it is asked: it does not change, or it is written
    /// before anything asks it, or it is removed after.
    fn is_quiet(&self, index: u64) -> bool {
        !self.touched.contains(&index) || !self.lasting.contains(&index)
    }
}

/// The indexes of the entries that differ.
fn touched<K: Ord, V: PartialEq>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
    index: fn(&K) -> u64,
) -> BTreeSet<u64> {
    let differs = |(key, value): &(&K, &V), other: &BTreeMap<K, V>| other.get(key) != Some(value);
    let gone = old.iter().filter(|entry| differs(entry, new));
    let come = new.iter().filter(|entry| differs(entry, old));
    gone.chain(come).map(|(key, _)| index(key)).collect()
}

fn indexes(rows: &Rows) -> BTreeSet<u64> {
    let members = rows.members.keys().map(|key| key.index);
    members
        .chain(rows.prefixes.keys().map(|(_, key)| key.index))
        .collect()
}
