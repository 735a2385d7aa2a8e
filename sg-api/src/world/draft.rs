//! A world that a request changes for itself, and the writes that would make it everybody's.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sg_store::{Condition, Key, Revision, Write};
use uuid::Uuid;

use super::{Head, World};
use crate::error::{ApiError, Result};
use crate::objects::{Object, Port, Standard};

/// What a request is made in.
#[derive(Clone, Debug)]
pub struct Context {
    /// Whose objects are meant if nothing is said.
    pub project: String,
    /// When it is made, as objects have it.
    pub now: String,
    /// The revision that the object has to have (`If-Match`).
    pub expected: Option<u64>,
}

/// Whose everything is where nobody says who asks.
pub const PROJECT: &str = "fake_project_id";

/// How many characters the name of a project has at most.
pub const LONGEST_PROJECT: usize = 255;

impl Context {
    /// A request that says nothing, at this moment.
    pub fn now() -> Self {
        Self {
            project: PROJECT.into(),
            now: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            expected: None,
        }
    }
}

/// The draft.
#[derive(Clone, Debug)]
pub struct Draft {
    /// As it would be.
    pub world: World,
    /// What the request is made in.
    pub context: Context,
    /// As it is.
    before: World,
    /// What is to stand under each key, if anything.
    writes: BTreeMap<String, (Key, Option<Vec<u8>>)>,
}

impl Draft {
    /// One that changes nothing yet.
    pub fn new(world: &World, context: Context) -> Self {
        Self {
            world: world.clone(),
            context,
            before: world.clone(),
            writes: BTreeMap::new(),
        }
    }

    /// Whether anything is to be written.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The revision of the store that it builds on.
    pub fn revision(&self) -> Revision {
        self.before.revision
    }

    /// A new id.
    pub fn id(&self) -> Uuid {
        Uuid::new_v4()
    }

    /// The standard attributes of something new.
    pub fn standard(&mut self, description: Option<String>) -> Standard {
        self.world.head.standard_attributes += 1;
        Standard {
            description,
            tags: Vec::new(),
            created_at: self.context.now.clone(),
            updated_at: self.context.now.clone(),
            revision_number: 0,
            standard_attr_id: self.world.head.standard_attributes,
        }
    }

    /// Something may have changed, for a request that may have asked for one revision of it only.
    ///
    /// # Errors
    ///
    /// It has another one.
    pub fn touch(&self, has_changed: bool, standard: &mut Standard) -> Result<()> {
        self.expect(standard)?;
        if has_changed {
            self.bump(standard);
        }
        Ok(())
    }

    /// Something has changed with something else.
    pub fn bump(&self, standard: &mut Standard) {
        standard.revision_number += 1;
        standard.updated_at = self.context.now.clone();
    }

    /// Refuses if something has another revision than the request asks for.
    ///
    /// # Errors
    ///
    /// It has.
    pub fn expect(&self, standard: &Standard) -> Result<()> {
        let current = standard.revision_number;
        match self.context.expected {
            Some(expected) if expected != current => Err(ApiError::new(
                412,
                "RevisionNumberConstraintFailed",
                format!("Constrained to {expected}, but current revision is {current}"),
            )),
            _ => Ok(()),
        }
    }

    /// Puts an object in the place of what has its id.
    pub fn put(&mut self, object: Object) {
        if let Object::Port(port) = &object {
            let old = self.world.ports.get(&port.id).cloned();
            if let Some(old) = &old
                && old.key() != port.key()
            {
                self.write(old.key(), None);
                self.world.remove(&old.key());
            }
            self.join(old.as_ref(), Some(port));
        }
        // Objects are written as such, whatever is in them.
        let value = serde_json::to_vec(&object.fields()).unwrap_or_default();
        self.write(object.key(), Some(value));
        self.world.put(object);
    }

    /// Takes an object away.
    pub fn delete(&mut self, object: &Object) {
        if let Object::Port(port) = object {
            self.join(Some(port), None);
        }
        self.write(object.key(), None);
        self.world.remove(&object.key());
    }

    /// Has a port be a member of its groups.
    fn join(&mut self, old: Option<&Port>, new: Option<&Port>) {
        let groups = |port: Option<&Port>| -> Vec<Uuid> {
            port.map(|port| port.security_groups.clone())
                .unwrap_or_default()
        };
        let members = |port: Option<&Port>| port.map(Port::member).unwrap_or_default();
        let (before, after) = (groups(old), groups(new));
        for port in old.or(new).iter().map(|port| port.id) {
            for group in &before {
                if !after.contains(group) {
                    self.write(
                        Key::Member {
                            group: *group,
                            port,
                        },
                        None,
                    );
                }
            }
            for group in &after {
                if !before.contains(group) || members(old) != members(new) {
                    let value = serde_json::to_vec(&members(new)).unwrap_or_default();
                    self.write(
                        Key::Member {
                            group: *group,
                            port,
                        },
                        Some(value),
                    );
                }
            }
        }
    }

    fn write(&mut self, key: Key, value: Option<Vec<u8>>) {
        self.writes.insert(key.to_string(), (key, value));
    }

    /// What the commit of this id asks for and what it does. Every commit replaces the head, so nobody has written in
    /// between; and what it overwrites is as it was read, even if somebody wrote without the head.
    pub fn commit(&self, id: Uuid) -> (Vec<Condition>, Vec<Write>) {
        let head = Head {
            commit: id,
            ..self.world.head
        };
        let head = serde_json::to_vec(&head).unwrap_or_default();
        let head = (Key::Head, Some(head));
        let writes = || self.writes.values().chain([&head]);
        let conditions = writes().map(|(key, _)| Condition {
            key: key.to_string(),
            revision: self.before.written(key),
        });
        let is_there = |key: &Key| self.before.written(key) != 0;
        let write = |(key, value): &(Key, Option<Vec<u8>>)| match value {
            Some(value) => Some(Write::Put {
                key: key.to_string(),
                value: value.clone(),
            }),
            // What was made and taken away in one request was never there.
            None => is_there(key).then(|| Write::Delete {
                key: key.to_string(),
            }),
        };
        (conditions.collect(), writes().filter_map(write).collect())
    }
}
