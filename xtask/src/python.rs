//! Programs of the Python package index, each set in an environment of its own under `target/`.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{
    debian::{self, Program},
    workspace::Workspace,
};

/// OpenStack's client and what it is made of.
pub const CLIENTS: [&str; 3] = [
    "python-openstackclient==10.5.0",
    "openstacksdk==4.22.0",
    "python-neutronclient==14.0.0",
];

/// Packages with their versions, and where they are installed.
#[derive(Debug, Clone, Copy)]
pub struct Environment {
    /// The folder below `target/`.
    pub name: &'static str,
    /// As pip is told.
    pub packages: &'static [&'static str],
}

const PYTHON: [Program; 1] = [Program {
    name: "python3",
    package: "python3",
}];

impl Environment {
    /// Where its programs are, after the first use installed.
    ///
    /// # Errors
    /// When the environment cannot be made, or the packages not be installed in it.
    pub fn programs(&self, workspace: &Workspace) -> Result<PathBuf> {
        let folder = workspace.target.join(self.name);
        let (venv, done) = (folder.join("venv"), folder.join("installed"));
        let (programs, packages) = (venv.join("bin"), self.packages);
        let python = programs.join("python");
        let wanted = packages.join("\n");
        let is_there = fs::read_to_string(&done).is_ok_and(|installed| installed == wanted);
        if is_there && python.is_file() {
            return Ok(programs);
        }
        let names = packages.join(" ");
        eprintln!(
            "Installing {names} into {}.",
            workspace.short(&venv).display()
        );
        debian::ensure(workspace, &PYTHON)?;
        let shell = workspace.shell()?;
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        if cmd!(shell, "python3 -m venv --clear {venv}")
            .quiet()
            .run()
            .is_err()
        {
            // Debian's python3 has the module, but not what it installs.
            debian::Apt::here().install(workspace, &["python3-venv".to_owned()])?;
            cmd!(shell, "python3 -m venv --clear {venv}").quiet().run().context(
                "python3 cannot make a virtual environment: its modules venv and ensurepip are missing",
            )?;
        }
        cmd!(
            shell,
            "{python} -m pip install --quiet --disable-pip-version-check {packages...}"
        )
        .quiet()
        .run()
        .with_context(|| format!("{names} cannot be installed from the Python package index"))?;
        // Only a whole installation is marked: one that was cut off is made again.
        fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))?;
        Ok(programs)
    }
}
