//! What a node has of a store: the entries that it wants, which of them it wants, and what they come to for its
//! filter.

mod members;
#[cfg(test)]
mod tests;
mod text;
mod want;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::keys::Key;
use crate::kv::{Change, Entry, Range, Revision};
use crate::layout::{LAYOUT, Position};
use crate::telling::{Members, Telling, session_of};
use members::Group;
use text::Rule;
pub(crate) use want::Want;

/// The entries that are here, as objects.
#[derive(Debug)]
pub struct Mirror {
    host: String,
    layout: Option<Vec<u8>>,
    ports: BTreeMap<Uuid, Port>,
    groups: BTreeMap<Uuid, Box<RawValue>>,
    rules: BTreeMap<Uuid, BTreeMap<Uuid, Rule>>,
    members: BTreeMap<Uuid, Group>,
    address_groups: BTreeMap<Uuid, Vec<Value>>,
    /// When each key was written last.
    revisions: BTreeMap<String, Revision>,
    /// What has changed since it was told last: ports by their ids, and the rest.
    stirred_ports: BTreeSet<Uuid>,
    stirred: BTreeSet<Want>,
    /// Whether objects name others than then.
    is_turned: bool,
    /// What was wanted then, and what of it was here.
    wanted: BTreeSet<Want>,
    told: BTreeSet<Want>,
}

#[derive(Debug)]
struct Port {
    text: Box<RawValue>,
    groups: BTreeSet<Uuid>,
}

/// The objects of a telling.
#[derive(Debug, Default)]
struct Objects {
    ports: BTreeMap<Uuid, Option<Box<RawValue>>>,
    security_groups: BTreeMap<Uuid, Option<Box<RawValue>>>,
    members: BTreeMap<Uuid, Option<Members>>,
}

impl Mirror {
    /// The mirror of a node, with nothing in it yet; its ports are those that are bound to this host.
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            layout: None,
            ports: BTreeMap::new(),
            groups: BTreeMap::new(),
            rules: BTreeMap::new(),
            members: BTreeMap::new(),
            address_groups: BTreeMap::new(),
            revisions: BTreeMap::new(),
            stirred_ports: BTreeSet::new(),
            stirred: BTreeSet::new(),
            is_turned: true,
            wanted: BTreeSet::new(),
            told: BTreeSet::new(),
        }
    }

    /// The value of the layout's key.
    pub(crate) fn layout(&self) -> Option<&[u8]> {
        self.layout.as_deref()
    }

    /// How many ports the node has.
    pub fn ports(&self) -> usize {
        self.ports.len()
    }

    /// The keys of a range that are here, and when each was written last.
    pub(crate) fn revisions<'a>(
        &'a self,
        range: &'a Range,
    ) -> impl Iterator<Item = (&'a str, Revision)> {
        let (Range::Key(first) | Range::Prefix(first)) = range;
        let first = (Bound::Included(first.as_str()), Bound::Unbounded);
        let behind = self.revisions.range::<str, _>(first);
        let keys = behind.map(|(key, revision)| (key.as_str(), *revision));
        keys.take_while(|(key, _)| range.contains(key))
    }

    /// Whether [`Mirror::wanted`] may be something else than when it was told last.
    pub(crate) fn is_turned(&self) -> bool {
        self.is_turned
    }

    /// What is wanted, as far as the entries that are here tell.
    pub(crate) fn wanted(&self) -> BTreeSet<Want> {
        let mut wanted = BTreeSet::from([Want::Layout, Want::Ports]);
        for port in self.ports.values() {
            wanted.extend(port.groups.iter().copied().map(Want::Group));
        }
        let groups = wanted.iter().filter_map(|want| match want {
            Want::Group(id) => self.rules.get(id),
            _ => None,
        });
        let named: Vec<Want> = groups
            .flat_map(BTreeMap::values)
            .flat_map(|rule| rule.names.clone())
            .collect();
        wanted.extend(named);
        wanted
    }

    /// Takes an entry as it is.
    pub fn put(&mut self, entry: Entry) {
        let Entry {
            key,
            value,
            revision,
        } = entry;
        self.set(&key, Some(&value));
        self.revisions.insert(key, revision);
    }

    /// Takes a change.
    pub fn take(&mut self, change: Change) {
        match change {
            Change::Put(entry) => self.put(entry),
            Change::Delete { key, .. } => self.remove(&key),
        }
    }

    /// Lets go of what lies in a range.
    pub fn forget(&mut self, range: &Range) {
        let keys: Vec<String> = self
            .revisions(range)
            .map(|(key, _)| key.to_owned())
            .collect();
        for key in keys {
            self.remove(&key);
        }
    }

    /// Lets go of a key.
    pub(crate) fn remove(&mut self, key: &str) {
        self.set(key, None);
        self.revisions.remove(key);
    }

    fn set(&mut self, key: &str, value: Option<&[u8]>) {
        if key == LAYOUT {
            self.layout = value.map(<[u8]>::to_vec);
            return;
        }
        // What is no key of this layout, nobody reads; nor what another host has.
        let Ok(read) = key.parse::<Key>() else {
            return;
        };
        match read {
            Key::Port { host, id } if host.as_deref() == Some(&self.host) => {
                self.stirred_ports.insert(id);
                let after = value.map(|value| Port {
                    text: text::raw(value),
                    groups: text::groups_of(value),
                });
                let groups = after.as_ref().map(|port| port.groups.clone());
                let before = replace(&mut self.ports, id, after).map(|port| port.groups);
                self.is_turned |= before.unwrap_or_default() != groups.unwrap_or_default();
            }
            Key::SecurityGroup(id) => {
                self.stirred.insert(Want::Group(id));
                replace(&mut self.groups, id, value.map(text::raw));
            }
            Key::Rule { group, id } => {
                self.stirred.insert(Want::Group(group));
                let rules = self.rules.entry(group).or_default();
                let after = value.map(|value| Rule::read(id, value));
                let names = after.as_ref().map(|rule| rule.names.clone());
                let before = replace(rules, id, after).map(|rule| rule.names);
                self.is_turned |= before.unwrap_or_default() != names.unwrap_or_default();
                if rules.is_empty() {
                    self.rules.remove(&group);
                }
            }
            Key::Member { group, port } => {
                self.stirred.insert(Want::Members(group));
                let members = self.members.entry(group).or_default();
                members.take(port, key, value);
            }
            Key::AddressGroup(id) => {
                self.stirred.insert(Want::AddressGroup(id));
                let addresses = value.map(|value| text::addresses_of(key, value));
                replace(&mut self.address_groups, id, addresses);
            }
            _ => {}
        }
    }

    /// What is to be told of what is here, at a position: what has changed since this was asked last, for whoever
    /// builds on that revision; or all of it.
    pub fn tell(&mut self, at: Position, base: Option<Revision>) -> Telling {
        let objects = self.objects(base.is_none());
        Telling {
            session: session_of(at.identity),
            base,
            revision: at.revision,
            since: at.revision,
            complete: base.is_none(),
            ports: objects.ports,
            security_groups: objects.security_groups,
            members: objects.members,
        }
    }

    fn objects(&mut self, complete: bool) -> Objects {
        let stirred_ports = std::mem::take(&mut self.stirred_ports);
        let stirred = std::mem::take(&mut self.stirred);
        if complete {
            self.told = BTreeSet::new();
        }
        let concerned = match std::mem::take(&mut self.is_turned) || complete {
            true => {
                self.wanted = self.wanted();
                &self.wanted | &self.told
            }
            // Objects name what they named: what has not changed itself is as it was told.
            false => &self.wanted & &stirred,
        };
        let mut objects = Objects::default();
        let all = complete.then(|| self.ports.keys().copied().collect());
        for id in all.unwrap_or(stirred_ports) {
            let text = self.ports.get(&id).map(|port| port.text.clone());
            if text.is_some() || !complete {
                objects.ports.insert(id, text);
            }
        }
        for want in concerned {
            let is_here = self.wanted.contains(&want) && self.is_here(want);
            let was_told = self.told.contains(&want);
            match is_here {
                true if was_told && !stirred.contains(&want) => {}
                true => {
                    self.told.insert(want);
                    self.object(want, !was_told, &mut objects);
                }
                false if was_told => {
                    self.told.remove(&want);
                    objects.take_away(want);
                }
                false => {}
            }
            if let Want::Members(id) = want
                && self.members.get(&id).is_some_and(Group::is_empty)
            {
                self.members.remove(&id);
            }
        }
        objects
    }

    /// Whether there is something to be told of it. A group that is named has members, if only none.
    fn is_here(&self, want: Want) -> bool {
        match want {
            Want::Layout | Want::Everything | Want::Ports => false,
            Want::Group(id) => self.groups.contains_key(&id),
            Want::Members(_) => true,
            Want::AddressGroup(id) => self.address_groups.contains_key(&id),
        }
    }

    /// Adds what is to be told of something, to somebody to whom it is new or who knows what was told last.
    fn object(&mut self, want: Want, is_new: bool, objects: &mut Objects) {
        match want {
            Want::Layout | Want::Everything | Want::Ports => {}
            Want::Group(id) => {
                let text = self.groups.get(&id);
                let text = text.map(|text| text::with_rules(text, self.rules.get(&id)));
                objects.security_groups.insert(id, text);
            }
            Want::Members(id) => {
                let members = self.members.entry(id).or_default();
                if let Some(members) = members.tell(is_new) {
                    objects.members.insert(id, Some(members));
                }
            }
            Want::AddressGroup(id) => {
                let addresses = self.address_groups.get(&id);
                let members = addresses.map(|addresses| Members::Whole(addresses.clone()));
                objects.members.insert(id, members);
            }
        }
    }
}

impl Objects {
    fn take_away(&mut self, want: Want) {
        match want {
            Want::Layout | Want::Everything | Want::Ports => {}
            Want::Group(id) => drop(self.security_groups.insert(id, None)),
            Want::Members(id) | Want::AddressGroup(id) => drop(self.members.insert(id, None)),
        }
    }
}

/// Puts a value in the place of another, or takes that away; returns the other.
fn replace<V>(map: &mut BTreeMap<Uuid, V>, id: Uuid, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(id, value),
        None => map.remove(&id),
    }
}
