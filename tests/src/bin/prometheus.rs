//! `cargo xtask prometheus`: alerts and dashboard, tried with a real Prometheus.

use std::path::PathBuf;

use clap::Parser;

/// Checks the alert rules, tries them, and has a Prometheus scrape a node with traffic and answer every question of
/// the dashboard.
#[derive(Parser)]
#[command(name = "cargo xtask prometheus", version)]
struct Arguments {
    /// Where `prometheus` and `promtool` are.
    #[arg(long)]
    programs: PathBuf,
    /// Where the rules and the dashboard are.
    #[arg(long, default_value = "dist")]
    dist: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { programs, dist } = Arguments::parse();
    sg_tests::prometheus::run(&programs, &dist)
}
