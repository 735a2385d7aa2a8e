//! What was written, and what each node has to come to by it: computed from the history alone, without the code
//! that nodes run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use ipnet::IpNet;
use serde_json::{Value, json};
use sg_store::{Key, Revision, Write};
use sg_userspace::model::{self, Group, GroupId, Inventory, Port, PortId};
use uuid::Uuid;

/// Every value that every key has had.
#[derive(Debug, Default)]
pub struct History {
    keys: BTreeMap<String, Versions>,
}

/// The values of a key, and since when; none while it was not there.
type Versions = Vec<(Revision, Option<Vec<u8>>)>;

/// What a node enforces, in a form that two can be compared in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforced {
    /// Its ports.
    pub ports: BTreeMap<PortId, Port>,
    /// Their groups.
    pub groups: BTreeMap<GroupId, Group>,
    /// The members of what those name as remote.
    pub members: BTreeMap<Uuid, BTreeSet<IpNet>>,
}

impl Enforced {
    /// What is here and otherwise, or not at all, there; a line each.
    #[must_use]
    pub fn beside(&self, other: &Self) -> String {
        let kinds = [
            differing("port", &self.ports, &other.ports),
            differing("group", &self.groups, &other.groups),
            differing("members of", &self.members, &other.members),
        ];
        kinds.concat().join("\n")
    }

    /// What follows from an inventory.
    #[must_use]
    pub fn of(inventory: &Inventory) -> Self {
        let ports = inventory.ports.clone();
        let used: BTreeSet<GroupId> = ports
            .values()
            .flat_map(|port| port.groups.clone())
            .collect();
        let groups = inventory.groups.iter();
        let groups: BTreeMap<_, _> = groups
            .filter(|(id, _)| used.contains(id))
            .map(|(id, group)| (*id, group.clone()))
            .collect();
        let remotes = groups.values().flat_map(|group| &group.rules);
        let remotes = remotes.filter_map(|rule| match rule.remote {
            model::Remote::Group(id) => Some(id.0),
            model::Remote::AddressGroup(id) => Some(id.0),
            model::Remote::Anyone | model::Remote::Prefix(_) => None,
        });
        let members = remotes.map(|id| (id, inventory.given(id).collect()));
        Self {
            members: members.collect(),
            ports,
            groups,
        }
    }
}

fn differing<K: Ord + Debug, V: PartialEq + Debug>(
    kind: &str,
    these: &BTreeMap<K, V>,
    those: &BTreeMap<K, V>,
) -> Vec<String> {
    let keys: BTreeSet<&K> = these.keys().chain(those.keys()).collect();
    let keys = keys
        .into_iter()
        .filter(|key| these.get(key) != those.get(key));
    let line = |key: &K| {
        format!(
            "{kind} {key:?}: {:?}, not {:?}",
            these.get(key),
            those.get(key)
        )
    };
    keys.map(line).collect()
}

impl History {
    /// Takes note of a commit.
    pub fn note(&mut self, revision: Revision, writes: &[Write]) {
        for write in writes {
            let (key, value) = match write {
                Write::Put { key, value } => (key, Some(value.clone())),
                Write::Delete { key } => (key, None),
            };
            let versions = self.keys.entry(key.clone()).or_default();
            versions.push((revision, value));
        }
    }

    /// What a node had to enforce at a revision.
    ///
    /// # Panics
    /// If something was written that is no object, or is at fault.
    #[must_use]
    pub fn enforced(&self, host: &str, at: Revision) -> Enforced {
        let ports = self.values(&Key::ports_of(host), at);
        let groups: BTreeSet<Uuid> = ports
            .iter()
            .flat_map(|port| ids(port, "security_groups"))
            .collect();
        let mut members = BTreeMap::new();
        let groups: Vec<Value> = groups
            .into_iter()
            .filter_map(|id| {
                let mut group = self.value(&Key::SecurityGroup(id).to_string(), at)?;
                let rules = self.values(&Key::rules_of(id), at);
                for rule in &rules {
                    self.note_members(rule, at, &mut members);
                }
                group["security_group_rules"] = Value::from(rules);
                Some(group)
            })
            .collect();
        let known: BTreeSet<Uuid> = groups.iter().filter_map(|group| id(&group["id"])).collect();
        let stub = |id: &Uuid| json!({"id": id, "security_group_rules": []});
        let remotes = members.keys().filter(|id| !known.contains(*id));
        let groups: Vec<Value> = groups.iter().cloned().chain(remotes.map(stub)).collect();
        let address_groups = members.keys().map(|id| json!({"id": id, "addresses": []}));
        let document = json!({
            "ports": ports,
            "security_groups": groups,
            "address_groups": address_groups.collect::<Vec<_>>(),
        });
        let parsed = model::parse(document.to_string().as_bytes());
        let parsed = parsed.unwrap_or_else(|e| panic!("the history is no inventory: {e}"));
        // What is at fault would be compared with nothing.
        assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
        Enforced {
            members,
            ..Enforced::of(&parsed.inventory)
        }
    }

    /// The values of all keys that begin so, and were there.
    fn values(&self, prefix: &str, at: Revision) -> Vec<Value> {
        let keys = self.keys.range(prefix.to_owned()..);
        let keys = keys.take_while(|(key, _)| key.starts_with(prefix));
        keys.filter_map(|(key, _)| self.value(key, at)).collect()
    }

    fn value(&self, key: &str, at: Revision) -> Option<Value> {
        let versions = self.keys.get(key)?;
        let behind = versions.partition_point(|(revision, _)| *revision <= at);
        let (_, value) = versions.get(behind.checked_sub(1)?)?;
        let value = serde_json::from_slice(value.as_ref()?);
        Some(value.unwrap_or_else(|e| panic!("{key} is not JSON: {e}")))
    }

    fn note_members(
        &self,
        rule: &Value,
        at: Revision,
        members: &mut BTreeMap<Uuid, BTreeSet<IpNet>>,
    ) {
        if let Some(group) = id(&rule["remote_group_id"]) {
            let lists = self.values(&Key::members_of(group), at);
            members.insert(group, lists.iter().flat_map(nets).collect());
        }
        if let Some(group) = id(&rule["remote_address_group_id"]) {
            let value = self.value(&Key::AddressGroup(group).to_string(), at);
            let nets = value.iter().flat_map(|value| nets(&value["addresses"]));
            members.insert(group, nets.collect());
        }
    }
}

fn ids(object: &Value, field: &str) -> Vec<Uuid> {
    let list = object[field].as_array();
    list.into_iter().flatten().filter_map(id).collect()
}

fn id(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}

fn nets(list: &Value) -> Vec<IpNet> {
    let list = list.as_array();
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.filter_map(|text| text.parse().ok()).collect()
}
