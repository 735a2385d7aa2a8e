//! How the logs are doing: what was written, what was not, and why.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::view::LostWhy;

/// Counts since the daemon started, by where a log goes.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<String, LogTotals>>);

/// How a log is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTotals {
    /// Lines that were written.
    pub written: u64,
    /// What is missing in it.
    pub lost: BTreeMap<LostWhy, u64>,
    /// Why it cannot be written at the moment.
    pub failure: Option<String>,
}

impl Ledger {
    /// There is such a log.
    pub fn begin(&self, to: &str) {
        self.change(to, |_| ());
    }

    /// There is no such log any more; what it has done stays known.
    pub fn end(&self, to: &str) {
        self.change(to, |log| log.failure = None);
    }

    /// Lines were written.
    pub fn write(&self, to: &str, lines: u64) {
        self.change(to, |log| log.written += lines);
    }

    /// Something is missing.
    pub fn lose(&self, to: &str, why: LostWhy, count: u64) {
        if count > 0 {
            self.change(to, |log| *log.lost.entry(why).or_default() += count);
        }
    }

    /// Whether a log can be written, which is logged when it changes.
    pub fn tell(&self, to: &str, failure: Option<String>) {
        let mut known = None;
        let new = failure.clone();
        self.change(to, |log| known = std::mem::replace(&mut log.failure, new));
        match (known, failure) {
            (None, Some(error)) => tracing::error!("{}", not_written(to, &error)),
            (Some(_), None) => tracing::info!("the log {to} is written again"),
            _ => {}
        }
    }

    /// All logs that there were.
    pub fn totals(&self) -> BTreeMap<String, LogTotals> {
        self.lock().clone()
    }

    /// What is wrong with logs, as sentences.
    pub fn troubles(&self) -> Vec<String> {
        let logs = self.lock();
        let failed = logs.iter().filter_map(|(to, log)| {
            let error = log.failure.as_ref()?;
            let lost = log.lost.get(&LostWhy::Log).copied().unwrap_or_default();
            Some(format!(
                "{}; {lost} lines are lost so far",
                not_written(to, error)
            ))
        });
        failed.collect()
    }

    fn change(&self, to: &str, change: impl FnOnce(&mut LogTotals)) {
        let mut logs = self.lock();
        match logs.get_mut(to) {
            Some(log) => change(log),
            None => change(logs.entry(to.to_owned()).or_default()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, LogTotals>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_written(to: &str, error: &str) -> String {
    format!("the log {to} is not written, and tried again: {error}")
}
