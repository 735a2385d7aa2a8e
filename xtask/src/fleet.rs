//! `cargo xtask fleet`: many nodes on one etcd, by simulation.

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{build, debian, show, workspace::Workspace};

/// How many, and for how long. `--help` is for the simulation itself, which knows its options.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// Options of the simulation, such as `--nodes 1000 --ports 50000`, `--calm` or `--help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs what is missing, builds the simulation optimised and runs it. It needs neither root nor the filter.
///
/// # Errors
/// When something does not build, or a node is not in the state that the model says.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let arguments = &options.arguments;
    if arguments
        .iter()
        .any(|word| word == "--help" || word == "-h")
    {
        return show::ask(workspace, "fleet", arguments);
    }
    debian::ensure(workspace, &[debian::ETCD])?;
    build::optimised(workspace, "sg-tests", "fleet")?;
    let shell = workspace.shell()?;
    let fleet = workspace.bin_dir(true).join("fleet");
    cmd!(shell, "{fleet} {arguments...}")
        .env("PATH", debian::search_path(workspace)?)
        .quiet()
        .run()
        .context("the simulation did not end well: see above")
}
