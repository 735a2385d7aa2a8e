//! A long run: ports, groups, members and connections come and go, the daemon is killed and started, its pins are
//! removed, and what all of it takes is watched, while two machines talk.

mod churn;
mod watch;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use churn::Churn;
use watch::{Sample, Watch};

use crate::interrupt;
use crate::node::Node;
use crate::steady::{Outcome, Steady};

/// How long, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long.
    pub time: Duration,
    /// Which run: the same seed does the same things in the same order.
    pub seed: u64,
    /// Ports that come and go.
    pub ports: usize,
    /// How often a line is printed.
    pub every: Duration,
}

/// What a daemon may have grown by, in MiB, in the last quarter, in which it is left alone.
const GROWTH: u64 = 8;

/// Runs, and says what came of it. Ctrl-C ends it early, with all that is checked at the end.
#[must_use]
pub fn run(options: &Options) -> ExitCode {
    interrupt::watch();
    let mut node = Node::new("soak");
    let steady = Steady::new(&node);
    let mut churn = Churn::new(options);
    node.start(&churn.inventory());
    let before = Watch::settled(&node);
    println!("{}", Sample::HEADER);
    println!("{before}");
    let mut quarter = None;
    let outcome = steady.during(|| {
        let begun = Instant::now();
        let mut told = begun;
        while begun.elapsed() < options.time && interrupt::check().is_ok() {
            let is_calm = begun.elapsed() > options.time * 3 / 4;
            if is_calm && quarter.is_none() {
                quarter = Some(Watch::settled(&node));
            }
            churn.step(&mut node, &steady, is_calm);
            if told.elapsed() > options.every {
                told = Instant::now();
                println!("{}", Watch::now(&node, begun.elapsed()));
            }
        }
        churn.unplug_all(&node);
    });
    let after = Watch::settled(&node);
    println!("{after}\n{churn}");
    let wrong = wrong(&outcome, &before, quarter.as_ref(), &after);
    for what in &wrong {
        println!("WRONG: {what}");
    }
    match wrong.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// What is not as it was, or should not have been.
fn wrong(
    outcome: &Outcome,
    before: &Sample,
    quarter: Option<&Sample>,
    after: &Sample,
) -> Vec<String> {
    let mut wrong = outcome.gaps();
    if before.rows != after.rows {
        wrong.push(format!(
            "the policy's tables held {:?} and hold {:?}",
            before.rows, after.rows
        ));
    }
    // A connection of whoever asks may be among them.
    if after.files > before.files + 4 {
        wrong.push(format!(
            "open files: {} before, {} after",
            before.files, after.files
        ));
    }
    if before.maps != after.maps {
        wrong.push(format!(
            "the maps took {} MiB and take {}",
            before.maps, after.maps
        ));
    }
    for (what, was, is) in [
        ("pinned links", before.links, after.links),
        ("programs in the kernel", before.programs, after.programs),
    ] {
        if was != is {
            wrong.push(format!("{what}: {was} before, {is} after"));
        }
    }
    let memory = quarter.map_or(before.memory, |quarter| quarter.memory);
    if after.memory > memory + GROWTH {
        wrong.push(format!(
            "the daemon takes {} MiB, and took {memory}",
            after.memory
        ));
    }
    wrong
}
