//! `cargo xtask soak`: a long run of everything at once.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sg_tests::soak::{self, Options};

/// Ports, groups, members and connections come and go, the daemon is killed and started and its pins are removed,
/// while two machines talk: nothing may be lost, nothing refused may pass, and at the end nothing may be left.
#[derive(Parser)]
#[command(name = "cargo xtask soak", version)]
struct Arguments {
    /// How long.
    #[arg(long, default_value_t = 1.0)]
    hours: f64,
    /// Which run: the same seed does the same things in the same order.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Ports that come and go.
    #[arg(long, default_value_t = 40)]
    ports: usize,
    /// Seconds between two lines.
    #[arg(long, default_value_t = 60)]
    every: u64,
}

fn main() -> ExitCode {
    let Arguments {
        hours,
        seed,
        ports,
        every,
    } = Arguments::parse();
    soak::run(&Options {
        time: Duration::from_secs_f64(hours * 3600.0),
        seed,
        ports,
        every: Duration::from_secs(every),
    })
}
