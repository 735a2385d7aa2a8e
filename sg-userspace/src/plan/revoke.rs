//! Whose accepted connections must be judged again.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::layout::port::{AddressKey, Port};

use super::assign::addresses;
use super::state::State;
use crate::compile::{PortImage, Rows, Services};

/// Set in [`Port::reserved`] while an update that revokes is under way, so that an update after a crash
/// knows that the port's connections have not been judged since. The filter does not read it.
pub(super) const PENDING: u32 = 1;

/// The policies that may refuse what they have accepted.
pub(super) struct Revoked(BTreeSet<u64>);

impl Revoked {
    /// Compares rows as they are with rows as they will be. When in doubt a policy counts as revoked: to
    /// judge a connection once more is cheap and changes nothing if it still passes.
    pub fn between(old: &Rows, new: &Rows) -> Self {
        let lifted = |permits, rows: &Rows| Services::lift(permits, rows);
        let mut revoked = BTreeSet::new();
        for (key, grant) in changed(&old.grants, &new.grants) {
            let covered = new.grants.get(key).is_some_and(|after| {
                lifted(&after.permits, new).covers(&lifted(&grant.permits, old))
            });
            if !covered {
                revoked.insert(key.policy);
            }
        }
        let members = changed(&old.members, &new.members).map(|(key, _)| key.index);
        let prefixes = changed(&old.prefixes, &new.prefixes).map(|((_, key), _)| key.index);
        let indexes: BTreeSet<u64> = members.chain(prefixes).collect();
        for (id, before) in &old.policies {
            let covered = new.policies.get(id).is_some_and(|after| {
                let same_sources = before.sources == 0 || before.sources == after.sources;
                same_sources
                    && before.ask & !after.ask == 0
                    && (before.anyone == after.anyone
                        || lifted(&after.anyone, new).covers(&lifted(&before.anyone, old)))
            });
            if !covered || indexes.contains(&before.sources) || indexes.contains(&before.cidrs) {
                revoked.insert(*id);
            }
        }
        Self(revoked)
    }

    /// Whether the connections of a port that has a slot in `old` must be judged again.
    pub fn concerns(&self, old: &Held<'_>, slot: u32, port: &PortImage) -> bool {
        let mut entries = old.ports.get(&slot).into_iter().flatten();
        let entries_changed = entries.any(|entry| is_changed(entry, port));
        entries_changed
            || port.policies.iter().any(|policy| self.0.contains(policy))
            || has_lost_addresses(old, slot, port)
    }
}

/// A row of `addresses`.
type Address<'a> = (&'a (u32, AddressKey), u32);

/// What the maps hold of each slot.
pub(super) struct Held<'a> {
    ports: BTreeMap<u32, Vec<&'a Port>>,
    addresses: BTreeMap<u32, Vec<Address<'a>>>,
}

impl<'a> Held<'a> {
    pub fn of(state: &'a State) -> Self {
        let mut held = Self {
            ports: BTreeMap::new(),
            addresses: BTreeMap::new(),
        };
        for port in state.ports.values() {
            held.ports.entry(port.slot).or_default().push(port);
        }
        for (key, kind) in &state.addresses {
            let addresses = held.addresses.entry(key.1.slot).or_default();
            addresses.push((key, *kind));
        }
        held
    }
}

fn is_changed(entry: &Port, port: &PortImage) -> bool {
    entry.reserved & PENDING != 0
        || (entry.mac, entry.flags, entry.policies) != (port.mac, port.flags, port.policies)
}

fn has_lost_addresses(old: &Held<'_>, slot: u32, port: &PortImage) -> bool {
    let new: BTreeMap<_, _> = addresses(port, slot).collect();
    let mut own = old.addresses.get(&slot).into_iter().flatten();
    own.any(|(key, kind)| new.get(key) != Some(kind))
}

/// The entries of `old` that are not the same in `new`.
fn changed<'a, K: Ord, V: PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    old.iter()
        .filter(|(key, value)| new.get(key) != Some(value))
}
