//! What a node has of a store: the entries that it wants, which of them it wants, and what they come to for its
//! filter.

mod members;
#[cfg(test)]
mod tests;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::value::RawValue;
use uuid::Uuid;

use crate::keys::Key;
use crate::kv::{Change, Entry, Range, Revision};
use crate::layout::{LAYOUT, Position};
use crate::telling::{Members, Telling, session_of};
use members::Group;
use text::Rule;

/// The entries that are here, as objects.
#[derive(Debug)]
pub struct Mirror {
    host: String,
    layout: Option<Vec<u8>>,
    ports: BTreeMap<Uuid, Port>,
    groups: BTreeMap<Uuid, Box<RawValue>>,
    rules: BTreeMap<Uuid, BTreeMap<Uuid, Rule>>,
    members: BTreeMap<Uuid, Group>,
    address_groups: BTreeMap<Uuid, Members>,
    /// When each key was written last.
    revisions: BTreeMap<String, Revision>,
    stirred: Stirred,
    told: Wanted,
}

#[derive(Debug)]
struct Port {
    text: Box<RawValue>,
    groups: BTreeSet<Uuid>,
}

/// What has changed since it was told last.
#[derive(Debug, Default)]
struct Stirred {
    ports: BTreeSet<Uuid>,
    /// Security groups, for themselves or for their rules.
    groups: BTreeSet<Uuid>,
    /// Groups whose members have changed.
    members: BTreeSet<Uuid>,
}

/// What a node wants besides its ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted {
    /// Groups of its ports, with rules.
    groups: BTreeSet<Uuid>,
    /// Security groups that these rules name, for their members.
    remotes: BTreeSet<Uuid>,
    /// Address groups that they name.
    address_groups: BTreeSet<Uuid>,
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
            stirred: Stirred::default(),
            told: Wanted::default(),
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

    /// When each key that is here was written last.
    pub(crate) fn revisions(&self) -> &BTreeMap<String, Revision> {
        &self.revisions
    }

    /// The ranges that are wanted, as far as the entries that are here tell.
    pub fn ranges(&self) -> BTreeSet<Range> {
        let wanted = self.wanted();
        let first = [
            Range::Key(LAYOUT.into()),
            Range::Prefix(Key::ports_of(&self.host)),
        ];
        let groups = wanted.groups.iter().flat_map(|group| {
            let key = Key::SecurityGroup(*group).to_string();
            [Range::Key(key), Range::Prefix(Key::rules_of(*group))]
        });
        let remotes = wanted.remotes.iter();
        let remotes = remotes.map(|group| Range::Prefix(Key::members_of(*group)));
        let addresses = wanted.address_groups.iter();
        let addresses = addresses.map(|group| Range::Key(Key::AddressGroup(*group).to_string()));
        let ranges = first.into_iter().chain(groups);
        ranges.chain(remotes).chain(addresses).collect()
    }

    fn wanted(&self) -> Wanted {
        let groups: BTreeSet<_> = self.ports.values().flat_map(|port| &port.groups).collect();
        let rules = groups.iter().filter_map(|group| self.rules.get(group));
        let rules = || rules.clone().flat_map(BTreeMap::values);
        Wanted {
            remotes: rules().filter_map(|rule| rule.remote_group).collect(),
            address_groups: rules()
                .filter_map(|rule| rule.remote_address_group)
                .collect(),
            groups: groups.iter().copied().copied().collect(),
        }
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
            Change::Delete { key, .. } => {
                self.set(&key, None);
                self.revisions.remove(&key);
            }
        }
    }

    /// Lets go of what lies in a range.
    pub fn forget(&mut self, range: &Range) {
        let keys: Vec<String> = match range {
            Range::Key(key) => vec![key.clone()],
            Range::Prefix(prefix) => {
                let behind = self.revisions.range(prefix.clone()..);
                let keys = behind.map(|(key, _)| key);
                keys.take_while(|key| key.starts_with(prefix))
                    .cloned()
                    .collect()
            }
        };
        for key in keys {
            self.set(&key, None);
            self.revisions.remove(&key);
        }
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
                self.stirred.ports.insert(id);
                match value {
                    Some(value) => {
                        let (text, groups) = (text::raw(value), text::groups_of(value));
                        self.ports.insert(id, Port { text, groups });
                    }
                    None => drop(self.ports.remove(&id)),
                }
            }
            Key::SecurityGroup(id) => {
                self.stirred.groups.insert(id);
                match value {
                    Some(value) => drop(self.groups.insert(id, text::raw(value))),
                    None => drop(self.groups.remove(&id)),
                }
            }
            Key::Rule { group, id } => {
                self.stirred.groups.insert(group);
                let rules = self.rules.entry(group).or_default();
                match value {
                    Some(value) => drop(rules.insert(id, Rule::read(id, value))),
                    None => drop(rules.remove(&id)),
                }
                if rules.is_empty() {
                    self.rules.remove(&group);
                }
            }
            Key::Member { group, port } => {
                self.stirred.members.insert(group);
                let members = self.members.entry(group).or_default();
                members.take(port, key, value);
            }
            Key::AddressGroup(id) => {
                self.stirred.members.insert(id);
                match value {
                    Some(value) => {
                        let members = Members::Whole(text::addresses_of(key, value));
                        self.address_groups.insert(id, members);
                    }
                    None => drop(self.address_groups.remove(&id)),
                }
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
            complete: base.is_none(),
            ports: objects.ports,
            security_groups: objects.security_groups,
            members: objects.members,
        }
    }

    fn objects(&mut self, complete: bool) -> Objects {
        if complete {
            self.told = Wanted::default();
        }
        let wanted = self.wanted();
        let stirred = std::mem::take(&mut self.stirred);
        let mut objects = Objects::default();
        let mut told = Wanted::default();

        let all = complete.then(|| self.ports.keys().copied().collect());
        for id in all.unwrap_or(stirred.ports) {
            let text = self.ports.get(&id).map(|port| port.text.clone());
            if text.is_some() || !complete {
                objects.ports.insert(id, text);
            }
        }

        for id in wanted.groups.union(&self.told.groups) {
            let text = self.groups.get(id).filter(|_| wanted.groups.contains(id));
            let was_told = self.told.groups.contains(id);
            match text {
                Some(text) => {
                    told.groups.insert(*id);
                    if !was_told || stirred.groups.contains(id) {
                        let text = text::with_rules(text, self.rules.get(id));
                        objects.security_groups.insert(*id, Some(text));
                    }
                }
                None if was_told => drop(objects.security_groups.insert(*id, None)),
                None => {}
            }
        }

        for id in wanted.remotes.union(&self.told.remotes) {
            let is_new = !self.told.remotes.contains(id);
            if !wanted.remotes.contains(id) {
                objects.members.insert(*id, None);
                continue;
            }
            told.remotes.insert(*id);
            if is_new || stirred.members.contains(id) {
                let members = self.members.entry(*id).or_default().tell(is_new);
                if let Some(members) = members {
                    objects.members.insert(*id, Some(members));
                }
            }
        }
        self.members.retain(|_, group| !group.is_empty());

        for id in wanted.address_groups.union(&self.told.address_groups) {
            let was_told = self.told.address_groups.contains(id);
            let members = self.address_groups.get(id);
            match members.filter(|_| wanted.address_groups.contains(id)) {
                Some(Members::Whole(list)) => {
                    told.address_groups.insert(*id);
                    if !was_told || stirred.members.contains(id) {
                        let members = Members::Whole(list.clone());
                        objects.members.insert(*id, Some(members));
                    }
                }
                _ if was_told => drop(objects.members.insert(*id, None)),
                _ => {}
            }
        }
        self.told = told;
        objects
    }
}
