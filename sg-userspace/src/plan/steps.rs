//! From one state to another, in an order that opens nothing and closes nothing on the way.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::layout::policy::{Grant, GrantKey, Policy, PrefixKey};
use sg_common::layout::port::{Port, PortKey};

use super::staging::Staging;
use super::state::{Change, State};
use super::widen::widened;
use crate::compile::{Collision, Ids, Limits, Rows};

/// A key of `prefixes`: the bits that count, and the key.
type Prefix = (u32, PrefixKey);

/// The writes from one state to another, and what they come to.
pub(super) struct Steps<'a> {
    now: State,
    limits: &'a Limits,
    /// The writes.
    pub changes: Vec<Change>,
    /// Whether a table held more than it can on the way.
    pub overflowed: bool,
    /// Whether a port had to pass through a policy of its own.
    pub staged: bool,
}

/// The writes from `old` to `new`. `salt` is a number never used before.
///
/// Every verdict is an OR over rows, so that rows may be added and widened in any order as long as
/// nothing is removed or narrowed before its successor is in place.
pub(super) fn steps<'a>(
    old: &State,
    new: &State,
    limits: &'a Limits,
    salt: u64,
) -> Result<Steps<'a>, Collision> {
    let mut ids = Ids::default();
    let mut steps = Steps {
        now: old.clone(),
        limits,
        changes: Vec::new(),
        overflowed: false,
        staged: false,
    };
    steps.remove_ports(new);
    let staging = Staging::between(old, new, salt, &mut ids)?;
    let wide = widened(&old.rows, &new.rows, &mut ids)?;
    steps.staged = staging.rows != Rows::default();
    let mut lasting = new.rows.clone();
    lasting.extend(staging.rows.clone());

    for rows in [&lasting, &wide] {
        steps.add_port_rows(rows);
    }
    steps.add_grants(&staging.rows.grants);
    steps.add_entries(&staging.rows);
    steps.add_policies(&staging.rows.policies);
    steps.set_ports(&staging.before);

    steps.add_grants(&wide.grants);
    steps.add_policies(&wide.policies);
    steps.add_addresses(new);
    steps.add_entries(&new.rows);
    steps.set_ports(&staging.between);

    steps.remove_entries(&lasting);
    steps.settle_policies(&lasting);
    steps.settle_grants(&lasting);
    steps.settle_addresses(new);
    steps.set_ports(&staging.after);

    steps.remove_entries(&new.rows);
    steps.settle_policies(&new.rows);
    steps.settle_grants(&new.rows);
    steps.remove_port_rows(&new.rows);
    steps.set_ports(&new.ports);
    Ok(steps)
}

impl Steps<'_> {
    fn write(&mut self, change: Change) {
        if self.now.apply(&change) {
            let table = change.table();
            self.overflowed |= self.now.count(table) > self.limits.of(table);
            self.changes.push(change);
        }
    }

    /// Ports that go, and those whose interface goes to another port: it is closed between the two.
    fn remove_ports(&mut self, new: &State) {
        let stays = |port: &Port| {
            new.ports
                .get(&port.key)
                .is_some_and(|n| n.uuid == port.uuid)
        };
        let gone: Vec<_> = self
            .now
            .ports
            .iter()
            .filter(|(_, port)| !stays(port))
            .map(|(key, _)| *key)
            .collect();
        gone.into_iter()
            .for_each(|key| self.write(Change::Port(key, None)));
    }

    fn set_ports(&mut self, ports: &BTreeMap<PortKey, Port>) {
        ports
            .iter()
            .for_each(|(key, port)| self.write(Change::Port(*key, Some(*port))));
    }

    fn add_port_rows(&mut self, rows: &Rows) {
        for (id, set) in &rows.port_sets {
            self.write(Change::PortSet(*id, Some(set.clone())));
        }
        for (id, pairs) in &rows.port_pairs {
            self.write(Change::PortPairs(*id, Some(pairs.clone())));
        }
    }

    fn add_grants(&mut self, grants: &BTreeMap<GrantKey, Grant>) {
        grants
            .iter()
            .for_each(|(key, grant)| self.write(Change::Grant(*key, Some(*grant))));
    }

    fn add_policies(&mut self, policies: &BTreeMap<u64, Policy>) {
        policies
            .iter()
            .for_each(|(id, policy)| self.write(Change::Policy(*id, Some(*policy))));
    }

    fn add_addresses(&mut self, new: &State) {
        new.addresses
            .iter()
            .for_each(|(key, kind)| self.write(Change::Address(*key, Some(*kind))));
    }

    /// What addresses gain comes first: a longer CIDR of a rule may hide one that a member's grant, or
    /// that of a group's prefix, makes up for.
    fn add_entries(&mut self, rows: &Rows) {
        for (key, member) in &rows.members {
            self.write(Change::Member(*key, Some(*member)));
        }
        // Longer prefixes first: an address then meets its final one at once, and no other between.
        let (of_rules, of_groups) = self.by_index(rows.prefixes.keys().rev());
        for key in of_groups.into_iter().chain(of_rules) {
            self.write(Change::Prefix(key, rows.prefixes.get(&key).copied()));
        }
    }

    /// In the opposite order, for the same reasons: what addresses lose goes last, shorter prefixes first.
    fn remove_entries(&mut self, new: &Rows) {
        let prefixes = missing(&self.now.rows.prefixes, &new.prefixes);
        let (of_rules, of_groups) = self.by_index(prefixes.iter());
        for key in of_rules.into_iter().chain(of_groups) {
            self.write(Change::Prefix(key, None));
        }
        for key in missing(&self.now.rows.members, &new.members) {
            self.write(Change::Member(key, None));
        }
    }

    /// Those of the CIDRs of rules, and those of groups.
    fn by_index<'a>(
        &self,
        prefixes: impl Iterator<Item = &'a Prefix>,
    ) -> (Vec<Prefix>, Vec<Prefix>) {
        let policies = self.now.rows.policies.values();
        let cidrs: BTreeSet<u64> = policies.map(|policy| policy.cidrs).collect();
        prefixes
            .copied()
            .partition(|(_, key)| cidrs.contains(&key.index))
    }

    fn settle_policies(&mut self, new: &Rows) {
        self.add_policies(&new.policies);
        for id in missing(&self.now.rows.policies, &new.policies) {
            self.write(Change::Policy(id, None));
        }
    }

    fn settle_addresses(&mut self, new: &State) {
        for key in missing(&self.now.addresses, &new.addresses) {
            self.write(Change::Address(key, None));
        }
    }

    fn settle_grants(&mut self, new: &Rows) {
        self.add_grants(&new.grants);
        for key in missing(&self.now.rows.grants, &new.grants) {
            self.write(Change::Grant(key, None));
        }
    }

    fn remove_port_rows(&mut self, new: &Rows) {
        for id in missing(&self.now.rows.port_sets, &new.port_sets) {
            self.write(Change::PortSet(id, None));
        }
        for id in missing(&self.now.rows.port_pairs, &new.port_pairs) {
            self.write(Change::PortPairs(id, None));
        }
    }
}

fn missing<K: Ord + Copy, V>(now: &BTreeMap<K, V>, new: &BTreeMap<K, V>) -> Vec<K> {
    now.keys()
        .filter(|key| !new.contains_key(key))
        .copied()
        .collect()
}
