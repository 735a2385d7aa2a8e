//! What a run has shown, for people and as JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use serde::Serialize;
use sg_store::Revision;

use super::node::Shared;
use super::run::Options;

/// A run in figures.
#[derive(Debug)]
pub struct Report {
    pub(super) options: Options,
    /// From the start of all nodes until all had their state.
    pub(super) started: Duration,
    /// From the last write until all had their state.
    pub(super) settled: Duration,
    pub(super) writes: usize,
    pub(super) latencies: Latencies,
    /// How many states were compared, besides the last one of each node.
    pub(super) states: usize,
    pub(super) relists: u64,
    pub(super) cut: u64,
    pub(super) twice: u64,
    pub(super) listed_per_node: u64,
    pub(super) followed_per_node: u64,
    pub(super) asked_per_node: u64,
    pub(super) memory_of_etcd: u64,
    pub(super) memory_per_node: u64,
}

/// From the beginning of a write until a node had applied it, of all nodes that it concerned.
#[derive(Debug, Serialize)]
pub struct Latencies {
    count: usize,
    p50: Duration,
    p99: Duration,
    max: Duration,
}

impl Latencies {
    pub(super) fn of(written: &[(Revision, Instant)], records: &[(String, Shared)]) -> Self {
        let begun: BTreeMap<Revision, Instant> = written.iter().copied().collect();
        let mut all = Vec::new();
        for (_, record) in records {
            let record = record.lock().unwrap_or_else(PoisonError::into_inner);
            for (revisions, at) in &record.applied {
                // Of what was taken together the first one has waited longest.
                if let Some((_, begun)) = begun.range(revisions.clone()).next() {
                    all.push(at.saturating_duration_since(*begun));
                }
            }
        }
        all.sort_unstable();
        let part = |part: f64| {
            let place = ((all.len() as f64 * part) as usize).min(all.len().saturating_sub(1));
            all.get(place).copied().unwrap_or_default()
        };
        Self {
            count: all.len(),
            p50: part(0.5),
            p99: part(0.99),
            max: part(1.0),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
        let size = self.options.size;
        writeln!(
            f,
            "{} nodes, {} ports, {} groups, etcd of {}; {} writes in {} s{}",
            size.nodes,
            size.ports,
            size.groups,
            self.options.members,
            self.writes,
            self.options.length.as_secs(),
            if self.options.disturbed {
                ", disturbed"
            } else {
                ""
            },
        )?;
        writeln!(
            f,
            "all nodes in the model's state: yes, {:.1} s after the last write",
            self.settled.as_secs_f64()
        )?;
        writeln!(
            f,
            "states on the way that were compared: {}, all of them the store's",
            self.states
        )?;
        writeln!(
            f,
            "all nodes began within {:.1} s",
            self.started.as_secs_f64()
        )?;
        let Latencies {
            count,
            p50,
            p99,
            max,
        } = &self.latencies;
        writeln!(
            f,
            "from write to applied: p50 {}, p99 {}, max {} ({count} times)",
            ms(*p50),
            ms(*p99),
            ms(*max)
        )?;
        writeln!(
            f,
            "connections cut {}, pieces that came twice {}, read anew {}",
            self.cut, self.twice, self.relists
        )?;
        writeln!(
            f,
            "bytes per node: {} to begin with, {} while following, {} asked",
            self.listed_per_node, self.followed_per_node, self.asked_per_node
        )?;
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "memory: etcd {:.0} MiB, {:.2} MiB per node",
            mib(self.memory_of_etcd),
            mib(self.memory_per_node)
        )?;
        self.forecast(f)
    }
}

impl Report {
    /// What ten thousand nodes with as many ports each would need of one etcd, by these figures.
    fn forecast(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MANY: u64 = 10_000;

        let nodes = self.options.size.nodes.max(1) as u64;
        let seconds = self.options.length.as_secs().max(1);
        let start = self.listed_per_node * MANY;
        let follow = self.followed_per_node * MANY / seconds;
        let memory = self.memory_of_etcd * MANY / nodes;
        writeln!(
            f,
            "{MANY} nodes like these: {:.1} GB to begin with, {:.1} MB/s while following, {:.1} GB of memory for etcd",
            start as f64 / 1e9,
            follow as f64 / 1e6,
            memory as f64 / 1e9,
        )
    }
}
