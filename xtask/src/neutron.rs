//! Neutron itself, whose own code writes the iptables rules that are compared with.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{
    debian::{self, Program},
    workspace::Workspace,
};

/// The release of Neutron whose rules are compared with.
const NEUTRON: &str = "neutron==29.0.0";

/// What Neutron's firewall runs beside the programs of the tests, and what its Python needs.
pub const PROGRAMS: [Program; 3] = [
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

/// The Python of an environment that has Neutron, made on first use.
///
/// # Errors
/// When the environment cannot be made, or Neutron not be installed in it.
pub fn python(workspace: &Workspace) -> Result<PathBuf> {
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
