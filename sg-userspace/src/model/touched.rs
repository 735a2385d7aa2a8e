//! What is not as it was in an inventory.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use uuid::Uuid;

use super::id::{GroupId, PortId};
use super::inventory::Inventory;
use super::members::Members;
use super::port::Port;

/// What has changed in an inventory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Ports that came, went or are not what they were.
    pub ports: BTreeSet<PortId>,
    /// Security groups, the same.
    pub groups: BTreeSet<GroupId>,
    /// The members that came or went, by the id of their security group or address group.
    pub members: BTreeMap<Uuid, BTreeSet<IpNet>>,
}

impl Touched {
    /// What differs between two inventories.
    pub fn between(old: &Inventory, new: &Inventory) -> Self {
        let mut touched = Self::default();
        for (id, before, after) in differing(&old.ports, &new.ports) {
            touched.ports.insert(id);
            touched.note_members_by(before, after);
        }
        let groups = differing(&old.groups, &new.groups);
        touched.groups.extend(groups.map(|(id, ..)| id));
        for (id, before, after) in differing(&old.address_groups, &new.address_groups) {
            let [before, after] = [before, after].map(|group| {
                let nets = group.into_iter().flat_map(|group| &group.addresses);
                nets.copied().collect::<Members>()
            });
            touched.note_members(id.0, before.differing(&after));
        }
        for (id, before, after) in differing(&old.given, &new.given) {
            let none = Members::default();
            let (before, after) = (before.unwrap_or(&none), after.unwrap_or(&none));
            touched.note_members(id, before.differing(after));
        }
        touched
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty() && self.groups.is_empty() && self.members.is_empty()
    }

    /// Adds what else has changed.
    pub fn extend(&mut self, other: Self) {
        self.ports.extend(other.ports);
        self.groups.extend(other.groups);
        for (id, nets) in other.members {
            self.note_members(id, nets);
        }
    }

    pub(super) fn note_members(&mut self, id: Uuid, nets: impl IntoIterator<Item = IpNet>) {
        let mut nets = nets.into_iter().peekable();
        if nets.peek().is_some() {
            self.members.entry(id).or_default().extend(nets);
        }
    }

    /// Which groups have other members when a port changes.
    pub(super) fn note_members_by(&mut self, old: Option<&Port>, new: Option<&Port>) {
        let of = |port: Option<&Port>, group: GroupId| -> BTreeSet<IpNet> {
            let port = port.filter(|port| port.groups.contains(&group));
            port.into_iter().flat_map(Port::addresses).collect()
        };
        let groups = [old, new]
            .into_iter()
            .flatten()
            .flat_map(|port| &port.groups);
        for group in groups.copied().collect::<BTreeSet<_>>() {
            let (before, after) = (of(old, group), of(new, group));
            self.note_members(group.0, before.symmetric_difference(&after).copied());
        }
    }
}

/// The keys whose values are not the same, with what they are in both.
fn differing<'a, K: Ord + Copy, V: PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (K, Option<&'a V>, Option<&'a V>)> {
    let gone = old
        .iter()
        .map(|(key, before)| (key, Some(before), new.get(key)));
    let come = new.iter().filter(|(key, _)| !old.contains_key(key));
    let come = come.map(|(key, after)| (key, None, Some(after)));
    let both = gone
        .chain(come)
        .filter(|(_, before, after)| before != after);
    both.map(|(key, before, after)| (*key, before, after))
}
