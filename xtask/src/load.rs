//! `cargo xtask load -- --inventory FILE …`: build and run the daemon.

use anyhow::{Result, ensure};
use xshell::cmd;

use crate::{build, host, workspace::Workspace};

/// What to run.
#[derive(clap::Args)]
pub struct Options {
    /// Run the optimised daemon.
    #[arg(long)]
    release: bool,
    /// Arguments of `sgd run`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Builds everything and runs `sgd run` until it ends.
///
/// # Errors
/// Without root, when something does not build, or when the daemon fails.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    ensure!(
        host::is_root(),
        "loading programs into the kernel needs root: run this as root"
    );
    build::all(workspace, options.release)?;
    let shell = workspace.shell()?;
    let daemon = workspace.bin_dir(options.release).join("sgd");
    let arguments = &options.arguments;
    Ok(cmd!(shell, "{daemon} run {arguments...}").run()?)
}
