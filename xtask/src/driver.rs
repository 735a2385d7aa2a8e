//! `cargo xtask neutron`: Neutron's firewall driver, in an environment that has Neutron.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{
    dist::{self, DRIVER},
    neutron,
    workspace::Workspace,
};

/// What looks at the driver's style.
const RUFF: &str = "ruff==0.17.6";

/// What to run.
#[derive(clap::Args)]
pub struct Options {
    /// Arguments of Python's unittest, such as `-k WORDS` or `tests.test_driver`.
    #[arg(last = true)]
    arguments: Vec<String>,
    /// How many random interleavings of the agent and the daemon are played.
    #[arg(long, default_value_t = 100)]
    seeds: u32,
}

/// Builds the driver's wheel, installs it beside Neutron, looks at its style and runs its tests.
///
/// # Errors
/// When Neutron or the wheel cannot be installed, when the style is broken, or when a test fails.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let python = neutron::python(workspace)?;
    install(workspace, &python)?;
    let shell = workspace.shell()?;
    shell.change_dir(DRIVER);
    let environment = BTreeMap::from([
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("RUFF_NO_CACHE", "true".to_owned()),
        ("SG_NEUTRON_SEEDS", options.seeds.to_string()),
    ]);
    let ruff = |arguments: &[&str]| {
        cmd!(shell, "{python} -m ruff {arguments...}")
            .envs(&environment)
            .quiet()
            .run()
    };
    ruff(&["check", "--quiet", "."]).context("ruff complains")?;
    ruff(&["format", "--quiet", "--check", "."])
        .with_context(|| format!("not formatted: `ruff format {DRIVER}`"))?;
    let arguments = &options.arguments;
    cmd!(shell, "{python} -W ignore -m unittest --buffer {arguments...}")
        .envs(&environment)
        .quiet()
        .run()
        .context("a test of the driver failed: see above")
}

fn install(workspace: &Workspace, python: &Path) -> Result<()> {
    let wheel = dist::wheel(workspace, python)?;
    let shell = workspace.shell()?;
    let pip = |arguments: &[&str]| {
        cmd!(
            shell,
            "{python} -m pip install --quiet --disable-pip-version-check {arguments...}"
        )
        .quiet()
        .run()
    };
    pip(&[RUFF]).with_context(|| format!("{RUFF} cannot be installed"))?;
    let wheel = wheel.to_string_lossy();
    pip(&["--no-deps", "--force-reinstall", &wheel])
        .with_context(|| format!("{wheel} cannot be installed"))
}
