//! The ports, with what a reader needs of two readings to draw what happened between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sg_common::reason::{Accept, DropReason};

use crate::view::{Count, GroupName, PortSample, PortState, SampleView};

/// The ports of the node at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The name of the node.
    pub node: String,
    /// When (RFC 3339, UTC).
    pub time: String,
    /// The same by a clock that nobody sets.
    pub uptime_us: u64,
    /// The ports.
    pub ports: Vec<Row>,
}

/// A port at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    pub id: String,
    pub name: String,
    pub interface: String,
    pub vlan: Option<u16>,
    pub state: PortState,
    /// Names (or ids) of its security groups.
    pub groups: Vec<String>,
    /// With another one its counters begin anew.
    pub zone: Option<u32>,
    /// All that passed or fell, both ways.
    pub packets: u64,
    pub bytes: u64,
    pub drops: u64,
    /// Connections that a rule has permitted.
    pub opened: u64,
    /// Assured connections, and how many it may have.
    pub assured: Option<u32>,
    pub quota: Option<u32>,
}

/// What a sample comes to.
pub fn rows(node: String, sample: SampleView) -> Rows {
    Rows {
        node,
        time: sample.time,
        uptime_us: sample.uptime_us,
        ports: sample.ports.into_iter().map(row).collect(),
    }
}

fn row(sample: PortSample) -> Row {
    let PortSample {
        counted,
        state,
        security_groups,
        zone,
        connections,
    } = sample;
    let ways = [&counted.counters.egress, &counted.counters.ingress];
    let accepted = sum(ways, Accept::ALL.iter().map(|accept| accept.as_str()));
    let dropped = sum(ways, DropReason::ALL.iter().map(|reason| reason.as_str()));
    let opened = sum(ways, [Accept::New.as_str()]);
    Row {
        id: counted.port,
        name: counted.name,
        interface: counted.interface,
        vlan: counted.vlan,
        state,
        groups: security_groups.into_iter().map(called).collect(),
        zone,
        packets: accepted.packets + dropped.packets,
        bytes: accepted.bytes + dropped.bytes,
        drops: dropped.packets,
        opened: opened.packets,
        assured: connections.map(|held| held.assured),
        quota: connections.and_then(|held| held.quota),
    }
}

fn called(group: GroupName) -> String {
    match group.name.is_empty() {
        true => group.id,
        false => group.name,
    }
}

/// What was counted under these names.
fn sum<'a>(
    ways: [&BTreeMap<String, Count>; 2],
    names: impl IntoIterator<Item = &'a str> + Clone,
) -> Count {
    let mut sum = Count::default();
    for way in ways {
        let counts = names.clone().into_iter().filter_map(|name| way.get(name));
        counts.for_each(|count| sum += *count);
    }
    sum
}
