//! Connections and the way they go.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    flows::FlowFilter,
    model::{Direction, PortId},
};

/// A tracked connection, seen from its VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowView {
    /// Id of the port.
    pub port: String,
    /// Number of the port on this node, which tells equal tuples of two ports apart.
    pub zone: u32,
    /// Protocol by name, or number.
    pub protocol: String,
    /// Protocol by number.
    pub protocol_number: u8,
    /// The VM's address.
    pub local: IpAddr,
    /// The VM's port, or the ICMP identifier; 0 for protocols without.
    pub local_port: u16,
    /// The other side's address.
    pub remote: IpAddr,
    /// The other side's port; 0 for protocols without.
    pub remote_port: u16,
    /// Type of the request, of an ICMP query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// Code of an ICMP query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// The direction of its first packet.
    pub direction: Way,
    /// State of the connection, in nf_conntrack's words.
    pub state: String,
    /// The other side has answered.
    pub replied: bool,
    /// Both sides have spoken enough for it to be kept under pressure.
    pub assured: bool,
    /// It was permitted once and no longer is; its packets are dropped.
    pub revoked: bool,
    /// Seconds until it is forgotten, unless a packet comes.
    pub expires: u64,
}

/// Which connections to delete.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRequest {
    /// What they are.
    #[serde(default)]
    pub filter: FlowFilter,
    /// An empty filter is meant.
    #[serde(default)]
    pub all: bool,
    /// They are only counted.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of the connections of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImportReport {
    /// Id of the port.
    pub port: PortId,
    /// Stored.
    pub imported: u64,
    /// Of these, how many were assured and can be evicted now: the table or the port's share is full.
    pub evictable: u64,
    /// Left as they are here: a connection of the same addresses and ports is tracked already.
    pub existing: u64,
    /// Ended since they were exported.
    pub expired: u64,
    /// Not stored for want of room.
    pub no_room: u64,
    /// Not permitted here.
    pub refused: Vec<RefusedFlow>,
}

/// A connection that was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedFlow {
    /// The connection.
    #[serde(flatten)]
    pub flow: FlowView,
    /// Why its first packet would be dropped, by the name in the counters; `untracked` at a port that
    /// tracks no connections.
    pub reason: String,
}

impl ImportReport {
    /// Nothing yet.
    pub fn new(port: PortId) -> Self {
        Self {
            port,
            imported: 0,
            evictable: 0,
            existing: 0,
            expired: 0,
            no_room: 0,
            refused: Vec::new(),
        }
    }
}

/// A direction, in Neutron's words.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    clap::ValueEnum,
    Serialize,
    Deserialize,
    JsonSchema,
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
