//! What the kernel counts of our programs.

use std::time::Duration;

/// How often a program has run, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramTime {
    /// Its name.
    pub name: String,
    /// Runs.
    pub runs: u64,
    /// Time in all.
    pub time: Duration,
}
