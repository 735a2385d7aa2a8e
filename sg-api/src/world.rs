//! All objects in memory, as of one revision of the store, and what is looked up among them. A copy costs next
//! to nothing: a request computes on its own.

mod draft;
mod head;
mod index;

use std::net::IpAddr;

use rpds::RedBlackTreeMapSync as Map;
use serde_json::Value;
use sg_store::{Change, Entry, Key, PREFIX, Range, Revision, Snapshot};
use uuid::Uuid;

pub use draft::{Context, Draft, LONGEST_PROJECT, PROJECT};
pub use head::Head;
use index::Index;

use crate::objects::{
    AddressGroup, DefaultRule, Log, Network, Object, Port, Quota, Rule, SecurityGroup,
    Statefulness, Subnet,
};

/// The world.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct World {
    /// Of which revision of the store it is.
    pub revision: Revision,
    pub head: Head,
    pub networks: Map<Uuid, Network>,
    pub subnets: Map<Uuid, Subnet>,
    pub ports: Map<Uuid, Port>,
    pub groups: Map<Uuid, SecurityGroup>,
    pub rules: Map<Uuid, Rule>,
    pub address_groups: Map<Uuid, AddressGroup>,
    pub default_rules: Map<Uuid, DefaultRule>,
    pub statefulness: Map<Uuid, Statefulness>,
    pub logs: Map<Uuid, Log>,
    pub quotas: Map<String, Quota>,
    /// What nodes say of themselves, by their names.
    pub nodes: Map<String, Value>,
    /// When each key was written.
    written: Map<String, Revision>,
    index: Index,
}

impl World {
    /// All that the API reads of a store.
    pub fn ranges() -> Vec<Range> {
        vec![Range::Prefix(PREFIX.into())]
    }

    /// The world of a snapshot, and the keys under which nothing of their kind stands.
    pub fn of(snapshot: Snapshot) -> (Self, Vec<Misplaced>) {
        let mut world = Self {
            revision: snapshot.revision,
            ..Self::default()
        };
        let entries = snapshot.entries.into_iter();
        let misplaced = entries.filter_map(|entry| world.take(entry).err());
        let misplaced = misplaced.collect();
        (world, misplaced)
    }

    /// Follows what one commit has changed.
    pub fn follow(&mut self, revision: Revision, changes: Vec<Change>) -> Vec<Misplaced> {
        self.revision = revision;
        // What moves is put under one key and taken from another, in whichever order.
        let (gone, here): (Vec<_>, Vec<_>) = changes
            .into_iter()
            .partition(|change| matches!(change, Change::Delete { .. }));
        for change in gone {
            self.drop(change.key());
        }
        let mut misplaced = Vec::new();
        for change in here {
            if let Change::Put(entry) = change {
                misplaced.extend(self.take(entry).err());
            }
        }
        misplaced
    }

    /// When a key was written; 0 if it is not there.
    pub fn written(&self, key: &Key) -> Revision {
        self.written.get(&key.to_string()).copied().unwrap_or(0)
    }

    fn take(&mut self, entry: Entry) -> Result<(), Misplaced> {
        let misplaced = |why: String| Misplaced {
            key: entry.key.clone(),
            why,
        };
        let key: Key = entry
            .key
            .parse()
            .map_err(|error: sg_store::BadKey| misplaced(error.to_string()))?;
        self.written.insert_mut(entry.key.clone(), entry.revision);
        let read = || -> serde_json::Result<Option<Object>> {
            let object = Object::read(&key, &entry.value)?;
            Ok(object.filter(|object| object.key() == key))
        };
        match &key {
            Key::Head => {
                let head = serde_json::from_slice(&entry.value);
                self.head = head.map_err(|error| misplaced(error.to_string()))?;
            }
            Key::Status(host) => {
                let status = serde_json::from_slice(&entry.value);
                let status = status.map_err(|error| misplaced(error.to_string()))?;
                self.nodes.insert_mut(host.clone(), status);
            }
            // Derived from the ports.
            Key::Member { .. } => {}
            _ => match read().map_err(|error| misplaced(error.to_string())) {
                Ok(Some(object)) => self.put(object),
                Ok(None) => {
                    self.remove(&key);
                    return Err(misplaced("what stands there belongs elsewhere".into()));
                }
                Err(misplaced) => {
                    self.remove(&key);
                    return Err(misplaced);
                }
            },
        }
        Ok(())
    }

    fn drop(&mut self, key: &str) {
        self.written.remove_mut(key);
        match key.parse() {
            Ok(Key::Status(host)) => {
                self.nodes.remove_mut(&host);
            }
            Ok(key) => self.remove(&key),
            Err(_) => {}
        }
    }

    /// Puts an object in the place of what has its id.
    pub fn put(&mut self, object: Object) {
        match object {
            Object::Network(it) => self.networks.insert_mut(it.id, it),
            Object::Subnet(it) => {
                self.index.add_subnet(&it);
                self.subnets.insert_mut(it.id, it);
            }
            Object::Port(it) => {
                if let Some(old) = self.ports.get(&it.id) {
                    self.index.drop_port(old);
                }
                self.index.add_port(&it);
                self.ports.insert_mut(it.id, it);
            }
            Object::SecurityGroup(it) => {
                self.index.add_group(&it);
                self.groups.insert_mut(it.id, it);
            }
            Object::Rule(it) => {
                if let Some(old) = self.rules.get(&it.id) {
                    self.index.drop_rule(old);
                }
                self.index.add_rule(&it);
                self.rules.insert_mut(it.id, it);
            }
            Object::DefaultRule(it) => self.default_rules.insert_mut(it.id, it),
            Object::Statefulness(it) => self.statefulness.insert_mut(it.id, it),
            Object::AddressGroup(it) => self.address_groups.insert_mut(it.id, it),
            Object::Log(it) => self.logs.insert_mut(it.id, it),
            Object::Quota(it) => self.quotas.insert_mut(it.project_id.clone(), it),
        }
    }

    /// Takes away what stands under a key.
    pub fn remove(&mut self, key: &Key) {
        use sg_store::Kind;
        match key {
            Key::Port { id, .. } => {
                // It may be on another host by now.
                let port = self.ports.get(id).filter(|port| port.key() == *key);
                if let Some(port) = port.cloned() {
                    self.index.drop_port(&port);
                    self.ports.remove_mut(id);
                }
            }
            Key::SecurityGroup(id) => {
                if let Some(group) = self.groups.get(id) {
                    self.index.drop_group(group);
                }
                self.groups.remove_mut(id);
            }
            Key::Rule { id, .. } => {
                if let Some(rule) = self.rules.get(id) {
                    self.index.drop_rule(rule);
                }
                self.rules.remove_mut(id);
            }
            Key::AddressGroup(id) => {
                self.address_groups.remove_mut(id);
            }
            Key::Api {
                kind: Kind::Quota,
                id,
            } => {
                self.quotas.remove_mut(id);
            }
            Key::Api { kind, id } => {
                let Ok(id) = id.parse() else { return };
                match kind {
                    Kind::Network => self.networks.remove_mut(&id),
                    Kind::Subnet => {
                        if let Some(subnet) = self.subnets.get(&id) {
                            self.index.drop_subnet(subnet);
                        }
                        self.subnets.remove_mut(&id)
                    }
                    Kind::DefaultRule => self.default_rules.remove_mut(&id),
                    Kind::DefaultStatefulness => self.statefulness.remove_mut(&id),
                    Kind::Log => self.logs.remove_mut(&id),
                    Kind::Quota => false,
                };
            }
            Key::Head | Key::Member { .. } | Key::Status(_) => {}
        }
    }

    /// The rules of a group, oldest first.
    pub fn rules_of(&self, group: Uuid) -> Vec<&Rule> {
        let rules = self.index.rules_of(group);
        let mut rules: Vec<&Rule> = rules.filter_map(|id| self.rules.get(&id)).collect();
        rules.sort_by_key(|rule| rule.standard.standard_attr_id);
        rules
    }

    /// The rules that name a group as remote.
    pub fn rules_naming(&self, remote: Uuid) -> Vec<&Rule> {
        let rules = self.index.rules_naming(remote);
        rules.filter_map(|id| self.rules.get(&id)).collect()
    }

    /// The ports that have a group.
    pub fn ports_having(&self, group: Uuid) -> impl Iterator<Item = &Port> {
        let ports = self.index.ports_having(group);
        ports.filter_map(|id| self.ports.get(&id))
    }

    /// The ports of a network.
    pub fn ports_of(&self, network: Uuid) -> impl Iterator<Item = &Port> {
        let ports = self.index.ports_of(network);
        ports.filter_map(|id| self.ports.get(&id))
    }

    /// The subnets of a network, oldest first.
    pub fn subnets_of(&self, network: Uuid) -> Vec<&Subnet> {
        let subnets = self.index.subnets_of(network);
        let mut subnets: Vec<&Subnet> = subnets.filter_map(|id| self.subnets.get(&id)).collect();
        subnets.sort_by_key(|subnet| subnet.standard.standard_attr_id);
        subnets
    }

    /// The port that has an address of a subnet.
    pub fn holder(&self, subnet: Uuid, address: IpAddr) -> Option<Uuid> {
        self.index.holder(subnet, address)
    }

    /// The port that has a hardware address of a network.
    pub fn mac_holder(&self, network: Uuid, mac: &str) -> Option<Uuid> {
        self.index.mac_holder(network, mac)
    }

    /// The addresses of a subnet that ports have, in order, with the ports.
    pub fn held(&self, subnet: Uuid) -> impl Iterator<Item = (IpAddr, Uuid)> {
        self.index.held(subnet)
    }

    /// The group that is a project's when nothing is said.
    pub fn default_group(&self, project: &str) -> Option<Uuid> {
        self.index.default_group(project)
    }
}

/// A key under which nothing of its kind stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misplaced {
    /// The key.
    pub key: String,
    /// What is wrong.
    pub why: String,
}
