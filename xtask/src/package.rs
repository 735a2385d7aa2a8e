//! The Debian packages.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use xshell::cmd;

use crate::{build, workspace::Workspace};

/// The release of cargo-deb that makes them.
const CARGO_DEB: &str = "3.8.0";

/// A package. What is in it says the `Cargo.toml` of its crate, under `[package.metadata.deb]`.
pub struct Package {
    /// Its name.
    name: &'static str,
    /// The crate that describes it.
    described_by: &'static str,
    /// The program that writes the manual pages and completions.
    writer: &'static str,
    /// Its programs, with what asks the writer for the completions of each, behind the shell.
    programs: &'static [(&'static str, &'static [&'static str])],
}

/// The daemon of a node and its command line.
pub const SGD: Package = Package {
    name: "sgd",
    described_by: "sg-userspace",
    writer: "sgctl",
    programs: &[("sgd", &["sgd"]), ("sgctl", &["sgctl"])],
};

/// The API, for hosts that need not be nodes.
pub const SGAPI: Package = Package {
    name: "sgapi",
    described_by: "sg-api",
    writer: "sgapi",
    programs: &[("sgapi", &[])],
};

/// A package of the programs, with their manual pages and completions, in `target/dist`; `version` takes the place
/// of the workspace's.
///
/// # Errors
/// When something does not build, or cargo-deb cannot be installed.
pub fn debian(
    workspace: &Workspace,
    package: &Package,
    version: Option<&str>,
    release: bool,
) -> Result<PathBuf> {
    let tool = cargo_deb(workspace)?;
    build::packaged(workspace, release)?;
    stage(workspace, package, release)?;
    let profile = if release {
        &[]
    } else {
        &["--profile=dev", "--fast"][..]
    };
    let (shell, target, described_by) =
        (workspace.shell()?, &workspace.target, package.described_by);
    let version = version.map(|version| format!("--deb-version={version}"));
    let printed = cmd!(
        shell,
        "{tool} --quiet --no-build --strip --package {described_by} {profile...} {version...}"
    )
    .env("CARGO_TARGET_DIR", target)
    .env("CARGO", workspace.cargo())
    .quiet()
    .read()
    .with_context(|| format!("the Debian package {} is not made", package.name))?;
    let made = printed
        .lines()
        .last()
        .map(|line| PathBuf::from(line.trim()));
    let made = made.filter(|path| path.is_file());
    let made = made.with_context(|| format!("cargo-deb names no package: {printed}"))?;
    let dist = target.join("dist");
    let name = made.file_name().context("a package without a name")?;
    fs::create_dir_all(&dist).with_context(|| format!("cannot make {}", dist.display()))?;
    let package = dist.join(name);
    fs::rename(&made, &package).with_context(|| format!("cannot write {}", package.display()))?;
    Ok(package)
}

/// What the programs write about themselves, where the package's description looks for it.
fn stage(workspace: &Workspace, package: &Package, release: bool) -> Result<()> {
    let programs = workspace.bin_dir(release);
    let folder = programs.join("packages").join(package.name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let shell = workspace.shell()?;
    let (writer, pages) = (programs.join(package.writer), folder.join("man"));
    cmd!(shell, "{writer} man {pages}").quiet().run()?;
    for &(program, which) in package.programs {
        let files = [
            ("bash", program.to_owned()),
            ("zsh", format!("_{program}")),
            ("fish", format!("{program}.fish")),
        ];
        for (kind, file) in files {
            let script = cmd!(shell, "{writer} completions {kind} {which...}");
            fs::write(folder.join(file), script.quiet().read()?)?;
        }
    }
    Ok(())
}

/// cargo-deb in this project's own folder, installed on first use.
fn cargo_deb(workspace: &Workspace) -> Result<PathBuf> {
    let tools = workspace.tools();
    let tool = tools.join("bin").join("cargo-deb");
    if is_release(workspace, &tool) {
        return Ok(tool);
    }
    eprintln!(
        "Installing cargo-deb {CARGO_DEB} into {}.",
        workspace.short(&tools).display()
    );
    let (shell, cargo) = (workspace.shell()?, workspace.cargo());
    cmd!(
        shell,
        "{cargo} install --quiet --locked --root {tools} --version {CARGO_DEB} cargo-deb"
    )
    .quiet()
    .run()
    .context("cargo-deb cannot be installed from crates.io")?;
    match is_release(workspace, &tool) {
        true => Ok(tool),
        false => bail!("cargo-deb {CARGO_DEB} was installed and does not run"),
    }
}

fn is_release(workspace: &Workspace, tool: &Path) -> bool {
    let version = workspace
        .shell()
        .ok()
        .and_then(|shell| cmd!(shell, "{tool} --version").quiet().read().ok());
    version.is_some_and(|version| version.contains(CARGO_DEB))
}
