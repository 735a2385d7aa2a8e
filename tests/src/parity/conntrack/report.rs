//! The run that a person sees: the written table, then random walks, then the differences.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use clap::Parser;

use super::expected::Expected;
use super::filter::Filter;
use super::host::Host;
use super::notation::Case;
use super::run::{Both, Compared};
use super::table::{self, REGRESSIONS, Variant, WRITTEN};
use super::tally::{self, Tally};
use super::{shrink, walk};

/// Sends the same packets through a router with nf_conntrack and through this filter, and compares
/// label, verdict and lifetime after every one. Differences that are rows of docs/parity.md are
/// counted; any other fails.
#[derive(Debug, Parser)]
#[command(version, bin_name = "cargo xtask parity")]
pub struct Order {
    /// Compare with nf_conntrack, not with Neutron's iptables rules.
    #[arg(long, required = true)]
    pub conntrack: bool,
    /// Seed of the random walks: the same seed makes the same walks.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many packets to send in random walks (the time that passes counts as well).
    #[arg(long, default_value_t = 100_000)]
    pub packets: usize,
    /// The written table and 5,000 packets of a fixed seed.
    #[arg(long, conflicts_with_all = ["seed", "packets"])]
    pub quick: bool,
    /// Only the rows of the written table with this in their name, and no walks.
    #[arg(long)]
    pub only: Option<String>,
    /// Only the walks whose setup has this in it, such as `sctp` or `strict`, and no table.
    #[arg(long, conflicts_with = "only")]
    pub walks: Option<String>,
    /// Run this filter's code on the host, not the kernel's programs.
    #[arg(long)]
    pub host: bool,
    /// Print what became of every row of the written table.
    #[arg(long, short)]
    pub verbose: bool,
    /// Write down what nf_conntrack makes of the written cases.
    #[arg(long)]
    pub record: bool,
}

/// Kinds of differences of which one is made small and kept; the others are only counted.
const SHRUNK: usize = 20;

/// How often a failing walk is tried again in parts.
const TRIES: usize = 600;

/// Runs it; whether there was no difference but the expected ones.
#[must_use]
pub fn run(order: &Order) -> bool {
    let mut both = Both::new(match order.host {
        true => Box::new(Host::new()),
        false => Box::new(Filter::new()),
    });
    let mut failed = 0;
    if order.walks.is_none() {
        failed += written(&mut both, WRITTEN, order);
        failed += written(&mut both, REGRESSIONS, order);
    }
    if order.only.is_none() {
        failed += walks(&mut both, order);
    }
    let counted = both.router.counted();
    if !counted {
        println!("FAILED: the labels are not those that the rules' counters counted");
    }
    counted && failed == 0
}

/// Plays the cases of a file; how many differ, or are not as written for nf_conntrack.
fn written(both: &mut Both, file: &str, order: &Order) -> usize {
    let mut tally = Tally::new();
    let mut rows = table::rows(file);
    let wanted = |variant: &&mut Variant| {
        let only = order.only.as_ref();
        only.is_none_or(|only| variant.case.to_string().contains(only))
    };
    for variant in rows
        .iter_mut()
        .flat_map(|row| &mut row.variants)
        .filter(wanted)
    {
        let case = &variant.case;
        let played = both.play(case);
        let differs = tally.count(&played);
        if differs || order.verbose {
            println!("{}{case}", if differs { "DIFFERS " } else { "" });
            tally::show(case, &played);
        }
        if order.record {
            variant.expected = Some(Expected::of(case, &both.kernel(case)));
        } else if !differs && let Some(wrong) = unlike_written(variant, &played) {
            tally.failed += 1;
            println!("NOT AS WRITTEN {case}\n{wrong}");
        }
    }
    if order.record {
        table::record(file, &rows);
    }
    tally.show(file);
    tally.failed
}

/// What is written, and what was seen, if it is not that.
fn unlike_written(variant: &Variant, played: &[Compared]) -> Option<String> {
    let outcomes: Vec<_> = played
        .iter()
        .map(|compared| compared.kernel.clone())
        .collect();
    let seen = Expected::of(&variant.case, &outcomes);
    let written = match &variant.expected {
        Some(written) if written.agrees(&seen) => return None,
        Some(written) => written.show(&variant.case),
        None => "nothing".to_owned(),
    };
    let seen = seen.show(&variant.case);
    Some(format!("    written {written}\n    seen    {seen}"))
}

/// Walks; how many differ. One of each kind of difference is made small and kept, the common first.
fn walks(both: &mut Both, order: &Order) -> usize {
    let (seed, steps) = match order.quick {
        true => (1, 5_000),
        false => (order.seed, order.packets),
    };
    let mut tally = Tally::new();
    let mut kinds = BTreeMap::new();
    for number in 0.. {
        if tally.steps >= steps {
            break;
        }
        let case = walk::walk(seed, number);
        let part = order.walks.as_ref();
        if !part.is_none_or(|part| case.setup.to_string().contains(part)) {
            continue;
        }
        let played = both.play(&case);
        if tally.count(&played) {
            let (alike, _) = kinds
                .entry(tally::kind(&case, &played))
                .or_insert((0, case));
            *alike += 1;
        }
    }
    let mut kinds: Vec<(usize, Case)> = kinds.into_values().collect();
    kinds.sort_by_key(|(alike, _)| Reverse(*alike));
    for (alike, case) in kinds.iter().take(SHRUNK) {
        println!("DIFFERS {}, like {alike} in all", case.name);
        keep(both, case);
    }
    tally.show(&format!("walks of seed {seed}"));
    tally.failed
}

/// Makes a failing case small, prints it and keeps it.
fn keep(both: &mut Both, case: &Case) {
    let small = shrink::shrink(case, TRIES, |case| tally::fails(&both.play(case)));
    let played = both.play(&small);
    println!("  made small: {small}");
    tally::show(&small, &played);
    table::add(REGRESSIONS, &small, |case| {
        Expected::of(case, &both.kernel(case))
    });
}
