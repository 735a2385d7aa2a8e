//! What came of the kernels, side by side.

use std::{collections::BTreeSet, fmt::Write};

use serde::Serialize;

use super::console::Outcome;

/// Where the table stands in a document.
pub const BEGIN: &str = "<!-- written by cargo xtask kernels -->";
pub const END: &str = "<!-- end -->";

/// Kernels by Debian's version, in the order they were booted in.
#[derive(Debug, Default, Serialize)]
pub struct Report(Vec<(String, Outcome)>);

impl Report {
    /// Adds a kernel.
    pub fn add(&mut self, version: &str, outcome: Outcome) {
        self.0.push((version.into(), outcome));
    }

    /// What failed, with the kernel it failed on.
    pub fn failures(&self) -> Vec<String> {
        let failures = self.0.iter().flat_map(|(version, outcome)| {
            outcome
                .failed
                .iter()
                .map(move |failed| format!("{version}: {failed}"))
        });
        failures.collect()
    }

    /// A table as documents have it.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        row(
            &mut text,
            "",
            self.0.iter().map(|(version, _)| version.clone()),
        );
        row(&mut text, "---", self.0.iter().map(|_| "---".into()));
        self.rows(
            &mut text,
            |outcome| &outcome.daemon,
            "",
            |value| value.clone(),
        );
        self.rows(
            &mut text,
            |outcome| &outcome.features,
            "",
            |has| {
                if *has { "yes".into() } else { "no".into() }
            },
        );
        self.rows(
            &mut text,
            |outcome| &outcome.verified,
            "verified: ",
            |walked| {
                let numbers = [walked.instructions, walked.budget].map(thousands);
                numbers.join(" of ")
            },
        );
        self.rows(
            &mut text,
            |outcome| &outcome.passed,
            "passed: ",
            u32::to_string,
        );
        row(
            &mut text,
            "failed",
            self.0
                .iter()
                .map(|(_, outcome)| match outcome.failed.is_empty() {
                    true => "none".into(),
                    false => outcome.failed.join(", "),
                }),
        );
        text
    }

    /// A row for each name that any kernel has.
    fn rows<T>(
        &self,
        text: &mut String,
        column: impl Fn(&Outcome) -> &std::collections::BTreeMap<String, T>,
        prefix: &str,
        show: impl Fn(&T) -> String,
    ) {
        let outcomes = self.0.iter().map(|(_, outcome)| outcome);
        let names: BTreeSet<&String> = outcomes
            .flat_map(|outcome| column(outcome).keys())
            .collect();
        for name in names {
            let cells = self
                .0
                .iter()
                .map(|(_, outcome)| column(outcome).get(name).map_or_else(|| "–".into(), &show));
            row(text, &format!("{prefix}{name}"), cells);
        }
    }
}

fn row(text: &mut String, head: &str, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.collect();
    // Writing into a string cannot fail.
    let _ = writeln!(text, "| {head} | {} |", cells.join(" | "));
}

/// `28,117`.
fn thousands(number: u32) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::console::Walked;

    #[test]
    fn kernels_stand_side_by_side_and_what_failed_is_named() {
        let mut report = Report::default();
        let mut old = Outcome::default();
        let walked = Walked {
            instructions: 28_117,
            budget: 100_000,
        };
        old.verified.insert("from_vm".into(), walked);
        old.failed.push("taps::two".into());
        report.add("6.1.192-3", old);
        report.add("6.12.117-1", Outcome::default());
        let table = report.markdown();
        assert!(
            table.starts_with("|  | 6.1.192-3 | 6.12.117-1 |\n| --- | --- | --- |\n"),
            "{table}"
        );
        assert!(
            table.contains("| verified: from_vm | 28,117 of 100,000 | – |\n"),
            "{table}"
        );
        assert!(table.contains("| failed | taps::two | none |\n"), "{table}");
        assert_eq!(report.failures(), ["6.1.192-3: taps::two"]);
    }
}
