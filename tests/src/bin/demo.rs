//! `cargo xtask demo`: watch a security group being enforced.

use std::process::ExitCode;

use clap::Parser;
use sg_tests::demo::{self, Ending};

/// Builds a compute node with two virtual machines out of network namespaces, puts one of them
/// into the security group WEB_SERVERS and shows with real traffic what passes and what does not.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Keep everything running at the end until Enter is pressed, to look around.
    #[arg(long)]
    pause: bool,
}

fn main() -> ExitCode {
    let Options { pause } = Options::parse();
    match demo::run(pause) {
        Ending::AsExpected => ExitCode::SUCCESS,
        Ending::Different => ExitCode::FAILURE,
        // As a shell says that a command ended by Ctrl-C.
        Ending::Interrupted => ExitCode::from(130),
    }
}
