//! Connections and the way they go.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::Direction;

/// A tracked connection, seen from its VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowView {
    /// Id of the port.
    pub port: String,
    /// Protocol by name, or number.
    pub protocol: String,
    /// The VM's address.
    pub local: IpAddr,
    /// The VM's port, or the ICMP identifier; 0 for protocols without.
    pub local_port: u16,
    /// The other side's address.
    pub remote: IpAddr,
    /// The other side's port; 0 for protocols without.
    pub remote_port: u16,
    /// The direction of its first packet.
    pub direction: Way,
    /// State of the connection, in nf_conntrack's words.
    pub state: String,
    /// Both sides have spoken enough for it to be kept under pressure.
    pub assured: bool,
    /// It was permitted once and no longer is; its packets are dropped.
    pub revoked: bool,
    /// Seconds until it is forgotten, unless a packet comes.
    pub expires: u64,
}

/// A direction, in Neutron's words.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Towards the VM.
    Ingress,
    /// From the VM.
    Egress,
}

impl From<Direction> for Way {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Ingress => Self::Ingress,
            Direction::Egress => Self::Egress,
        }
    }
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Ingress => Self::Ingress,
            Way::Egress => Self::Egress,
        }
    }
}
