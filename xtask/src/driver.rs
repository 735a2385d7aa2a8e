//! `cargo xtask neutron`: Neutron's firewall driver, in an environment that has Neutron.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    build,
    debian::{self, Program},
    dist::{self, DRIVER},
    doctor, host, neutron,
    workspace::Workspace,
};

/// What looks at the driver's style.
const RUFF: &str = "ruff==0.17.6";

/// What Neutron's functional tests import.
const TEST_REQUIREMENTS: [&str; 6] = [
    "ddt",
    "fixtures",
    "oslotest",
    "testresources",
    "testscenarios",
    "WebTest",
];

/// What Neutron's functional tests run, beside what ours do.
const PROGRAMS: [Program; 3] = [
    Program {
        name: "ncat",
        package: "ncat",
    },
    Program {
        name: "ping",
        package: "iputils-ping",
    },
    Program {
        name: "arping",
        package: "iputils-arping",
    },
];

/// What to run.
#[derive(clap::Args)]
pub struct Options {
    /// Run Neutron's own functional firewall tests, against the real daemon, instead of the driver's (root).
    #[arg(long)]
    functional: bool,
    /// Print what one rule, one member, an announcement and a new tap cost, beside Neutron's own iptables
    /// driver on this machine, with an optimised daemon (root). Rows can be named: rule, member, again, memory,
    /// taps.
    #[arg(long, conflicts_with = "functional")]
    figures: bool,
    /// Arguments of Python's unittest, such as `-k WORDS` or `tests.test_driver`; with `--functional` words
    /// that the names of the tests are to have.
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
    if options.functional {
        return as_root(workspace, &python, "functional", &options.arguments);
    }
    if options.figures {
        return as_root(workspace, &python, "functional.figures", &options.arguments);
    }
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
    cmd!(
        shell,
        "{python} -W ignore -m unittest --buffer {arguments...}"
    )
    .envs(&environment)
    .quiet()
    .run()
    .context("a test of the driver failed: see above")
}

/// Runs a module against the real daemon, in namespaces of its own.
fn as_root(workspace: &Workspace, python: &Path, module: &str, words: &[String]) -> Result<()> {
    ensure!(
        host::is_root(),
        "this makes network namespaces, and loads programs into the kernel: run it as root"
    );
    let release = module == "functional.figures";
    doctor::ensure_kernel()?;
    debian::ensure_programs(workspace)?;
    debian::ensure(workspace, &PROGRAMS)?;
    debian::ensure(workspace, &neutron::PROGRAMS)?;
    pip(workspace, python, &TEST_REQUIREMENTS)?;
    build::all(workspace, release)?;
    let shell = workspace.shell()?;
    shell.change_dir(DRIVER);
    cmd!(
        shell,
        "unshare --net --mount {python} -W ignore -m {module} {words...}"
    )
    .env("PYTHONDONTWRITEBYTECODE", "1")
    .env("SG_BIN_DIR", workspace.bin_dir(release))
    .env("PATH", debian::search_path(workspace)?)
    .quiet()
    .run()
    .context("it failed: see above")
}

fn install(workspace: &Workspace, python: &Path) -> Result<()> {
    let wheel = dist::wheel(workspace, python)?;
    pip(workspace, python, &[RUFF])?;
    let wheel = wheel.to_string_lossy();
    pip(
        workspace,
        python,
        &["--no-deps", "--force-reinstall", &wheel],
    )
}

fn pip(workspace: &Workspace, python: &Path, arguments: &[&str]) -> Result<()> {
    let shell = workspace.shell()?;
    cmd!(
        shell,
        "{python} -m pip install --quiet --disable-pip-version-check {arguments...}"
    )
    .quiet()
    .run()
    .with_context(|| format!("pip cannot install {}", arguments.join(" ")))
}
