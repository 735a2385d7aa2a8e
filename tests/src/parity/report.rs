//! The run that a person sees: the written table, then generated cases, then the differences.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser;

use crate::interrupt::{self, Interrupted};
use crate::parity::generate::{self, BATCH, Case};
use crate::parity::regressions::{self, Regression};
use crate::parity::run::{Both, Comparison, Difference};
use crate::parity::scenario::{Scenario, Verdicts};
use crate::parity::shrink;
use crate::parity::table::{self, Row};
use crate::parity::tally::Tally;

/// Sends the same frames through Neutron's own iptables rules and through this filter, and compares
/// every verdict. Differences that are rows of docs/parity.md are counted; any other fails.
#[derive(Debug, Parser)]
#[command(version, bin_name = "cargo xtask parity")]
pub struct Order {
    /// Seed of the generated cases: the same seed makes the same cases.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many cases to generate; a case is one conversation.
    #[arg(long, default_value_t = 2000)]
    pub cases: usize,
    /// The written table and 500 generated cases of a fixed seed.
    #[arg(long, conflicts_with_all = ["seed", "cases"])]
    pub quick: bool,
    /// Only the rows of the written table with this in their name, and nothing generated.
    #[arg(long)]
    pub only: Option<String>,
    /// Only this batch of the generated cases, and nothing of the written table.
    #[arg(long, conflicts_with = "only")]
    pub batch: Option<usize>,
    /// Only this kept regression, given by its file, step by step.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "batch", "seed", "cases", "quick"])]
    pub replay: Option<PathBuf>,
    /// Print every row of the written table, or the rules that iptables has at the end of a replay.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Runs it; whether there was no difference but the expected ones.
#[must_use]
pub fn run(order: &Order) -> bool {
    interrupt::watch();
    let mut both = Both::default();
    let mut all = Tally::default();
    let end = compare_all(&mut both, order, &mut all);
    if end.is_err() {
        println!("\nInterrupted; everything made for the comparison is removed.");
    }
    print!("{}", all.summary());
    end.is_ok() && all.failed == 0
}

fn compare_all(both: &mut Both, order: &Order, all: &mut Tally) -> Result<(), Interrupted> {
    if let Some(file) = &order.replay {
        all.failed += usize::from(!replay(both, file, order.verbose));
        return Ok(());
    }
    if order.batch.is_none() {
        let tally = written(both, order)?;
        println!("written table: {tally}");
        all.add(tally);
    }
    both.filter.set("");
    if order.only.is_none() {
        let tally = generated(both, order)?;
        println!("generated: {tally}");
        all.add(tally);
    }
    Ok(())
}

/// Plays a regression; whether the verdicts are those that it was kept with.
fn replay(both: &mut Both, file: &Path, verbose: bool) -> bool {
    let (name, regression) = regressions::read(file);
    let scenario = &regression.scenario;
    let (iptables, filter) = both.play(scenario);
    println!("{name}: {}", scenario.name);
    print_steps(scenario, &iptables, &filter);
    let compared = both.compare(scenario);
    for (difference, row) in &compared.differences {
        println!("row {row:?}: {}", sentence(difference, scenario));
    }
    let problems = regression.problems(&filter);
    problems.iter().for_each(|problem| println!("{problem}"));
    if verbose {
        let dump = both.iptables.oracle().dump();
        for program in ["iptables", "ip6tables", "ipset", "conntrack"] {
            println!(
                "\n== {program}\n{}",
                dump[program].as_str().unwrap_or_default()
            );
        }
    }
    problems.is_empty() && compared.unexpected().is_none()
}

/// The rows of the written table that were asked for.
fn written(both: &mut Both, order: &Order) -> Result<Tally, Interrupted> {
    let mut tally = Tally::default();
    for row in table::rows() {
        interrupt::check()?;
        let name = format!("{}: {}", row.stands_for, row.scenario.name);
        if order.only.as_ref().is_none_or(|only| name.contains(only)) {
            write_row(both, &row, &name, order.verbose, &mut tally);
        }
    }
    Ok(tally)
}

/// One row: both sides must have the verdicts that are written, and what differs must be told to be of
/// the row of `docs/parity.md` that is written.
fn write_row(both: &mut Both, row: &Row, name: &str, verbose: bool, tally: &mut Tally) {
    let scenario = &row.scenario;
    both.filter.set(row.settings);
    let (iptables, filter) = both.play(scenario);
    let (theirs, ours) = (row.notation(&iptables), row.notation(&filter));
    let compared = both.compare(scenario);
    let wanted = row.deviation.map(|(number, _)| number);
    // Elsewhere than where the row looks, any row of the document may tell.
    let told = compared.differences.iter().all(|(difference, told)| {
        let looked_at = row.at[difference.step] == difference.end;
        *told == wanted || (!looked_at && told.is_some())
    });
    let fits = theirs == row.iptables && ours == row.filter() && told;
    tally.count(&compared, !fits);
    if !fits {
        println!(
            "DIFFERS {name}\n  iptables {theirs} (written {}), here {ours} (written {})",
            row.iptables,
            row.filter()
        );
        for (difference, row) in &compared.differences {
            println!("  row {row:?}: {}", sentence(difference, scenario));
        }
        print_steps(scenario, &iptables, &filter);
    } else if verbose {
        println!("{theirs:<10} {ours:<10} {name}");
    }
}

/// Failures that are made small; the others are only counted.
const SHRUNK: usize = 5;

/// How often a failing scenario is tried again in parts; each costs up to a second.
const TRIES: usize = 80;

/// The generated cases.
fn generated(both: &mut Both, order: &Order) -> Result<Tally, Interrupted> {
    let started = Instant::now();
    let (seed, total) = if order.quick {
        (1, 500)
    } else {
        (order.seed, order.cases)
    };
    let batches = match order.batch {
        Some(batch) => batch..batch + 1,
        None => 0..total.div_ceil(BATCH),
    };
    let mut tally = Tally::default();
    for number in batches {
        let size = BATCH.min(total.saturating_sub(number * BATCH));
        for Case { cases, scenario } in generate::batch(seed, number, size.max(1)) {
            interrupt::check()?;
            let compared = both.compare(&scenario);
            let unexpected = compared.unexpected();
            tally.count_cases(&compared, unexpected.is_some(), cases);
            if let Some(difference) = unexpected {
                fail(both, &scenario, &difference, seed, &tally);
            }
        }
        if number % 25 == 24 {
            let done = (number + 1) * BATCH;
            println!("  {done} of {total} cases ({:.0?})", started.elapsed());
        }
    }
    Ok(tally)
}

/// Says that a scenario failed; the first few are made small and kept as regressions.
fn fail(both: &mut Both, scenario: &Scenario, difference: &Difference, seed: u64, tally: &Tally) {
    println!(
        "DIFFERS {}: {}",
        scenario.name,
        sentence(difference, scenario)
    );
    if tally.failed > SHRUNK {
        return;
    }
    // Who has had enough does not wait for it to become small.
    let fails = |scenario: &Scenario| {
        interrupt::check().is_ok() && both.compare(scenario).unexpected().is_some()
    };
    let small = shrink::shrink(scenario, TRIES, fails);
    let (iptables, filter) = both.play(&small);
    print_steps(&small, &iptables, &filter);
    let name = format!("seed-{seed}-{}", tally.failed);
    let path = regressions::save(
        &name,
        &Regression {
            scenario: small,
            verdicts: iptables.clone(),
            iptables,
        },
    );
    println!("  kept in {}", path.display());
}

fn print_steps(scenario: &Scenario, iptables: &Verdicts, filter: &Verdicts) {
    for ((step, theirs), ours) in scenario.steps.iter().zip(iptables).zip(filter) {
        println!("    iptables {theirs:?} here {ours:?}: {step}");
    }
}

fn sentence(difference: &Difference, scenario: &Scenario) -> String {
    let Difference {
        step,
        end,
        iptables,
        filter,
    } = difference;
    format!(
        "at {end:?} iptables lets {iptables} through, this filter {filter}: {}",
        scenario.steps[*step]
    )
}

impl Tally {
    /// Counts a scenario of one case.
    fn count(&mut self, compared: &Comparison, failed: bool) {
        self.count_cases(compared, failed, 1);
    }
}
