//! What was counted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sg_common::layout::counter::Counter;

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
