//! A packet and its walk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, PortView, RuleView, Way};
use crate::packet::PacketWords;

/// A packet to walk through a port's filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainRequest {
    /// The port, by id, interface, MAC, IP address or name.
    pub port: String,
    /// The way the packet goes.
    pub direction: Way,
    /// The packet.
    pub packet: PacketWords,
}

/// The walk of a packet through a port's filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainView {
    /// The port.
    pub port: PortView,
    /// The way the packet goes.
    pub direction: Way,
    /// Stage by stage.
    pub steps: Vec<Step>,
    /// [`Outcome::Accept`] or [`Outcome::Drop`].
    pub verdict: Outcome,
    /// The reason by its name in the counters.
    pub reason: String,
    /// The reason as a sentence.
    pub sentence: String,
    /// The rule that permits it, if it is a rule that does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleView>,
    /// What else one should know, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// One stage of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The stage.
    pub stage: String,
    /// What it saw.
    pub detail: String,
    /// What it did.
    pub outcome: Outcome,
}
