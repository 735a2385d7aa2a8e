//! `cargo xtask soak`: everything at once, for hours, and what it takes.

use anyhow::Result;

use crate::{show, workspace::Workspace};

/// How long, and how. `--help` is for the run itself, which knows its options.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Options {
    /// Options of the run, such as `--hours 1 --seed 7` or `--help`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs what is missing, builds everything and runs.
///
/// # Errors
/// Without root, when something does not build, or when something was lost, has passed or is left.
pub fn run(workspace: &Workspace, options: Options) -> Result<()> {
    let arguments = options.arguments;
    let is_help = |argument: &String| argument == "--help" || argument == "-h";
    match arguments.iter().any(is_help) {
        true => show::ask(workspace, "soak", &arguments),
        false => show::run(workspace, "soak", &show::Options { arguments }),
    }
}
