//! `cargo xtask demo`: watch security groups being enforced.

use anyhow::Result;

use crate::{
    python::{CLIENTS, Environment},
    show,
    workspace::Workspace,
};

/// The client that people type at, unmodified.
const CLIENT: Environment = Environment {
    name: "client",
    packages: &CLIENTS,
};

/// Which demonstration.
#[derive(clap::Args)]
#[group(skip)]
pub struct Options {
    /// The same with the commands of the real `openstack` client, which is installed into target/.
    #[arg(long)]
    openstack: bool,
    /// A fleet instead: eight nodes on three members of etcd, some of which fail.
    #[arg(long, conflicts_with = "openstack")]
    fleet: bool,
    #[command(flatten)]
    rest: show::Options,
}

/// Installs what is missing, builds everything and shows it.
///
/// # Errors
/// As [`show::run`], and when the client cannot be installed.
pub fn run(workspace: &Workspace, options: Options) -> Result<()> {
    let Options {
        openstack,
        fleet,
        rest: show::Options { mut arguments },
    } = options;
    let mut environment = Vec::new();
    if openstack {
        arguments.push("--openstack".to_owned());
        let client = CLIENT.programs(workspace)?.join("openstack");
        environment.push(("SG_OPENSTACK", client));
    }
    if fleet {
        arguments.push("--fleet".to_owned());
    }
    show::run_in(workspace, "demo", &arguments, &environment)
}
