//! Connections that ports take over from the kernel's own tracker.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RefusedFlow;

/// Which connections ports are to take over from nf_conntrack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AdoptRequest {
    /// Of this port, by id, interface, MAC, IP address or name; of every port that has an interface here if
    /// none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// Of this zone of nf_conntrack; of that which is found to be the port's if none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<u16>,
}

/// What ports have taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdoptReport {
    /// How many connections nf_conntrack has in each of its zones, whoever's they are.
    pub zones: BTreeMap<u16, u64>,
    /// How many more it has that could not be read.
    pub unreadable: u64,
    /// What became of those of each port.
    pub ports: Vec<AdoptedPort>,
}

/// What a port has taken over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdoptedPort {
    /// Id of the port.
    pub port: String,
    /// Its name, possibly empty.
    pub name: String,
    /// How many connections of its addresses are in each zone.
    pub zones: BTreeMap<u16, u64>,
    /// The zone that was taken for the port's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<u16>,
    /// Stored.
    pub adopted: u64,
    /// Of these, how many were assured and can be evicted now: the table or the port's share is full.
    pub evictable: u64,
    /// Left as they are: the port tracks them already.
    pub existing: u64,
    /// Over, and only not removed yet.
    pub expired: u64,
    /// Not stored for want of room.
    pub no_room: u64,
    /// Not permitted by the port.
    pub refused: Vec<RefusedFlow>,
    /// Not understood.
    pub not_understood: Vec<StrangeFlow>,
    /// Why nothing was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Something was left out that the operator may want to be taken over.
    #[serde(default)]
    pub incomplete: bool,
}

/// A connection that was not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StrangeFlow {
    /// What it is, in words.
    pub flow: String,
    /// Why it cannot be had.
    pub reason: String,
}

impl AdoptedPort {
    /// A port that has taken nothing over, and why.
    pub fn noting(self, note: String) -> Self {
        Self {
            note: Some(note),
            ..self
        }
    }
}
