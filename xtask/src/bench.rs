//! `cargo xtask bench`: build this checkout and the one to compare with, and measure both in one run.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{environment::isolated, show, workspace::Workspace};

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Only what the programs alone cost, by way of the packet.
    #[arg(long)]
    programs: bool,
    /// The commit to compare the programs with.
    #[arg(long, value_name = "COMMIT", default_value = "9de75ef")]
    base: String,
    /// Only ways whose name has this in it.
    #[arg(long, value_name = "WORD")]
    only: Option<String>,
    /// Samples of each.
    #[arg(long)]
    rounds: Option<u32>,
}

/// Builds and measures.
///
/// # Errors
/// Without root, on a kernel that cannot run the filter, when something does not build, when the commit is
/// not there, or when the benchmark ends with an error.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut arguments = Vec::new();
    if options.programs {
        let programs = base(workspace, &options.base)?;
        arguments.extend(["--programs".into(), "--base".into()]);
        arguments.push(programs.display().to_string());
    }
    if let Some(word) = &options.only {
        arguments.extend(["--only".into(), word.clone()]);
    }
    if let Some(rounds) = options.rounds {
        arguments.extend(["--rounds".into(), rounds.to_string()]);
    }
    show::run(workspace, "bench", &show::Options { arguments })
}

/// Builds the programs of a commit, in a folder of its own below the target folder; returns where they are.
fn base(workspace: &Workspace, commit: &str) -> Result<PathBuf> {
    let shell = workspace.shell()?;
    let peeled = format!("{commit}^{{commit}}");
    let id = cmd!(shell, "git rev-parse --verify --quiet {peeled}")
        .quiet()
        .read()
        .with_context(|| {
            format!("there is no commit {commit} here: `git fetch --unshallow`, or name another with --base")
        })?;
    let folder = workspace.target.join("bench").join(&id[..12]);
    let programs = folder.join("target/debug");
    if programs.join("sgd").exists() {
        return Ok(programs);
    }
    fs::create_dir_all(&folder)?;
    let archive = folder.join("source.tar");
    cmd!(shell, "git archive --output={archive} {id}")
        .quiet()
        .run()?;
    cmd!(shell, "tar -xf {archive} -C {folder}").quiet().run()?;
    fs::remove_file(archive)?;
    // The linker of kernel programs takes a minute to build.
    if workspace.tools().exists() && !folder.join("target/tools").exists() {
        fs::create_dir_all(folder.join("target"))?;
        let (from, to) = (workspace.tools(), folder.join("target"));
        cmd!(shell, "cp -r {from} {to}").quiet().run()?;
    }
    eprintln!("building {commit} to compare with");
    shell.change_dir(&folder);
    let cargo = workspace.cargo();
    isolated(cmd!(shell, "{cargo} xtask build"))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_MANIFEST_DIR")
        .run()
        .with_context(|| format!("commit {commit} does not build"))?;
    Ok(programs)
}
