//! `cargo xtask parity`: the same frames through Neutron's iptables rules, or through the kernel's own
//! conntrack, and through this filter.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    build,
    debian::{self, Program},
    doctor, host, neutron, show,
    workspace::Workspace,
};

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
        return show::ask(workspace, "parity", &options.arguments);
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
    debian::ensure(
        workspace,
        if conntrack {
            &ROUTER
        } else {
            &neutron::PROGRAMS
        },
    )?;
    let python = match conntrack {
        true => PathBuf::new(),
        false => neutron::python(workspace)?,
    };
    build::all(workspace, false)?;
    let shell = workspace.shell()?;
    let bin = workspace.bin_dir(false);
    let (parity, arguments) = (bin.join("parity"), &options.arguments);
    cmd!(shell, "{parity} {arguments...}")
        .env("SG_ORACLE_PYTHON", python)
        .env("SG_BIN_DIR", bin)
        .env("SG_EBPF_OBJECT", workspace.kernel_object())
        .env("PATH", debian::search_path(workspace)?)
        .quiet()
        .run()
        .context("the comparison did not pass: see above")
}
