//! The run that a person sees: a line for each scenario, then the outcome, which `docs/guests.md` keeps.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use clap::Parser;

use super::compare::{Comparison, Difference};
use super::scenario::{self, Scenario};
use super::stage::{Seen, Stage};
use super::table::{HEADING, page_with, row};
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
    /// Print every kind of frame with how many were sent and fell.
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
/// row. Of a whole run that passed, `docs/guests.md` has the outcome.
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
    let mut outcome = format!("{}\n\n{HEADING}", circumstances());
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
        outcome += &row;
        failed += usize::from(!passed);
        let verdict = if passed { "ok" } else { "FAILED" };
        println!("{verdict:<6} {:<18} {took:>4} s", scenario.name);
    }
    let recordings = out();
    println!(
        "\n{outcome}\n{failed} failed; the recordings are in {}",
        recordings.display()
    );
    if failed == 0 && order.only.is_none() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guests.md");
        keep(&outcome, &page);
    }
    failed == 0
}

/// Writes the outcome into the page.
fn keep(outcome: &str, page: &Path) {
    let text = fs::read_to_string(page).unwrap_or_else(|e| panic!("cannot read {page:?}: {e}"));
    let text = page_with(&text, outcome);
    let text = text.unwrap_or_else(|| panic!("{page:?} has no place for the outcome"));
    fs::write(page, text).unwrap_or_else(|e| panic!("cannot write {page:?}: {e}"));
    println!("docs/guests.md has this outcome");
}

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
    let sides = [(Side::Here, &here), (Side::Iptables, &iptables)];
    if verbose {
        for (side, seen) in sides {
            print_kinds(side, seen);
        }
    }
    let mut passed = !here.facts.is_empty();
    for (side, seen) in sides {
        for fact in seen.facts.iter().filter(|fact| fact.seen != fact.expected) {
            passed = false;
            let seen = if fact.seen { "yes" } else { "no" };
            println!("  {side}: {}: {seen}", fact.what);
        }
    }
    let excuses = scenario.excuses;
    let comparison = Comparison::of(&here.kinds, &iptables.kinds, &here.inventory, excuses);
    for difference in comparison.differences.iter().filter(|d| d.row.is_none()) {
        passed = false;
        let Difference {
            way, kind, fell, ..
        } = difference;
        println!("  {kind} {way}: fell {fell} alone");
    }
    for (way, kind, side) in &comparison.lone {
        println!("  {kind} {way}: fell {side}, and was not sent on the other side");
    }
    let facts = [here.facts.as_slice(), &iptables.facts];
    (row(scenario, facts, &comparison), passed)
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

fn print_kinds(side: Side, seen: &Seen) {
    for ((way, kind), frames) in &seen.kinds {
        let (went, fell) = (frames.went, frames.fell.len());
        println!(
            "  {side:<8} {fell:>5} of {went:<5} fell {way}: {kind} (up to {} bytes)",
            frames.longest
        );
    }
}

fn out() -> PathBuf {
    directory().join("out")
}

/// When and where it is played, and by what.
fn circumstances() -> String {
    let output = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        let output = output.map(|output| output.stdout).unwrap_or_default();
        String::from_utf8_lossy(&output).trim().to_owned()
    };
    let day = output("date", &["-u", "+%-d %B %Y"]);
    let kernel = output("uname", &["-r"]);
    // Without what distributions and clouds call their own.
    let kernel = kernel.split('-').next().unwrap_or_default();
    let format = ["-W", "-f", "${Package} ${Version}\\n"];
    let packages = output("dpkg-query", &[format.as_slice(), &PACKAGES].concat());
    let packages = packages.replace('\n', ", ");
    let guest = linux::version();
    let guest = guest.trim();
    format!("Played on {day}, on Linux {kernel}, with linux {guest}, {packages}.")
}
