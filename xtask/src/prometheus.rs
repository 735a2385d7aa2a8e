//! `cargo xtask prometheus`: what is installed for Prometheus and Grafana, tried with Debian's Prometheus.

use anyhow::Result;

use crate::{debian, show, workspace::Workspace};

/// Fetches Debian's package into the target directory, where no service of it is started; builds everything and runs.
///
/// # Errors
/// Without root, when something does not build, or when something is not as it should be.
pub fn run(workspace: &Workspace) -> Result<()> {
    let programs = debian::unpack(workspace, "prometheus")?.join("usr/bin");
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
