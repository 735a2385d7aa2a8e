//! What a run has seen, in figures.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::time::Instant;

use crate::parity::run::Comparison;

/// The table of differences that this project means to have.
const DIFFERENCES: &str = include_str!("../../../docs/parity.md");

/// Counts of cases, frames and differences.
#[derive(Clone, Debug)]
pub struct Tally {
    started: Instant,
    cases: usize,
    frames: [usize; 2],
    unsteady: usize,
    /// Scenarios with a difference that is not expected.
    pub failed: usize,
    /// Expected differences by row of `docs/parity.md`.
    expected: BTreeMap<u32, usize>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            cases: 0,
            frames: [0; 2],
            unsteady: 0,
            failed: 0,
            expected: BTreeMap::new(),
        }
    }
}

impl Tally {
    /// Counts a scenario of so many cases.
    pub fn count_cases(&mut self, compared: &Comparison, failed: bool, cases: usize) {
        self.cases += cases;
        self.failed += usize::from(failed);
        self.unsteady += compared.unsteady;
        for (total, count) in self.frames.iter_mut().zip(compared.frames) {
            *total += count;
        }
        for row in compared.differences.iter().filter_map(|(_, row)| *row) {
            *self.expected.entry(row).or_default() += 1;
        }
    }

    /// Adds the figures of a part of the run.
    pub fn add(&mut self, part: Self) {
        self.cases += part.cases;
        self.failed += part.failed;
        self.unsteady += part.unsteady;
        for (total, count) in self.frames.iter_mut().zip(part.frames) {
            *total += count;
        }
        for (row, count) in part.expected {
            *self.expected.entry(row).or_default() += count;
        }
    }

    /// The expected differences by row, and how it ended.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::from("\nexpected differences, by row of docs/parity.md:\n");
        for (row, count) in &self.expected {
            let what = what(*row).unwrap_or("NO SUCH ROW");
            let _ = writeln!(text, "  {row:>3} {count:>7}  {what}");
        }
        if self.unsteady > 0 {
            let _ = writeln!(
                text,
                "{} differences did not show a second time and are not counted",
                self.unsteady
            );
        }
        let _ = match self.failed {
            0 => writeln!(text, "no other difference"),
            failed => writeln!(text, "{failed} scenarios with other differences: see above"),
        };
        text
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [sent, passed] = self.frames;
        let seconds = self.started.elapsed().as_secs_f64();
        write!(
            f,
            "{} cases, {sent} frames of which {passed} pass under iptables, {} expected differences, \
             {} failed, in {seconds:.0} s ({:.0} cases/s)",
            self.cases,
            self.expected.values().sum::<usize>(),
            self.failed,
            self.cases as f64 / seconds.max(0.001)
        )
    }
}

/// What a row of `docs/parity.md` is about.
#[must_use]
pub fn what(row: u32) -> Option<&'static str> {
    let mut lines = DIFFERENCES.lines();
    let line = lines.find(|line| line.starts_with(&format!("| {row} |")))?;
    line.split('|').nth(2).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::what;

    #[test]
    fn rows_are_read_from_the_document() {
        assert!(what(1).is_some_and(|text| text.contains("one family")));
        assert_eq!(what(0), None);
    }
}
