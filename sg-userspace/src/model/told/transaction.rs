//! The body of a transaction.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize as Read, Serialize, Serializer};
use serde_json::{Map, Value, value::RawValue};
use uuid::Uuid;

use super::super::id::{GroupId, PortId};

/// What a writer tells at once. The value of an object replaces the whole object; null takes it away.
#[derive(Debug, Read, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// The writer's run, as a UUID that it has made for it.
    pub session: Uuid,
    /// The revision that the writer builds on; null if it builds on none: with the first transaction of its
    /// session, and with a complete one.
    pub base: Option<u64>,
    /// The revision that this makes, for writers that have numbers of their own: more than `base`; one more if
    /// it is not said.
    #[serde(default)]
    pub revision: Option<u64>,
    /// This names all there is: what it does not name is taken away.
    #[serde(default)]
    pub complete: bool,
    /// What the session has not named, here or before, is taken away.
    #[serde(default)]
    pub reap: bool,
    /// Ports by their ids, with the fields of an inventory's port.
    #[serde(default)]
    #[schemars(with = "Neutrons<PortId>")]
    pub ports: Objects<PortId>,
    /// Ports of which no more is known than the id, and `device` where it is not the port's tap. They pass
    /// everything.
    #[serde(default)]
    #[schemars(with = "Neutrons<PortId>")]
    pub trusted: Objects<PortId>,
    /// Security groups by their ids, with the fields of an inventory's group.
    #[serde(default)]
    #[schemars(with = "Neutrons<GroupId>")]
    pub security_groups: Objects<GroupId>,
    /// Members by the id of their security group or address group: a list of addresses and CIDRs; or an
    /// object with the lists `added` and `removed`, for what has changed.
    #[serde(default)]
    #[schemars(with = "BTreeMap<Uuid, Option<Members>>")]
    pub members: Objects<Uuid>,
}

/// The form of objects in the shape of Neutron's API.
type Neutrons<K> = BTreeMap<K, Option<Map<String, Value>>>;

/// The members of one group.
#[derive(JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
#[expect(
    dead_code,
    reason = "it is described here, and read by the parser of members"
)]
enum Members {
    /// All members, as addresses and CIDRs.
    Whole(Vec<String>),
    /// What has changed of them.
    Changed {
        #[schemars(default)]
        added: Vec<String>,
        #[schemars(default)]
        removed: Vec<String>,
    },
}

impl Transaction {
    /// Reads a body.
    ///
    /// # Errors
    ///
    /// What is not JSON, has fields that there are not, names an object twice, or by what is no UUID; a revision
    /// that is not behind the one that it builds on.
    pub fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        let read: Self = serde_json::from_slice(body)?;
        let base = read.base.unwrap_or_default();
        match read.revision {
            Some(revision) if revision <= base => Err(serde_json::Error::custom(format_args!(
                "revision {revision} is not more than base {base}"
            ))),
            _ => Ok(read),
        }
    }
}

/// The writer does not build on what is in force. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the transaction builds on {}, but in force is revision {revision} of {}",
    match .base { Some(base) => format!("revision {base} of session {told}"), None => "nothing".to_owned() },
    match .session { Some(session) => format!("session {session}"), None => "nobody".to_owned() }
)]
pub struct Conflict {
    /// What it builds on.
    pub base: Option<u64>,
    /// Its session.
    pub told: Uuid,
    /// The revision in force.
    pub revision: u64,
    /// The session that wrote it.
    pub session: Option<Uuid>,
}

/// Objects by id, as their texts; `None` is null.
#[derive(Debug)]
pub struct Objects<K>(pub BTreeMap<K, Option<Box<RawValue>>>);

impl<K> Default for Objects<K> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Serialize> Serialize for Objects<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, K: Deserialize<'de> + Ord + fmt::Display> Deserialize<'de> for Objects<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once(PhantomData))
    }
}

/// Of two objects with one id it is not known which is meant.
struct Once<K>(PhantomData<K>);

impl<'de, K: Deserialize<'de> + Ord + fmt::Display> Visitor<'de> for Once<K> {
    type Value = Objects<K>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects by their ids")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut objects = BTreeMap::new();
        while let Some((id, text)) = entries.next_entry::<K, Option<Box<RawValue>>>()? {
            if objects.contains_key(&id) {
                return Err(A::Error::custom(format_args!("{id} is named twice")));
            }
            objects.insert(id, text);
        }
        Ok(Objects(objects))
    }
}
