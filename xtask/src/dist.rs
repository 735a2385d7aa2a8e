//! `cargo xtask dist`: what is installed elsewhere, built into `target/dist`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{neutron, package, workspace::Workspace};

/// The package of Neutron's firewall driver, in the root.
pub const DRIVER: &str = "sg-neutron";

/// What to build.
#[derive(clap::Args)]
pub struct Options {
    /// The Debian packages alone.
    #[arg(long, conflicts_with = "wheel")]
    deb: bool,
    /// The wheel of Neutron's firewall driver alone.
    #[arg(long)]
    wheel: bool,
}

/// Builds the Debian packages of the daemon and of the API, and the wheel of Neutron's firewall driver.
///
/// # Errors
/// When one does not build.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut made = Vec::new();
    if !options.deb {
        made.push(wheel(workspace, &neutron::python(workspace)?)?);
    }
    if !options.wheel {
        for package in [&package::SGD, &package::SGAPI] {
            made.push(package::debian(workspace, package, None, true)?);
        }
    }
    for path in made {
        eprintln!("{}", workspace.short(&path).display());
    }
    Ok(())
}

/// The wheel of the driver, built by this Python; the only one in `target/dist`.
///
/// # Errors
/// When it does not build.
pub fn wheel(workspace: &Workspace, python: &Path) -> Result<PathBuf> {
    let (source, dist) = (workspace.root.join(DRIVER), workspace.target.join("dist"));
    fs::create_dir_all(&dist).with_context(|| format!("cannot create {}", dist.display()))?;
    for old in wheels(&dist)? {
        fs::remove_file(&old).with_context(|| format!("cannot remove {}", old.display()))?;
    }
    let shell = workspace.shell()?;
    cmd!(
        shell,
        "{python} -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir {dist} {source}"
    )
    .quiet()
    .run()
    .with_context(|| format!("the wheel of {DRIVER} does not build"))?;
    wheels(&dist)?
        .pop()
        .with_context(|| format!("pip has left no wheel in {}", dist.display()))
}

fn wheels(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<_> = paths.collect::<std::io::Result<_>>()?;
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "whl");
    Ok(paths.into_iter().filter(is_wheel).collect())
}
