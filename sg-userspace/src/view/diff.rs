//! What an inventory would change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::FlowView;
use crate::model::Fault;

/// What an inventory would change on this node if it were applied. Nothing is changed by asking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiffView {
    /// The ports with an interface here that would not be as they are.
    pub ports: Vec<PortDiff>,
    /// Connections that would be cut: the rules permit them now, and would not.
    pub cut: u64,
    /// Of them, by the security groups of their ports.
    pub by_group: Vec<CutBy>,
    /// Of them, by the other side; those with the most.
    pub by_remote: Vec<CutBy>,
    /// The first of them.
    pub connections: Vec<FlowView>,
    /// What would be left out, and why.
    pub faults: Vec<Fault>,
}

/// What would change at a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortDiff {
    /// Its id.
    pub id: String,
    /// Its name, possibly empty.
    pub name: String,
    /// Its interface.
    pub interface: String,
    /// What becomes of it.
    pub change: PortChange,
    /// What of it comes: rules, members of remote groups, addresses; in words.
    pub added: Vec<String>,
    /// What goes.
    pub removed: Vec<String>,
    /// Connections of it that would be cut.
    pub cut: u64,
}

/// What becomes of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortChange {
    /// It comes.
    Added,
    /// It goes, and its interface is closed.
    Removed,
    /// It stays, and is another.
    Changed,
}

/// Connections that have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CutBy {
    /// What they have in common.
    pub name: String,
    /// How many they are.
    pub connections: u64,
}
