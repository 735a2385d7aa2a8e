//! `cargo xtask demo`: watch a security group being enforced.

use std::process::ExitCode;

use clap::Parser;
use sg_tests::demo::{self, Ending, Story};

/// Builds a compute node with two virtual machines out of network namespaces, puts one of them
/// into the security group WEB_SERVERS and shows with real traffic what passes and what does not.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Keep everything running at the end until Enter is pressed, to look around.
    #[arg(long)]
    pause: bool,
    /// Drive the node by the commands of the `openstack` client, which `SG_OPENSTACK` names.
    #[arg(long, conflicts_with = "pause")]
    openstack: bool,
    /// Show a fleet instead: eight nodes on three members of etcd.
    #[arg(long, conflicts_with_all = ["pause", "openstack"])]
    fleet: bool,
}

fn main() -> ExitCode {
    let Options {
        pause,
        openstack,
        fleet,
    } = Options::parse();
    let story = match (openstack, fleet) {
        (true, _) => Story::OpenStack,
        (false, true) => Story::Fleet,
        (false, false) => Story::WebServers { pause },
    };
    match demo::run(story) {
        Ending::AsExpected => ExitCode::SUCCESS,
        Ending::Different => ExitCode::FAILURE,
        // As a shell says that a command ended by Ctrl-C.
        Ending::Interrupted => ExitCode::from(130),
    }
}
