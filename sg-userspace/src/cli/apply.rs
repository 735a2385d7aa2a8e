//! `sgctl apply`

use std::path::PathBuf;

use clap::Args;

use super::{Context, output};
use crate::{
    error::Result,
    exit::Exit,
    view::{ApplyReport, PortState, PortTally},
};

/// Replace the inventory by a file, and report what became of it
///
/// Sends the file to the daemon, which validates it, applies it and keeps it as its own
/// inventory. Objects with faults are left out and reported; a malformed file changes nothing.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Inventory to apply; - reads the standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

impl ApplyArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let report = context.client.apply(output::read(&self.file)?).await?;
        context.print(&report, text)?;
        Ok(exit(&report))
    }
}

fn exit(report: &ApplyReport) -> Exit {
    let left_out = report.faults.iter().any(|fault| !fault.is_warning());
    match left_out {
        _ if report.ports.is_leaky() => Exit::Leaky,
        true => Exit::LeftOut,
        false => Exit::Ok,
    }
}

fn text(report: &ApplyReport) -> String {
    let ApplyReport {
        changes,
        ports,
        faults,
    } = report;
    format!(
        "{}applied: {changes} changes; {}\n",
        output::faults(faults),
        tally(ports)
    )
}

/// Ports by state in one line.
pub fn tally(ports: &PortTally) -> String {
    let counts = PortState::ALL.map(|state| format!("{} {}", ports.of(state), state.as_str()));
    format!("ports: {}", counts.join(", "))
}
