//! `sgctl check`

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{Context, output};
use crate::{
    error::Result,
    exit::Exit,
    model::{self, Fault},
};

/// Report every fault of an inventory file, without a daemon
///
/// Reads the file as the daemon would, and reports every fault. Needs neither a daemon nor root.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Inventory to check; - reads the standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

#[derive(Clone, Serialize, Deserialize)]
struct Report {
    ports: usize,
    closed: usize,
    security_groups: usize,
    address_groups: usize,
    faults: Vec<Fault>,
}

impl CheckArgs {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let parsed = model::parse(&output::read(&self.file)?)?;
        let report = Report {
            ports: parsed.inventory.ports.len(),
            closed: parsed.inventory.closed.len(),
            security_groups: parsed.inventory.groups.len(),
            address_groups: parsed.inventory.address_groups.len(),
            faults: parsed.faults,
        };
        context.print(&report, text)?;
        let left_out = report.faults.iter().any(|fault| !fault.is_warning());
        Ok(if left_out { Exit::LeftOut } else { Exit::Ok })
    }
}

fn text(report: &Report) -> String {
    let Report {
        ports,
        closed,
        security_groups,
        address_groups,
        faults,
    } = report;
    format!(
        "{}checked: {ports} ports, {closed} closed, {security_groups} security groups, \
         {address_groups} address groups, {} faults\n",
        output::faults(faults),
        faults.len()
    )
}
