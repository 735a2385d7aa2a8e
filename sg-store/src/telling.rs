//! What a filter is told: a transaction of sgd, which has the same form over its socket.

use std::collections::BTreeMap;

use ipnet::IpNet;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::kv::Revision;
use crate::layout::{Identity, Position};

/// A transaction: all there is for a node, or what has changed of it.
#[derive(Debug, Serialize)]
pub struct Telling {
    /// Which store it is of.
    pub session: Uuid,
    /// What it builds on; nothing, if it is complete.
    pub base: Option<Revision>,
    /// The store's revision that it comes to.
    pub revision: Revision,
    /// The first one that it takes with it. Not told: it is there to see how late it is.
    #[serde(skip)]
    pub since: Revision,
    /// Whether this is all there is.
    pub complete: bool,
    /// Ports of the node.
    pub ports: BTreeMap<Uuid, Option<Box<RawValue>>>,
    /// Their groups, with rules.
    pub security_groups: BTreeMap<Uuid, Option<Box<RawValue>>>,
    /// Members of the groups and address groups that rules name.
    pub members: BTreeMap<Uuid, Option<Members>>,
}

/// The members of a group.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Members {
    /// All of them; what is no address has its key beside it.
    Whole(Vec<Value>),
    /// What has changed of them.
    Changed {
        /// Those that came.
        added: Vec<IpNet>,
        /// Those that went.
        removed: Vec<IpNet>,
    },
}

impl Telling {
    /// The body of `POST /v1/transactions`.
    pub fn to_json(&self) -> Vec<u8> {
        // Maps with keys that are strings, and values that were JSON before: there is nothing to refuse.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// How many objects it names.
    pub fn objects(&self) -> usize {
        self.ports.len() + self.security_groups.len() + self.members.len()
    }
}

/// The session of what a store tells: a UUID of version 8 that has the store's identity in it.
pub fn session_of(identity: Identity) -> Uuid {
    let store = identity.store.to_be_bytes();
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(&store[..6]);
    bytes[6] = 0x80;
    bytes[7] = store[6];
    bytes[8] = 0x80;
    bytes[9] = store[7];
    bytes[12..].copy_from_slice(&identity.generation.to_be_bytes());
    Uuid::from_bytes(bytes)
}

impl Position {
    /// How far a store was followed, of what was told last; nothing if that was told by somebody else.
    pub fn of(session: Uuid, revision: Revision) -> Option<Self> {
        let bytes = session.as_bytes();
        let mut store = [0; 8];
        store[..6].copy_from_slice(&bytes[..6]);
        (store[6], store[7]) = (bytes[7], bytes[9]);
        let generation = [bytes[12], bytes[13], bytes[14], bytes[15]];
        let identity = Identity {
            store: u64::from_be_bytes(store),
            generation: u32::from_be_bytes(generation),
        };
        (session_of(identity) == session).then_some(Self { identity, revision })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_says_which_store_it_is_of_and_one_of_another_writer_does_not() {
        let identity = Identity {
            store: 0xcdf8_1818_1e3f_0bb1,
            generation: 0x0102_0304,
        };
        let session = session_of(identity);
        assert_eq!(session.get_version_num(), 8);
        let revision = 42;
        assert_eq!(
            Position::of(session, revision),
            Some(Position { identity, revision })
        );
        let writer = "8d0f5a3e-3d0b-4a44-9a5e-5a8f5b2f7a10".parse().unwrap();
        assert_eq!(Position::of(writer, revision), None);
    }
}
