//! `cargo xtask doctor`: what this machine has and lacks.

mod check;

use std::io::{self, Write};

use anyhow::{Result, ensure};
use clap::ValueEnum;
use comfy_table::{Table, presets};

use crate::workspace::Workspace;
use check::{Check, State};

/// How to print it.
#[derive(clap::Args)]
pub struct Options {
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Output {
    Table,
    Json,
}

/// Prints the checks.
///
/// # Errors
/// When something the demo needs is missing and cannot be installed from here.
pub fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let checks: Vec<Check> = [check::building(workspace), check::kernel(), check::rights()]
        .into_iter()
        .flatten()
        .collect();
    let text = match options.output {
        Output::Table => table(&checks).trim_fmt(),
        Output::Json => serde_json::to_string_pretty(&checks)?,
    };
    writeln!(io::stdout(), "{text}")?;
    complain(&checks)
}

/// Refuses to go on where the filter cannot run, before minutes are spent building it.
///
/// # Errors
/// Names what the kernel or this process lacks, and what to do.
pub fn ensure_kernel() -> Result<()> {
    let checks: Vec<Check> = check::kernel().into_iter().chain(check::rights()).collect();
    complain(&checks)
}

fn complain(checks: &[Check]) -> Result<()> {
    let missing: Vec<String> = checks
        .iter()
        .filter(|check| check.state == State::Missing)
        .map(|check| format!("  {}: {}; {}", check.name, check.found, check.next))
        .collect();
    ensure!(
        missing.is_empty(),
        "the filter cannot run here yet:\n{}",
        missing.join("\n")
    );
    Ok(())
}

fn table(checks: &[Check]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["CHECK", "STATE", "FOUND", "NEXT STEP"]);
    for Check {
        name,
        state,
        found,
        next,
    } in checks
    {
        table.add_row([name, state.word(), found, next]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: State) -> Check {
        let (name, found, next) = ("bpf_timer".into(), "no".into(), "a newer kernel".into());
        Check {
            name,
            state,
            found,
            next,
        }
    }

    #[test]
    fn only_what_cannot_be_installed_is_an_error() {
        complain(&[
            check(State::Ok),
            check(State::Installable),
            check(State::Optional),
        ])
        .unwrap();
        let error = complain(&[check(State::Ok), check(State::Missing)])
            .unwrap_err()
            .to_string();
        assert!(error.contains("bpf_timer: no; a newer kernel"), "{error}");
    }

    #[test]
    fn json_names_states_in_lower_case() {
        let text = serde_json::to_string(&check(State::Installable)).unwrap();
        assert!(text.contains(r#""state":"installable""#), "{text}");
    }
}
