//! Transactions.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::PortState;
use crate::model::{Fault, PortId};

/// What a transaction did. It is answered when the kernel enforces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransactionReport {
    /// The revision that it has made, for the next one to build on.
    pub revision: u64,
    /// Entries written to and removed from the kernel's tables.
    pub changes: usize,
    /// The ports that it names, and those of this host that it has reached, by id.
    pub ports: BTreeMap<PortId, PortOutcome>,
    /// What is wrong with the objects that it names, and why ports do not fit.
    pub faults: Vec<Fault>,
}

/// What became of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortOutcome {
    /// What its filter does.
    pub state: PortState,
    /// Why it is no better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What was told by transactions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransactionsView {
    /// The revision in force; 0 before the first.
    pub revision: u64,
    /// The session that wrote it; null if nobody has.
    pub session: Option<Uuid>,
    /// How many objects there are.
    pub objects: Objects,
}

/// How many objects were told, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names are those of a transaction")]
pub struct Objects {
    pub ports: usize,
    pub trusted: usize,
    pub security_groups: usize,
    pub members: usize,
}
