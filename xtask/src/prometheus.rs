//! `cargo xtask prometheus`: what is installed for Prometheus and Grafana, tried with Debian's Prometheus.

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{debian, show, workspace::Workspace};

/// The user that may read what apt downloads.
const USER: &str = "APT::Sandbox::User=root";

/// Fetches Debian's package into the target directory, where no service of it is started; builds everything and runs.
///
/// # Errors
/// Without root, when something does not build, or when something is not as it should be.
pub fn run(workspace: &Workspace) -> Result<()> {
    let shell = workspace.shell()?;
    let folder = workspace.target.join("prometheus");
    let programs = folder.join("usr/bin");
    if !programs.join("prometheus").exists() {
        let _pushed = shell.push_dir(shell.create_dir(&folder)?);
        cmd!(shell, "apt-get -q -o {USER} download prometheus")
            .run()
            .context("the package cannot be downloaded: type apt-get update")?;
        let packages = shell.read_dir(&folder)?;
        let mut packages = packages
            .iter()
            .filter(|path| path.extension().is_some_and(|end| end == "deb"));
        let package = packages.next().context("apt-get has downloaded nothing")?;
        cmd!(shell, "dpkg-deb -x {package} {folder}").run()?;
    }
    debian::ensure_programs(workspace)?;
    let dist = workspace.root.join("dist");
    let arguments = [
        "--programs".into(),
        text(programs),
        "--dist".into(),
        text(dist),
    ];
    show::run(
        workspace,
        "prometheus",
        &show::Options {
            arguments: arguments.into(),
        },
    )
}

fn text(path: impl Into<std::path::PathBuf>) -> String {
    path.into().display().to_string()
}
