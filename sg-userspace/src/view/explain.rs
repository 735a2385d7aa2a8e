//! A packet and its walk.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, PacketView, PortView, RuleView, Way};
use crate::packet::PacketWords;

/// A packet to walk through a port's filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainRequest {
    /// The port, by id, interface, MAC, IP address or name.
    pub port: String,
    /// The way the packet goes.
    pub direction: Way,
    /// The packet in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packet: Option<PacketWords>,
    /// Or the packet as a frame: one of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<FrameView>,
}

/// A frame as it was captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FrameView {
    /// Its first bytes, from the Ethernet header on, in hexadecimal digits.
    pub bytes: String,
    /// How many it has, if these are not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Its VLAN, if the tag does not stand in the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
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
    /// The refused packet that is walked, as it was told; what is walked is what would become of it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<PacketView>,
    /// If no rule permits it: those that come nearest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<NearRule>,
    /// If no rule permits it: the command of the OpenStack client that makes one that does, and no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// What else one should know, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
}

/// A rule that nearly permits a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NearRule {
    /// The rule.
    pub rule: RuleView,
    /// What would have to be otherwise.
    pub differs: Differs,
}

/// In what a packet differs from those that a rule permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Differs {
    /// The other side is another.
    Remote,
    /// The port is another, or the type of ICMP.
    Port,
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
