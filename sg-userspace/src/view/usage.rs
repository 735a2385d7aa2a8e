//! What rules have permitted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the rules of the ports on a node have permitted since they are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageView {
    /// Since when (RFC 3339, UTC). Single rules may have come later.
    pub since: String,
    /// The rules, by group.
    pub rules: Vec<RuleUsage>,
}

/// What a rule has permitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleUsage {
    /// UUID.
    pub id: String,
    /// UUID of its security group.
    pub security_group_id: String,
    /// Name (or id) of its security group.
    pub security_group: String,
    /// The rule in words.
    pub text: String,
    /// The ports on this node that have its group.
    pub ports: Vec<PortUsage>,
}

/// What a rule has permitted to a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortUsage {
    /// UUID of the port.
    pub port: String,
    /// Its name, possibly empty.
    pub name: String,
    /// Since when this is counted: the port has the rule, and the node counts (RFC 3339, UTC).
    pub since: String,
    /// How many connections it has permitted that no other rule of the port's may have; of a stateless group,
    /// packets.
    pub hits: u64,
    /// When last (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_hit: Option<String>,
    /// How many it or one of `shared_with` has permitted: the kernel cannot tell them apart.
    #[serde(default)]
    pub shared_hits: u64,
    /// When last (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_shared_hit: Option<String>,
    /// Those other rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<String>,
    /// Rules of the port that permit all that it permits, so that nothing changes without it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covered_by: Vec<String>,
    /// Live connections that it permits, and no rule before it.
    #[serde(default)]
    pub connections: u64,
}

impl PortUsage {
    /// When it was last used, as far as that can be told: by itself, or one of several.
    pub fn last(&self) -> Option<&str> {
        let (own, shared) = (self.last_hit.as_deref(), self.last_shared_hit.as_deref());
        own.max(shared)
    }
}
