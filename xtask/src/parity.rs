//! `cargo xtask parity`: the same frames through Neutron's iptables rules, or through the kernel's own
//! conntrack, and through this filter.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    build,
    debian::{self, Program},
    doctor, host,
    workspace::Workspace,
};

/// The release of Neutron whose rules are compared with.
const NEUTRON: &str = "neutron==29.0.0";

/// What Neutron's firewall runs beside the programs of the tests, and what its Python needs.
const PROGRAMS: [Program; 3] = [
    Program {
        name: "ipset",
        package: "ipset",
    },
    Program {
        name: "ebtables",
        package: "ebtables",
    },
    Program {
        name: "python3",
        package: "python3",
    },
];

/// What the router with the kernel's own conntrack is made with.
const ROUTER: [Program; 1] = [Program {
    name: "nft",
    package: "nftables",
}];

/// What to compare. `--help` is for the comparison itself, which knows its options.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// Options of the comparison, such as `--seed 7 --cases 10000`, `--quick` or `--help`; with
    /// `--conntrack` it is one with the kernel's own conntrack, and has options of its own.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs what is missing, builds everything and runs the comparison.
///
/// # Errors
/// Without root, when Neutron cannot be installed, when something does not build, or when a verdict
/// differs that `docs/parity.md` does not list.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options
        .arguments
        .iter()
        .any(|argument| argument == "--help" || argument == "-h")
    {
        return help(workspace, &options.arguments);
    }
    ensure!(
        host::is_root(),
        "the comparison makes network namespaces and writes iptables rules in them: run it as root"
    );
    doctor::ensure_kernel()?;
    debian::ensure_programs(workspace)?;
    let conntrack = options
        .arguments
        .iter()
        .any(|argument| argument == "--conntrack");
    debian::ensure(workspace, if conntrack { &ROUTER } else { &PROGRAMS })?;
    let python = match conntrack {
        true => PathBuf::new(),
        false => neutron(workspace)?,
    };
    build::all(workspace, false)?;
    let shell = workspace.shell()?;
    let bin = workspace.bin_dir(false);
    let (parity, arguments) = (bin.join("parity"), &options.arguments);
    cmd!(shell, "{parity} {arguments...}")
        .env("SG_ORACLE_PYTHON", python)
        .env("SG_BIN_DIR", bin)
        .env("SG_EBPF_OBJECT", workspace.kernel_object())
        .env("PATH", debian::search_path()?)
        .quiet()
        .run()
        .context("the comparison did not pass: see above")
}

/// Lets the comparison say what its options are; that needs neither root nor Neutron.
fn help(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let shell = workspace.shell()?;
    let (cargo, target) = (workspace.cargo(), &workspace.target);
    cmd!(
        shell,
        "{cargo} run --quiet --package sg-tests --bin parity --target-dir {target} -- {arguments...}"
    )
    .quiet()
    .run()?;
    Ok(())
}

/// The Python of an environment that has Neutron, made on first use.
fn neutron(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target.join("oracle");
    let (venv, done) = (folder.join("venv"), folder.join(NEUTRON));
    let python = venv.join("bin").join("python");
    if done.is_file() && python.is_file() {
        return Ok(python);
    }
    eprintln!(
        "Installing {NEUTRON} into {}.",
        workspace.short(&venv).display()
    );
    let shell = workspace.shell()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    if cmd!(shell, "python3 -m venv --clear {venv}")
        .quiet()
        .run()
        .is_err()
    {
        // Debian's python3 has the module, but not what it installs.
        let apt = debian::Apt::here();
        apt.install(workspace, &["python3-venv".to_owned()])?;
        cmd!(shell, "python3 -m venv --clear {venv}")
            .quiet()
            .run()
            .context("python3 cannot make a virtual environment: its modules venv and ensurepip are missing")?;
    }
    cmd!(
        shell,
        "{python} -m pip install --quiet --disable-pip-version-check {NEUTRON}"
    )
    .quiet()
    .run()
    .with_context(|| format!("{NEUTRON} cannot be installed from the Python package index"))?;
    // Only a whole installation is marked: one that was cut off is made again.
    fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(python)
}
