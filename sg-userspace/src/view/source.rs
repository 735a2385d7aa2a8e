//! Where what is to be enforced comes from, and whether it is still heard.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where what is to be enforced comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceView {
    /// What it is.
    pub kind: SourceKind,
    /// Where it is: the path of a file, the URLs of a store.
    pub at: String,
    /// The host whose ports are this node's, in a store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whether changes are heard as they are made. A file and a socket always are.
    pub connected: bool,
    /// The revision of it that was taken last, as it counts them.
    pub revision: u64,
    /// Seconds since a store was heard last; nothing, if this daemon has never heard it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds_ago: Option<u64>,
    /// Why a store is not followed at the moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many times all was read anew from a store, by why it had to be.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub relists: BTreeMap<String, u64>,
    /// Changes of keys that a store has told.
    #[serde(default)]
    pub events: u64,
    /// Their bytes, keys and values.
    #[serde(default)]
    pub bytes: u64,
}

/// What says what is to be enforced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A file with a whole inventory.
    #[default]
    Inventory,
    /// A writer on the socket.
    Transactions,
    /// A store that many nodes follow.
    Etcd,
}

impl SourceKind {
    /// Its name, for people and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Transactions => "transactions",
            Self::Etcd => "etcd",
        }
    }
}
