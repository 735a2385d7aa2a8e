//! What was counted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sg_common::{
    layout::counter::Counter,
    reason::{Accept, DropReason},
};

/// Packets and bytes. A GSO super-packet counts once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Count {
    /// Packets.
    pub packets: u64,
    /// Bytes, with Ethernet headers.
    pub bytes: u64,
}

impl From<Counter> for Count {
    fn from(counter: Counter) -> Self {
        Self {
            packets: counter.packets,
            bytes: counter.bytes,
        }
    }
}

impl std::ops::AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// What was counted, by direction and then by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counters {
    /// Packets from the VM.
    pub egress: BTreeMap<String, Count>,
    /// Packets to the VM.
    pub ingress: BTreeMap<String, Count>,
}

impl Counters {
    /// Each with its direction and its reason.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str, Count)> {
        let egress = self
            .egress
            .iter()
            .map(|(reason, count)| ("egress", reason, count));
        let ingress = self
            .ingress
            .iter()
            .map(|(reason, count)| ("ingress", reason, count));
        egress
            .chain(ingress)
            .map(|(direction, reason, count)| (direction, reason.as_str(), *count))
    }
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Packets that passed.
    Accepted,
    /// Packets that fell.
    Dropped,
    /// Packets of which operators should know, which are counted by their verdict as well.
    Condition,
}

impl Counts {
    /// What the counter of this name counts.
    pub fn of(reason: &str) -> Self {
        let is_accept = Accept::ALL.iter().any(|accept| accept.as_str() == reason);
        let is_drop = DropReason::ALL.iter().any(|drop| drop.as_str() == reason);
        match (is_accept, is_drop) {
            (true, _) => Self::Accepted,
            (_, true) => Self::Dropped,
            _ => Self::Condition,
        }
    }

    /// Its name, for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accept",
            Self::Dropped => "drop",
            Self::Condition => "condition",
        }
    }
}

/// What was counted at a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortCounters {
    /// Id of the port.
    pub port: String,
    /// Its name.
    pub name: String,
    /// Its interface.
    pub interface: String,
    /// VLAN of a trunk's subport on that interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    /// What was counted.
    #[serde(flatten)]
    pub counters: Counters,
}
