//! What a run counts and prints.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Instant;

use super::notation::{Case, Step};
use super::outcome::Label;
use super::run::Compared;

/// What became of the cases of a table or of a run of walks.
#[derive(Debug)]
pub struct Tally {
    since: Instant,
    cases: usize,
    /// How many steps were taken.
    pub steps: usize,
    /// How many cases differ that should not.
    pub failed: usize,
    labels: BTreeMap<Label, usize>,
    /// Cases with an expected difference, by row of docs/parity.md.
    expected: BTreeMap<u32, usize>,
}

impl Tally {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            since: Instant::now(),
            cases: 0,
            steps: 0,
            failed: 0,
            labels: BTreeMap::new(),
            expected: BTreeMap::new(),
        }
    }

    /// Counts a case; whether it has an unexpected difference.
    pub fn count(&mut self, played: &[Compared]) -> bool {
        self.cases += 1;
        self.steps += played.len();
        for label in played.iter().filter_map(|compared| compared.kernel.label) {
            *self.labels.entry(label).or_default() += 1;
        }
        let fails = fails(played);
        let differs = played.last().filter(|last| !last.agrees());
        let row = differs.and_then(|last| last.row);
        match row {
            Some(row) if !fails => *self.expected.entry(row).or_default() += 1,
            _ => self.failed += usize::from(fails),
        }
        fails
    }

    /// Prints it.
    pub fn show(&self, what: &str) {
        let Self {
            cases,
            steps,
            failed,
            ..
        } = self;
        let labels = list(
            self.labels
                .iter()
                .map(|(label, count)| format!("{count} {label}")),
        );
        let expected = self.expected.iter();
        let expected = list(expected.map(|(row, count)| format!("{count} of row {row}")));
        println!(
            "{what}: {cases} cases, {steps} steps ({labels}), expected differences: {expected}, failed: {failed} ({:.1?})",
            self.since.elapsed()
        );
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a case differs in a way that nothing expects.
#[must_use]
pub fn fails(played: &[Compared]) -> bool {
    played
        .last()
        .is_some_and(|last| !last.agrees() && last.row.is_none())
}

/// In what a case differs, but for numbers: one of each kind is enough to look at.
#[must_use]
pub fn kind(case: &Case, played: &[Compared]) -> String {
    let protocol = case.setup.protocol;
    let Some(last) = played.last() else {
        return String::new();
    };
    let word = match &last.step {
        Step::Packet(packet) => packet.word.clone(),
        step => step.to_string(),
    };
    let before = played.iter().rev().nth(1);
    let before = before.map_or(String::new(), |before| before.kernel.show(protocol));
    let (kernel, filter) = (last.kernel.show(protocol), last.filter.show(protocol));
    let text = format!("{protocol} {word}, {before}, {kernel}, {filter}");
    text.replace(|letter: char| letter.is_ascii_digit(), "")
}

/// Prints what became of each step, and where it differs here.
pub fn show(case: &Case, played: &[Compared]) {
    let protocol = case.setup.protocol;
    for compared in played {
        let (step, kernel) = (compared.step.to_string(), compared.kernel.show(protocol));
        println!("    {step:<28} {kernel}");
        if !compared.agrees() {
            let row = compared
                .row
                .map_or(String::new(), |row| format!(" (row {row})"));
            println!(
                "    {:<28} {}{row}",
                "  here:",
                compared.filter.show(protocol)
            );
        }
    }
}

fn list(parts: impl Iterator<Item = impl Display>) -> String {
    let parts: Vec<_> = parts.map(|part| part.to_string()).collect();
    match parts.is_empty() {
        true => "none".to_owned(),
        false => parts.join(", "),
    }
}
