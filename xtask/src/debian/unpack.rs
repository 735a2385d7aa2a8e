//! Packages that are unpacked and not installed: the services in them are nobody's to start.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use super::Apt;
use crate::workspace::Workspace;

/// Whoever runs this may read what apt downloads.
const USER: &str = "APT::Sandbox::User=root";

/// The folder with what is in a package, where it is or will be.
pub fn folder(workspace: &Workspace, package: &str) -> PathBuf {
    workspace.target.join("debian").join(package)
}

/// Downloads a package and unpacks it into its folder, unless it is there. What it depends on is not fetched. It
/// takes root only where apt does not know yet what there is.
///
/// # Errors
/// When apt has no such package, or cannot ask for it.
pub fn unpack(workspace: &Workspace, package: &str) -> Result<PathBuf> {
    let folder = folder(workspace, package);
    if folder.exists() {
        return Ok(folder);
    }
    eprintln!(
        "Unpacking {package} of Debian into {}.",
        workspace.short(&folder).display()
    );
    if let apt @ Apt::Usable = Apt::here() {
        apt.update(workspace)?;
    }
    // Only what is whole has the name.
    let part = folder.with_extension("part");
    let _ = fs::remove_dir_all(&part);
    fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
    let shell = workspace.shell()?;
    let _pushed = shell.push_dir(&part);
    cmd!(shell, "apt-get -q -o {USER} download {package}")
        .run()
        .with_context(|| format!("{package} cannot be downloaded: type apt-get update as root"))?;
    let archive = archive(&shell, &part)?;
    cmd!(shell, "dpkg-deb -x {archive} {part}").run()?;
    shell.remove_path(&archive)?;
    fs::rename(&part, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn archive(shell: &Shell, folder: &Path) -> Result<PathBuf> {
    let files = shell.read_dir(folder)?;
    let is_package = |path: &PathBuf| path.extension().is_some_and(|end| end == "deb");
    let archive = files.into_iter().find(is_package);
    archive.context("apt-get has downloaded nothing")
}
