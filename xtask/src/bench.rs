//! `cargo xtask bench`: build this checkout and the one to compare with, and measure both in one run.

use std::{
    fs,
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use crate::{
    build,
    debian::{self, Program},
    doctor,
    environment::isolated,
    host, neutron, show,
    workspace::Workspace,
};

/// What is measured beside the filter, and measured with, beyond what Neutron needs.
const PROGRAMS: [Program; 2] = [
    Program {
        name: "nft",
        package: "nftables",
    },
    Program {
        name: "ethtool",
        package: "ethtool",
    },
];

/// What to measure. `--help` is for the benchmark itself, which knows its options; `--base COMMIT` names the
/// commit to compare with.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// The commit to compare with.
    #[arg(long, value_name = "COMMIT", default_value = "9de75ef")]
    base: String,
    /// Options of the benchmark, such as `--quick`, `--programs`, `--json FILE` or `--help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Builds and measures; how the benchmark ended.
///
/// # Errors
/// Without root, on a kernel that cannot run the filter, when something does not build, when the commit is
/// not there, or when Neutron cannot be installed.
pub fn run(workspace: &Workspace, options: &Options) -> Result<ExitCode> {
    let arguments = &options.arguments;
    if arguments
        .iter()
        .any(|word| word == "--help" || word == "-h")
    {
        show::ask(workspace, "bench", arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(
        host::is_root(),
        "the benchmark makes network namespaces and loads programs into the kernel: run it as root"
    );
    doctor::ensure_kernel()?;
    debian::ensure_programs(workspace)?;
    // The programs alone stand beside no other filter, and it is no matter how fast the daemon is.
    let programs_alone = arguments.iter().any(|word| word == "--programs");
    let python = match programs_alone {
        true => PathBuf::new(),
        false => {
            debian::ensure(workspace, &neutron::PROGRAMS)?;
            debian::ensure(workspace, &PROGRAMS)?;
            neutron::python(workspace)?
        }
    };
    let release = !programs_alone;
    let base = base(workspace, &options.base, release)?;
    build::all(workspace, release)?;
    let shell = workspace.shell()?;
    let bin = workspace.bin_dir(release);
    let docs = workspace.root.join("docs");
    let bench = bin.join("bench");
    let command = cmd!(shell, "{bench} --base {base} --docs {docs} {arguments...}")
        .env("SG_ORACLE_PYTHON", python)
        .env("SG_BIN_DIR", bin)
        .env("SG_EBPF_OBJECT", workspace.kernel_object())
        .env("PATH", debian::search_path(workspace)?);
    let status = Command::from(command).status();
    let status = status.context("cannot run the benchmark")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Builds the programs of a commit, in a folder of its own below the target folder; returns where they are.
fn base(workspace: &Workspace, commit: &str, release: bool) -> Result<PathBuf> {
    let shell = workspace.shell()?;
    let peeled = format!("{commit}^{{commit}}");
    let id = cmd!(shell, "git rev-parse --verify --quiet {peeled}")
        .quiet()
        .read()
        .with_context(|| {
            format!("there is no commit {commit} here: `git fetch --unshallow`, or name another with --base")
        })?;
    let folder = workspace.target.join("bench").join(&id[..12]);
    let optimised = folder.join("target/release");
    if optimised.join("sgd").exists() {
        return Ok(optimised);
    }
    let (programs, profile) = match release {
        true => (optimised, Some("--release")),
        false => (folder.join("target/debug"), None),
    };
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
    isolated(cmd!(shell, "{cargo} xtask build {profile...}"))
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("CARGO_MANIFEST_DIR")
        .run()
        .with_context(|| format!("commit {commit} does not build"))?;
    Ok(programs)
}
