//! What the demo prints: steps, commands, and outcomes against what was expected.

use std::fmt::Display;
use std::io::{self, IsTerminal};
use std::time::Instant;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use crate::interrupt::{self, Interrupted};

/// The outcomes so far.
pub(super) struct Report {
    started: Instant,
    steps: u32,
    checks: Vec<Check>,
    /// Whether there is someone to see colours.
    colour: bool,
}

struct Check {
    step: u32,
    what: String,
    expected: String,
    seen: String,
}

impl Report {
    pub fn new() -> Self {
        let colour = io::stdout().is_terminal();
        Self {
            started: Instant::now(),
            steps: 0,
            checks: Vec::new(),
            colour,
        }
    }

    /// Opens the next step.
    pub fn step(&mut self, title: &str) -> Result<(), Interrupted> {
        interrupt::check()?;
        self.steps += 1;
        let title = format!("{}. {title}", self.steps);
        println!("\n{}", self.paint("1", &title));
        Ok(())
    }

    /// Says what happens, in a sentence.
    pub fn say(&self, sentence: &str) {
        println!("   {sentence}");
    }

    /// Shows the command that is run.
    pub fn command(&self, line: &str) {
        println!("   {}", self.paint("36", &format!("$ {line}")));
    }

    /// Shows what a command printed, at most so many lines of it.
    pub fn output(&self, text: &str, limit: usize) {
        let total = text.lines().count();
        for line in text.lines().take(limit) {
            println!("     {line}");
        }
        if total > limit {
            println!("     … {} more lines", total - limit);
        }
    }

    /// Compares an outcome with what was expected of it.
    pub fn check(&mut self, what: &str, expected: impl Display, seen: impl Display) {
        let check = Check {
            step: self.steps,
            what: what.to_owned(),
            expected: expected.to_string(),
            seen: seen.to_string(),
        };
        let Check { expected, seen, .. } = &check;
        if expected == seen {
            println!("   {} {what}: {seen}", self.paint("32", "✓"));
        } else {
            println!(
                "   {} {what}: {seen} instead of: {expected}",
                self.paint("31", "✗")
            );
        }
        self.checks.push(check);
    }

    /// Prints the table of all outcomes; whether all were as expected.
    pub fn conclude(&self) -> bool {
        let mut table = Table::new();
        table.load_style(UTF8_FULL_CONDENSED);
        table.set_header(["", "Step", "Outcome of", "Expected", "Seen"]);
        for Check {
            step,
            what,
            expected,
            seen,
        } in &self.checks
        {
            let mark = if expected == seen { "✓" } else { "✗" };
            table.add_row([mark, &step.to_string(), what, expected, seen]);
        }
        println!("\n{table}");

        let differ = self
            .checks
            .iter()
            .filter(|check| check.expected != check.seen)
            .count();
        let seconds = self.started.elapsed().as_secs_f32();
        let count = self.checks.len();
        if differ == 0 {
            println!("All {count} outcomes are as expected ({seconds:.0} s).");
        } else {
            println!("{differ} of {count} outcomes are not as expected ({seconds:.0} s).");
        }
        differ == 0 && count > 0
    }

    /// Wraps a text in an ANSI style, on a terminal.
    fn paint(&self, style: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
