//! `cargo xtask fleet`: many nodes on one etcd, by simulation.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sg_tests::fleet::{self, Options, Size};
use tokio::runtime::Builder;

/// Fills a real etcd, has many nodes follow it with the daemon's own code and no kernel, writes and disturbs, and
/// compares every node with a model.
#[derive(Parser)]
#[command(name = "cargo xtask fleet", version)]
struct Arguments {
    /// Compute nodes
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    nodes: u32,
    /// Ports on all of them; 50 on each if not given
    #[arg(long)]
    ports: Option<u32>,
    /// Security groups; 5 for each node if not given
    #[arg(long)]
    groups: Option<u32>,
    /// Writes a second
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rate: u32,
    /// For how many seconds is written
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Neither kill etcd nor disturb the network
    #[arg(long)]
    calm: bool,
    /// Members of etcd
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=5))]
    members: u8,
    /// Of all that is done at random
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Each node has a connection, and each of these has two ends here.
fn open_many_files() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    let nodes = arguments.nodes as usize;
    let options = Options {
        size: Size {
            nodes,
            ports: arguments.ports.map_or(nodes * 50, |ports| ports as usize),
            groups: arguments.groups.map_or(nodes * 5, |groups| groups as usize),
        },
        rate: arguments.rate,
        length: Duration::from_secs(arguments.seconds),
        disturbed: !arguments.calm,
        members: arguments.members.into(),
        seed: arguments.seed,
    };
    open_many_files();
    let beside = Builder::new_multi_thread().enable_all().build()?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(fleet::run(&options, beside.handle()))?;
    print!("{report}");
    Ok(ExitCode::SUCCESS)
}
