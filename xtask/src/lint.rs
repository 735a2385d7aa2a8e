//! `cargo xtask lint`: formatting, clippy, house rules.

use anyhow::{Context, Result};
use xshell::cmd;

use crate::{debian, tidy, workspace::Workspace};

/// Runs all three; the first that complains ends it.
///
/// # Errors
/// When one of them complains, or rustfmt or clippy is not installed.
pub fn run(workspace: &Workspace) -> Result<()> {
    let shell = workspace.shell()?;
    let (cargo, target) = (workspace.cargo(), &workspace.target);
    tidy::run(workspace)?;
    debian::ensure_protoc(workspace)?;
    cmd!(shell, "{cargo} fmt --all --check")
        .quiet()
        .run()
        .context(
            "not formatted (or no rustfmt: `rustup component add rustfmt`): `cargo fmt --all`",
        )?;
    cmd!(
        shell,
        "{cargo} clippy --workspace --all-targets --target-dir {target}"
    )
    .args(["--", "-D", "warnings"])
    .env("SG_EBPF_OBJECT", workspace.kernel_object())
    .quiet()
    .run()
    .context("clippy complains (or is missing: `rustup component add clippy`)")
}
