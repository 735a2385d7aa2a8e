//! `cargo xtask page`: the page of a real daemon, used by Debian's Chromium.

use anyhow::Result;

use crate::{
    debian::{self, Program},
    show,
    workspace::Workspace,
};

const BROWSER: [Program; 2] = [
    Program {
        name: "chromium",
        package: "chromium",
    },
    Program {
        name: "chromedriver",
        package: "chromium-driver",
    },
];

/// Installs the browser if it is missing, builds everything and runs.
///
/// # Errors
/// Without root, when something does not build, or when something of the page is not as it should be.
pub fn run(workspace: &Workspace, options: &show::Options) -> Result<()> {
    debian::ensure(workspace, &BROWSER)?;
    let pictures = workspace.target.join("page");
    let mut arguments = vec!["--pictures".into(), pictures.display().to_string()];
    arguments.extend(options.arguments.iter().cloned());
    show::run(workspace, "page", &show::Options { arguments })
}
