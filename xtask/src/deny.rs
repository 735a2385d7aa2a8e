//! `cargo xtask deny`: licences, sources and known faults of the crates that this is built from.

use std::{env, path::PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::workspace::Workspace;

/// The release that is installed where there is none.
const RELEASE: &str = "0.20.2";

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// Also check for known faults. Fetches the database of RustSec from GitHub.
    #[arg(long)]
    advisories: bool,
}

/// Checks what `deny.toml` says. All but the advisories needs no network, once the crates are here.
///
/// # Errors
/// When something is not as it says, or cargo-deny can neither be found nor installed.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let shell = workspace.shell()?;
    let program = match find(workspace) {
        Some(program) => program,
        None => install(workspace)?,
    };
    cmd!(shell, "{program} check licenses bans sources")
        .quiet()
        .run()
        .context("a crate is not as deny.toml says")?;
    if options.advisories {
        cmd!(shell, "{program} check advisories")
            .quiet()
            .run()
            .context("a crate has a known fault, or the database cannot be fetched")?;
    }
    Ok(())
}

/// The project's own, or one on PATH.
fn find(workspace: &Workspace) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let own = workspace.tools().join("bin");
    let mut found = [own].into_iter().chain(env::split_paths(&path));
    found.find_map(|folder| Some(folder.join("cargo-deny")).filter(|file| file.is_file()))
}

fn install(workspace: &Workspace) -> Result<PathBuf> {
    let (shell, cargo, tools) = (workspace.shell()?, workspace.cargo(), workspace.tools());
    let build = tools.join("build");
    eprintln!("Installing cargo-deny {RELEASE}, which takes minutes.");
    cmd!(
        shell,
        "{cargo} install cargo-deny --version {RELEASE} --locked --root {tools} --target-dir {build}"
    )
    .quiet()
    .run()
    .context("cannot install cargo-deny")?;
    Ok(tools.join("bin").join("cargo-deny"))
}
