//! Rates: what two samples of a node differ by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sg_common::reason::Accept;

use crate::view::{
    AssuredView, Count, Counters, Counts, GroupName, PortSample, PortState, SampleView,
};

/// What happened at ports between two samples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// When the later one was taken.
    pub time: String,
    /// The seconds between them; 0 if there is only one.
    pub seconds: f64,
    /// The ports of the later one.
    pub ports: Vec<PortRates>,
    /// What all of them have refused.
    pub drops: Vec<DropRate>,
}

/// A port, and what happened at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PortRates {
    pub port: String,
    pub name: String,
    pub interface: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u16>,
    pub state: PortState,
    pub security_groups: Vec<GroupName>,
    /// `None` if both samples do not tell it: the port is new, or its counters began anew.
    pub per_second: Option<PerSecond>,
    pub connections: Option<AssuredView>,
    /// What it has refused, by reason.
    pub drops: Vec<DropRate>,
}

/// Of both directions together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct PerSecond {
    /// Packets that passed or fell.
    pub packets: f64,
    /// Their bytes, with Ethernet headers.
    pub bytes: f64,
    /// Packets that fell.
    pub drops: f64,
    /// Connections that were opened.
    pub new_connections: f64,
}

/// Packets that were refused in one direction for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DropRate {
    pub direction: String,
    pub reason: String,
    /// `None` if both samples do not tell it.
    pub per_second: Option<f64>,
    /// Since the counters began.
    pub total: u64,
}

impl Rates {
    /// What has happened between a sample and an earlier one, if there is one.
    pub fn between(before: Option<&SampleView>, after: &SampleView) -> Self {
        let passed = |before: &SampleView| after.uptime_us.saturating_sub(before.uptime_us);
        let seconds = before.map_or(0.0, |before| passed(before) as f64 / 1e6);
        let earlier = before.filter(|_| seconds > 0.0);
        let earlier: BTreeMap<_, _> = earlier
            .into_iter()
            .flat_map(|before| &before.ports)
            .map(|port| (port.counted.port.as_str(), port))
            .collect();
        let ports = after.ports.iter().map(|port| {
            let before = earlier.get(port.counted.port.as_str());
            let before = before.filter(|before| goes_on(before, port));
            PortRates::new(
                before.map(|before| (&before.counted.counters, seconds)),
                port,
            )
        });
        let ports: Vec<_> = ports.collect();
        Self {
            time: after.time.clone(),
            seconds,
            drops: sum(&ports),
            ports,
        }
    }
}

impl PortRates {
    /// With what was counted before, and how many seconds before.
    fn new(before: Option<(&Counters, f64)>, port: &PortSample) -> Self {
        let PortSample {
            counted,
            state,
            security_groups,
            connections,
            zone: _,
        } = port;
        let mut sums = PerSecond::default();
        let mut drops = Vec::new();
        for (direction, reason, count) in counted.counters.all() {
            let per_second = before.map(|(before, seconds)| {
                let was = count_of(before, direction, reason);
                let rate = |now: u64, was: u64| now.saturating_sub(was) as f64 / seconds;
                (
                    rate(count.packets, was.packets),
                    rate(count.bytes, was.bytes),
                )
            });
            let (packets, bytes) = per_second.unwrap_or_default();
            let kind = Counts::of(reason);
            if kind == Counts::Condition {
                continue;
            }
            sums.packets += packets;
            sums.bytes += bytes;
            if reason == Accept::New.as_str() {
                sums.new_connections += packets;
            }
            if kind == Counts::Dropped {
                sums.drops += packets;
                drops.push(DropRate {
                    direction: direction.into(),
                    reason: reason.into(),
                    per_second: per_second.map(|(packets, _)| packets),
                    total: count.packets,
                });
            }
        }
        Self {
            port: counted.port.clone(),
            name: counted.name.clone(),
            interface: counted.interface.clone(),
            vlan: counted.vlan,
            state: *state,
            security_groups: security_groups.clone(),
            per_second: before.map(|_| sums),
            connections: *connections,
            drops: ordered(drops),
        }
    }

    /// Its name, or what else it can be called by.
    pub fn called(&self) -> String {
        let called = [&self.name, &self.place(), &self.port];
        let mut called = called.into_iter().filter(|name| !name.is_empty());
        called.next().cloned().unwrap_or_default()
    }

    /// Its interface; a subport's as Linux names VLAN interfaces.
    pub fn place(&self) -> String {
        match self.vlan {
            Some(vlan) if !self.interface.is_empty() => format!("{}.{vlan}", self.interface),
            _ => self.interface.clone(),
        }
    }

    /// Which part of its quota of assured connections it has, if it has one.
    pub fn share(&self) -> Option<f64> {
        let held = self.connections?;
        Some(f64::from(held.assured) / f64::from(held.quota?))
    }
}

/// Whether the counters of a port are those of before, further on. A port that gets another place in the tables,
/// or one that another port has had meanwhile, begins anew.
fn goes_on(before: &PortSample, after: &PortSample) -> bool {
    let (was, is) = (&before.counted.counters, &after.counted.counters);
    let has_grown = |(direction, reason, was): (&str, &str, Count)| {
        let is = count_of(is, direction, reason);
        is.packets >= was.packets && is.bytes >= was.bytes
    };
    after.zone.is_some() && before.zone == after.zone && was.all().all(has_grown)
}

fn count_of(counters: &Counters, direction: &str, reason: &str) -> Count {
    let counts = match direction {
        "egress" => &counters.egress,
        _ => &counters.ingress,
    };
    counts.get(reason).copied().unwrap_or_default()
}

fn sum(ports: &[PortRates]) -> Vec<DropRate> {
    let mut sums: BTreeMap<(&str, &str), (Option<f64>, u64)> = BTreeMap::new();
    for drop in ports.iter().flat_map(|port| &port.drops) {
        let (rate, total) = sums.entry((&drop.direction, &drop.reason)).or_default();
        if let Some(more) = drop.per_second {
            *rate = Some(rate.unwrap_or_default() + more);
        }
        *total += drop.total;
    }
    let drops = sums
        .into_iter()
        .map(|((direction, reason), (per_second, total))| DropRate {
            direction: direction.into(),
            reason: reason.into(),
            per_second,
            total,
        });
    ordered(drops.collect())
}

/// What is refused most comes first.
fn ordered(mut drops: Vec<DropRate>) -> Vec<DropRate> {
    drops.sort_by(|one, other| {
        let rate = |drop: &DropRate| drop.per_second.unwrap_or_default();
        let by_rate = rate(other).total_cmp(&rate(one));
        by_rate.then(other.total.cmp(&one.total))
    });
    drops
}
