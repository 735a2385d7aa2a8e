//! `cargo xtask openstack`: our API beside a real Neutron's, driven by OpenStack's own clients.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{
    neutron,
    python::{CLIENTS, Environment},
    workspace::Workspace,
};

/// The crate of the server, and its program.
const SERVER: (&str, &str) = ("sg-api", "sgapi");

/// Neutron and the clients.
const BOTH: Environment = Environment {
    name: "openstack",
    packages: &[neutron::RELEASE, CLIENTS[0], CLIENTS[1], CLIENTS[2]],
};

/// Ansible with its collection openstack.cloud, which takes no newer SDK.
const ANSIBLE: Environment = Environment {
    name: "ansible",
    packages: &["ansible==12.3.0", "openstacksdk==4.4.1"],
};

/// What to compare.
#[derive(clap::Args)]
pub struct Options {
    /// Raw requests alone, with what is recorded of Neutron instead of Neutron itself.
    #[arg(long)]
    quick: bool,
    /// Topics whose title holds one of these words, such as `raw/03`, `commands`, `sdk`, `rust` or
    /// `play`.
    #[arg(long, num_args = 1.., value_name = "WORD")]
    only: Vec<String>,
    /// Show that Neutron answers as it is recorded, and that one changed word is found.
    #[arg(long, conflicts_with = "record")]
    self_test: bool,
    /// Write down what Neutron answers, in `tests/openstack/recorded`.
    #[arg(long)]
    record: bool,
    /// A server that already runs, empty, instead of one that is started: with one topic.
    #[arg(long, value_name = "URL", requires = "only")]
    server: Option<String>,
}

/// Installs Neutron and the clients, builds the server and compares.
///
/// # Errors
/// When something cannot be installed or built, or when an answer differs that
/// `tests/openstack/expected.toml` does not explain.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let python = BOTH.programs(workspace)?.join("python");
    let ansible = ANSIBLE.programs(workspace)?;
    let mut arguments = arguments(workspace, options)?;
    let environment = ansible.parent().context("an environment has a folder")?;
    arguments.extend(["--ansible".into(), environment.into()]);
    if !options.quick {
        arguments.extend(["--rust".into(), crate_client(workspace)?]);
    }
    if !options.only.is_empty() {
        arguments.push("--only".into());
        arguments.extend(options.only.iter().map(PathBuf::from));
    }
    let compare = Path::new("tests").join("openstack").join("compare.py");
    let shell = workspace.shell()?;
    cmd!(shell, "{python} {compare} {arguments...}")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .quiet()
        .run()
        .context("the comparison did not pass: see above")
}

/// Which servers stand on the left and on the right.
fn arguments(workspace: &Workspace, options: &Options) -> Result<Vec<PathBuf>> {
    if options.record {
        return Ok(vec!["--record".into()]);
    }
    if options.self_test {
        return Ok(vec!["--self-test".into()]);
    }
    let server = match &options.server {
        Some(url) => url.into(),
        None => server(workspace)?,
    };
    let mut arguments = vec!["--right".into(), server];
    if options.quick {
        arguments.extend(["--quick", "--left", "recorded"].map(PathBuf::from));
    }
    Ok(arguments)
}

/// The server's program, built.
fn server(workspace: &Workspace) -> Result<PathBuf> {
    let shell = workspace.shell()?;
    let (cargo, (package, program)) = (workspace.cargo(), SERVER);
    cmd!(
        shell,
        "{cargo} build --quiet --package {package} --bin {program}"
    )
    .quiet()
    .run()?;
    Ok(workspace.bin_dir(false).join(program))
}

/// The program that drives the crate `openstack`, built: no member of the workspace, so that what it
/// needs is not in its lock file.
fn crate_client(workspace: &Workspace) -> Result<PathBuf> {
    let shell = workspace.shell()?;
    let cargo = workspace.cargo();
    let manifest = Path::new("tests/openstack/rust/Cargo.toml");
    let target = workspace.target.join("openstack").join("rust");
    cmd!(
        shell,
        "{cargo} build --quiet --locked --manifest-path {manifest} --target-dir {target}"
    )
    .quiet()
    .run()
    .context("the client in tests/openstack/rust cannot be built")?;
    Ok(target.join("debug").join("openstack-client"))
}
