//! What a node tells Prometheus, out of a sample of it: names and units by the conventions of OpenMetrics.

mod encode;
mod programs;

use std::collections::BTreeMap;

use prometheus_client::{encoding::text, metrics::histogram::Histogram, registry::Registry};

pub use programs::ProgramTime;

use crate::events::EventTotals;
use crate::logs::LogTotals;
use crate::view::{PortSample, StatusView};

/// What begins every name.
const PREFIX: &str = "sg";

/// The media type of [`exposition`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A node at one moment.
#[derive(Debug)]
pub struct Sample {
    /// How the daemon is doing.
    pub status: StatusView,
    /// The ports that are here.
    pub ports: Vec<PortSample>,
    /// How long changes took until they were in force, in seconds.
    pub applies: Histogram,
    /// What was told one by one.
    pub events: EventTotals,
    /// How the logs are doing, by where they go.
    pub logs: BTreeMap<String, LogTotals>,
    /// What the kernel counts of its programs, if it does.
    pub programs: Vec<ProgramTime>,
}

/// A histogram of how long changes took.
#[must_use]
pub fn applies() -> Histogram {
    // From a rule in a small group to an inventory of a hundred thousand ports.
    Histogram::new([0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0])
}

/// A sample in the text format of OpenMetrics, which Prometheus reads.
#[must_use]
pub fn exposition(sample: Sample) -> String {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(sample));
    let mut text = String::new();
    match text::encode(&mut text, &registry) {
        Ok(()) => text,
        // Writing to a string does not fail.
        Err(_) => "# EOF\n".into(),
    }
}

#[cfg(test)]
mod tests;
