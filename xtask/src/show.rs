//! Run a program of the tests crate: `cargo xtask demo`, and what `bench`, `guests` and `parity` run.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{build, debian, doctor, host, workspace::Workspace};

/// What to run it with.
#[derive(clap::Args)]
pub struct Options {
    /// Arguments of the program.
    #[arg(last = true)]
    pub arguments: Vec<String>,
}

/// Installs what is missing, builds everything and runs the program of this name.
///
/// # Errors
/// Without root, on a kernel that cannot run the filter, when something does not build, or when the
/// program ends with an error.
pub fn run(workspace: &Workspace, program: &str, options: &Options) -> Result<()> {
    run_in(workspace, program, &options.arguments, &[])
}

/// The same, with these paths in its environment.
///
/// # Errors
/// As [`run`].
pub fn run_in(
    workspace: &Workspace,
    program: &str,
    arguments: &[String],
    environment: &[(&str, PathBuf)],
) -> Result<()> {
    ensure!(
        host::is_root(),
        "the {program} makes network namespaces and loads programs into the kernel: run it as root"
    );
    doctor::ensure_kernel()?;
    debian::ensure_programs(workspace)?;
    build::all(workspace, false)?;
    let shell = workspace.shell()?;
    let bin = workspace.bin_dir(false);
    let path = bin.join(program);
    cmd!(shell, "{path} {arguments...}")
        .envs(environment.iter().cloned())
        .env("SG_BIN_DIR", bin)
        .env("SG_EBPF_OBJECT", workspace.kernel_object())
        .env("PATH", debian::search_path(workspace)?)
        .quiet()
        .run()
        .with_context(|| format!("the {program} failed: see above"))
}

/// Lets a program of the tests crate answer what needs neither root nor the kernel object: what its options
/// are, above all.
///
/// # Errors
/// When it does not build, or ends with an error.
pub fn ask(workspace: &Workspace, program: &str, arguments: &[String]) -> Result<()> {
    let shell = workspace.shell()?;
    let (cargo, target) = (workspace.cargo(), &workspace.target);
    let run = cmd!(
        shell,
        "{cargo} run --quiet --package sg-tests --bin {program} --target-dir {target} -- {arguments...}"
    );
    Ok(run.quiet().run()?)
}
