//! `cargo xtask bench`: what the filter costs, beside no filter, an empty program, an older build and the filters
//! that it replaces, in one run.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sg_tests::bench::compare::dearer;
use sg_tests::bench::plan::{Extent, Part};
use sg_tests::bench::record;
use sg_tests::bench::run::{self, Order};
use sg_tests::bench::side::Workshop;

/// The reference was not itself: the figures mean nothing.
const UNSTEADY: u8 = 3;
/// Something has become dearer.
const DEARER: u8 = 4;

/// Measures what the filter costs.
///
/// Exit codes: 0 nothing is dearer than recorded; 1 something could not be measured; 3 the reference, measured
/// against itself, was off by more than 5 %: measure again on a calmer machine; 4 something is more than 10 %
/// dearer than recorded, beyond what the reference varies by.
#[derive(Parser)]
struct Options {
    /// Three minutes instead of half an hour.
    #[arg(long)]
    quick: bool,
    /// Only the programs alone, by way of the packet: as `--part programs`.
    #[arg(long)]
    programs: bool,
    /// Only this part; can be given several times.
    #[arg(long, value_name = "PART")]
    part: Vec<Part>,
    /// Only ways through the programs whose name has this in it.
    #[arg(long, value_name = "WORD", default_value = "")]
    only: String,
    /// Samples of each.
    #[arg(long)]
    rounds: Option<usize>,
    /// Where `sgd` and `sgctl` of the build to compare with are.
    #[arg(long, value_name = "DIR")]
    base: Option<PathBuf>,
    /// The folder of `performance.json`, the recorded figures to compare with.
    #[arg(long, value_name = "DIR")]
    docs: Option<PathBuf>,
    /// Record this run there: as JSON, as a picture, and as the tables of `performance.md`.
    #[arg(long, requires = "docs", conflicts_with_all = ["programs", "part", "only"])]
    record: bool,
    /// Write the report to a file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What to print.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

/// What is printed on standard output.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Tables for people.
    Table,
    /// Tables for Markdown.
    Markdown,
    /// JSON.
    Json,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match measure(&options) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(options: &Options) -> Result<u8, String> {
    let recorded = match &options.docs {
        Some(docs) => record::read(docs)?,
        None => None,
    };
    let extent = match options.quick {
        true => Extent::Quick,
        false => Extent::Full,
    };
    let parts = match (options.programs, options.part.as_slice()) {
        (true, _) => vec![Part::Programs],
        (false, []) => extent.parts(),
        (false, parts) => parts.to_vec(),
    };
    let (report, failures) = run::run(&Order {
        extent,
        parts,
        rounds: options.rounds,
        only: options.only.clone(),
        workshop: Workshop {
            base: options.base.clone(),
            flows: 262_144,
        },
    })?;
    match options.output {
        Format::Table => print!("{report}"),
        Format::Markdown => print!("{}", report.markdown()),
        Format::Json => print!("{}", report.json()),
    }
    if let Some(path) = &options.json {
        std::fs::write(path, report.json()).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    if let Some(why) = failures.first() {
        return Err(format!(
            "not all could be measured, nothing is recorded: {why}"
        ));
    }
    if let (true, Some(docs)) = (options.record, &options.docs) {
        record::write(docs, &report)?;
    }
    let unsteady = report.unsteady();
    unsteady
        .iter()
        .for_each(|row| eprintln!("the reference was not itself: {row}"));
    let dearer = recorded.map_or_else(Vec::new, |recorded| dearer(&recorded, &report));
    dearer.iter().for_each(|row| eprintln!("dearer: {row}"));
    Ok(match (unsteady.is_empty(), dearer.is_empty()) {
        (false, _) => UNSTEADY,
        (true, false) => DEARER,
        (true, true) => 0,
    })
}
