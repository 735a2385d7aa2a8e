//! Ports and their filters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Count, Counters, HookView, PortState, TableView, TroubleView};
use crate::model::Mac;

/// A port, in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortView {
    /// UUID; for a port whose id is not one, what is written there; empty for a filtered interface
    /// whose port has left the inventory.
    pub id: String,
    /// Name, possibly empty.
    pub name: String,
    /// Interface the port has or would have.
    pub interface: String,
    /// VLAN of a trunk's subport on that interface, which is its parent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// The interface's kernel index, if it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// MAC address, unless the port is closed for not having one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac_address: Option<Mac>,
    /// Addresses it may use: fixed ones, then allowed pairs as `CIDR` or `CIDR via MAC`.
    pub addresses: Vec<String>,
    /// Names (or ids) of its security groups.
    pub security_groups: Vec<String>,
    /// What its filter does.
    pub state: PortState,
    /// Why it is in no better state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What is wrong at its interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<TroubleView>,
}

/// A port with its filter, in the order in which a packet meets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortDetail {
    /// The port.
    #[serde(flatten)]
    pub port: PortView,
    /// The programs at its interface.
    #[serde(default)]
    pub hooks: Vec<HookView>,
    /// What meets a packet from the VM.
    pub egress: Vec<StageView>,
    /// What meets a packet to the VM.
    pub ingress: Vec<StageView>,
    /// Fill of the tables that it shares with no other port.
    #[serde(default)]
    pub tables: Vec<TableView>,
    /// Everything counted.
    pub counters: Counters,
}

/// One stage of a port's filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageView {
    /// Its name for programs, in snake case.
    pub stage: String,
    /// What it asks, for people.
    pub text: String,
    /// What it does with packets that fit.
    pub outcome: Outcome,
    /// The counters that belong to it, by their names in [`PortDetail::counters`].
    pub reasons: Vec<String>,
    /// Packets it decided: their sum.
    pub count: Count,
    /// The values it compares with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// The rules, in the stage that asks them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<RuleView>,
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passes.
    Accept,
    /// It falls.
    Drop,
    /// It goes on to the next stage.
    Continue,
}

/// A security group rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleView {
    /// UUID.
    pub id: String,
    /// Name (or id) of its security group.
    pub security_group: String,
    /// The rule in words.
    pub text: String,
    /// Live connections it permitted.
    pub flows: u64,
    /// When it, or one of several rules of which it is one, has permitted a new connection last since that is
    /// counted (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_hit: Option<String>,
}
