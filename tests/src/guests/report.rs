//! The run that a person sees: a line for each scenario, then what fell, as `docs/guests.md` has it.

use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::thread;
use std::time::Instant;

use clap::Parser;

use super::compare::{Comparison, Fact};
use super::scenario::{self, Scenario};
use super::stage::{Seen, Stage};
use super::{Side, directory, linux};
use crate::interrupt;

/// Boots real guests behind this filter and behind Neutron's iptables rules, and compares which of their
/// frames fell. Differences that are rows of docs/parity.md are listed; any other fails.
#[derive(Debug, Parser)]
#[command(version, bin_name = "cargo xtask guests")]
pub struct Order {
    /// Only the scenarios with this in their name.
    #[arg(long)]
    only: Option<String>,
    /// List the scenarios, and play none.
    #[arg(long)]
    list: bool,
    /// Print what fell on each side, with an example of each kind.
    #[arg(long, short)]
    verbose: bool,
}

/// The packages whose programs play.
const PACKAGES: [&str; 9] = [
    "qemu-system-x86",
    "seabios",
    "ipxe-qemu",
    "ovmf",
    "grub-efi-amd64-bin",
    "u-boot-qemu",
    "dnsmasq-base",
    "tcpdump",
    "iptables",
];

/// Runs it; whether every guest did what it was to do, on both sides, and nothing fell on one side only but by a
/// row.
#[must_use]
pub fn run(order: &Order) -> bool {
    let wanted = |scenario: &&Scenario| {
        let only = order.only.as_deref().unwrap_or_default();
        scenario.name.contains(only)
    };
    let scenarios: Vec<_> = scenario::all().filter(wanted).collect();
    if order.list {
        for scenario in &scenarios {
            println!("{:<18} {}", scenario.name, scenario.about);
        }
        return true;
    }
    if scenarios.is_empty() {
        println!("no scenario has that in its name; --list says which there are");
        return false;
    }
    interrupt::watch();
    println!("{}", versions());
    let mut table = String::from(HEADING);
    let mut failed = 0;
    for scenario in scenarios {
        if interrupt::check().is_err() {
            println!("Interrupted; everything made for the guests is removed.");
            return false;
        }
        let begun = Instant::now();
        let end = catch_unwind(AssertUnwindSafe(|| play(scenario, order.verbose)));
        let took = begun.elapsed().as_secs();
        let (row, passed) = end.unwrap_or_else(|_| (String::new(), false));
        table += &row;
        failed += usize::from(!passed);
        let verdict = if passed { "ok" } else { "FAILED" };
        println!("{verdict:<6} {:<18} {took:>4} s", scenario.name);
    }
    let path = directory().join("outcome.md");
    fs::write(&path, format!("{}\n\n{table}", versions()))
        .unwrap_or_else(|e| panic!("cannot write {path:?}: {e}"));
    println!(
        "\n{table}\n{failed} failed; the recordings are in {}",
        out().display()
    );
    failed == 0
}

const HEADING: &str = "| scenario | the guest, here and with iptables | fell on both | fell on one side |\n| --- | --- | --- | --- |\n";

/// Plays a scenario on both sides at once; its row of the table, and whether it passed.
fn play(scenario: &Scenario, verbose: bool) -> (String, bool) {
    let seen = thread::scope(|scope| {
        let sides = Side::ALL.map(|side| {
            let thread = thread::Builder::new().name(format!("{} {side}", scenario.name));
            thread.spawn_scoped(scope, move || play_on(scenario, side))
        });
        sides.map(|side| side.ok().and_then(|side| side.join().ok()))
    });
    let [Some(here), Some(iptables)] = seen else {
        return (String::new(), false);
    };
    let comparison = Comparison::of(
        &here.kinds,
        &iptables.kinds,
        &here.inventory,
        scenario.excuses,
    );
    if verbose {
        print_kinds(Side::Here, &here);
        print_kinds(Side::Iptables, &iptables);
    }
    let facts = here.facts.iter().chain(&iptables.facts);
    let mut passed = !here.facts.is_empty();
    for fact in facts.filter(|fact| fact.seen != fact.expected) {
        passed = false;
        let which = if here.facts.contains(fact) {
            Side::Here
        } else {
            Side::Iptables
        };
        println!("  {which}: {}: {}", fact.what, said(fact));
    }
    for difference in comparison.differences.iter().filter(|d| d.row.is_none()) {
        passed = false;
        println!(
            "  {} {}: fell {} alone",
            difference.kind, difference.way, difference.fell
        );
    }
    (row(scenario, [&here, &iptables], &comparison), passed)
}

fn play_on(scenario: &Scenario, side: Side) -> Seen {
    let directory = out().join(scenario.name).join(side.to_string());
    // What an earlier run left is of that run.
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap_or_else(|e| panic!("cannot create {directory:?}: {e}"));
    let mut stage = Stage::new(side, &directory);
    (scenario.play)(&mut stage);
    stage.seen()
}

/// A row of the table in `docs/guests.md`.
fn row(scenario: &Scenario, [here, iptables]: [&Seen; 2], comparison: &Comparison) -> String {
    let facts = here.facts.iter().zip(&iptables.facts);
    let facts: Vec<_> = facts
        .map(|(a, b)| match a.seen == b.seen {
            true => format!("{}: {}", a.what, said(a)),
            false => format!("{}: {} / {}", a.what, said(a), said(b)),
        })
        .collect();
    let both: Vec<_> = comparison
        .both
        .iter()
        .map(|(way, kind)| format!("{kind} ({way})"))
        .collect();
    let one: Vec<_> = comparison
        .differences
        .iter()
        .map(|d| {
            let row = d
                .row
                .map_or("NO ROW".to_owned(), |row| format!("row {row}"));
            format!("{} ({}): {} ({row})", d.kind, d.way, d.fell)
        })
        .collect();
    let cell = |words: Vec<String>| match words.is_empty() {
        true => "–".to_owned(),
        false => words.join("; "),
    };
    format!(
        "| `{}` | {} | {} | {} |\n",
        scenario.name,
        cell(facts),
        cell(both),
        cell(one)
    )
}

fn said(fact: &Fact) -> &'static str {
    if fact.seen { "yes" } else { "no" }
}

fn print_kinds(side: Side, seen: &Seen) {
    for ((way, kind), frames) in &seen.kinds {
        let (went, fell) = (frames.went, frames.fell.len());
        println!(
            "  {side:<8} {fell:>5} of {went:<5} fell {way}: {kind} (up to {} bytes)",
            frames.longest
        );
    }
}

fn out() -> std::path::PathBuf {
    directory().join("out")
}

/// What plays, with its versions.
fn versions() -> String {
    let mut words = format!("linux {}", linux::version().trim());
    let output = Command::new("dpkg-query")
        .args(["-W", "-f", "${Package} ${Version}\n"])
        .args(PACKAGES)
        .output();
    let output = output.map(|output| output.stdout).unwrap_or_default();
    for line in String::from_utf8_lossy(&output).lines() {
        let _ = write!(words, ", {line}");
    }
    words
}
