//! The ports of a node at one moment.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PortCounters, PortState};

/// The ports that are on this node, at one moment. What two of these differ by, by the time between them, are rates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SampleView {
    /// When, by the clock of the node (RFC 3339, UTC).
    pub time: String,
    /// Microseconds since the node was started, by a clock that nobody sets: for what is divided by time.
    pub uptime_us: u64,
    /// The ports, in the order of their ids.
    pub ports: Vec<PortSample>,
}

/// A port at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortSample {
    /// What was counted, and whose it is. What was never counted is left out.
    #[serde(flatten)]
    pub counted: PortCounters,
    /// What its filter does, as of the last look at the interfaces, which is some seconds old at most.
    pub state: PortState,
    /// Its security groups.
    pub security_groups: Vec<GroupName>,
    /// Number of the port on this node. With another number its counters begin anew; `null` as long as none are kept.
    pub zone: Option<u32>,
    /// Its assured connections; `null` if none are tracked for it here.
    pub connections: Option<AssuredView>,
}

/// A security group by its id and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupName {
    /// UUID.
    pub id: String,
    /// Name, possibly empty.
    pub name: String,
}

/// The assured connections of a port: those that no packet can displace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssuredView {
    /// How many there are.
    pub assured: u32,
    /// How many the port may have; `null` if there is no limit but the table's.
    pub quota: Option<u32>,
}
