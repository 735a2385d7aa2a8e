//! Where things are in this checkout.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use xshell::Shell;

/// The checkout and its target folder.
pub struct Workspace {
    /// Folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Cargo's target folder: `CARGO_TARGET_DIR`, or `target` in the root.
    pub target: PathBuf,
}

impl Workspace {
    /// The workspace this program was built from.
    ///
    /// # Errors
    /// When the folder it was built from is gone.
    pub fn here() -> Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest
            .parent()
            .context("xtask lies outside a workspace: run it as `cargo xtask` in the checkout")?
            .to_path_buf();
        let target = match env::var_os("CARGO_TARGET_DIR") {
            Some(target) => std::path::absolute(target)?,
            None => root.join("target"),
        };
        Ok(Self { root, target })
    }

    /// A shell that stands in the root.
    ///
    /// # Errors
    /// When the current folder cannot be read.
    pub fn shell(&self) -> Result<Shell> {
        let shell = Shell::new()?;
        shell.change_dir(&self.root);
        Ok(shell)
    }

    /// The cargo that runs this program: the user's own choice for the host's crates.
    pub fn cargo(&self) -> OsString {
        env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
    }

    /// The kernel object the host's crates embed. Its time changes only when its bytes do.
    pub fn kernel_object(&self) -> PathBuf {
        self.target.join("bpf").join("sg-ebpf")
    }

    /// Cargo's target folder for the kernel side, apart from the host's: the two never wait for
    /// each other's lock.
    pub fn kernel_target(&self) -> PathBuf {
        self.target.join("bpf-build")
    }

    /// Where tools of this project alone are installed (`cargo install --root`).
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Folder of the host's programs for a cargo profile.
    pub fn bin_dir(&self, release: bool) -> PathBuf {
        self.target.join(if release { "release" } else { "debug" })
    }

    /// `path` as a person in the root would write it.
    pub fn short<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}
