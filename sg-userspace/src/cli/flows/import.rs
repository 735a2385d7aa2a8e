//! `sgctl flows import`

use std::path::PathBuf;

use clap::Args;

use super::list;
use crate::{
    cli::{Context, output},
    error::Result,
    exit::Exit,
    view::{FlowView, ImportReport},
};

/// Take over the connections of a port from another node
///
/// The port must be in force here: only its policy can say what is permitted. Connections whose first
/// packet it would drop are refused and listed (exit code 4); those that are tracked here already stay as
/// they are; those that have ended since the export are left out. A file that is malformed, of another
/// version or of another port changes nothing (exit code 3). The rest is judged once more at its next
/// packet, by the rules that are then in force.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What `flows export` has written; - is the standard input
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Take them only if they are of this port, by id, interface, MAC, IP address or name
    #[arg(long)]
    port: Option<String>,
}

impl ImportArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let document = output::read(&self.file)?;
        let client = &context.client;
        let report = client.import_flows(document, self.port.as_deref()).await?;
        context.print(&report, text)?;
        Ok(exit(&report))
    }
}

fn exit(report: &ImportReport) -> Exit {
    match report.refused.is_empty() && report.no_room == 0 {
        true => Exit::Ok,
        false => Exit::LeftOut,
    }
}

fn text(report: &ImportReport) -> String {
    let ImportReport {
        port,
        imported,
        evictable,
        existing,
        expired,
        no_room,
        refused,
    } = report;
    let mut text = format!(
        "port {port}: {imported} imported, {existing} here already, {expired} ended meanwhile, {} refused\n",
        refused.len()
    );
    if *evictable > 0 {
        text += &format!(
            "{evictable} of those imported are no longer assured: the table or the port's share is full\n"
        );
    }
    if *no_room > 0 {
        text += &format!("{no_room} were not stored: the tables are full (see `sgctl status`)\n");
    }
    if !refused.is_empty() {
        let flows: Vec<FlowView> = refused.iter().map(|refused| refused.flow.clone()).collect();
        text += "refused, because the port does not permit their first packet:\n";
        text += &list::text(&flows);
    }
    text
}

#[cfg(test)]
mod tests;
