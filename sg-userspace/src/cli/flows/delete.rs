//! `sgctl flows delete`

use std::collections::BTreeMap;

use clap::Args;

use super::list;
use crate::{
    cli::{Context, Format, output},
    error::Result,
    exit::Exit,
    flows::FlowFilter,
    view::{DeleteRequest, FlowView, PortView},
};

/// Delete the connections that meet all filters, and print them
///
/// The filters are those of `conntrack -D`, and like it this prints each connection that it deletes on the
/// standard output, as it was then, and how many they were on the standard error; also of which ports,
/// if no port is named, for one address may be met at several. The next packet of a deleted connection is
/// judged like one that opens a connection: either side may open it again, as far as the rules permit.
/// Ends with 0 also if there was nothing to delete, where conntrack ends with 1.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DeleteArgs {
    #[command(flatten)]
    filter: FlowFilter,
    /// Delete every connection of the node
    #[arg(long, conflicts_with = "FlowFilter")]
    all: bool,
    /// Delete nothing, only print what would be deleted
    #[arg(long)]
    dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  sgctl flows delete --port WEB1
  sgctl flows delete --port WEB1 -p tcp --dport 22 -s 198.51.100.0/24
  sgctl flows delete --port WEB1 -p udp -o conntrack
  sgctl flows delete --status revoked --dry-run";

impl DeleteArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let Self {
            filter,
            all,
            dry_run,
        } = self;
        let names_port = filter.port.is_some();
        let request = DeleteRequest {
            filter,
            all,
            dry_run,
        };
        let flows = context.client.delete_flows(&request).await?;
        // A table of nothing is nothing, as with conntrack.
        if !(flows.is_empty() && context.format == Format::Table) {
            list::print(context, &flows)?;
        }
        let done = if dry_run {
            "would be deleted"
        } else {
            "have been deleted"
        };
        output::say(&format!("{} flow entries {done}.", flows.len()));
        if !names_port && !flows.is_empty() {
            // What is deleted is deleted: without an answer the ports have their ids alone.
            let ports = context.client.ports().await.unwrap_or_default();
            for (id, count) in by_port(&flows) {
                output::say(&format!("{count} of port {}.", called(&ports, id)));
            }
        }
        Ok(Exit::Ok)
    }
}

/// How many there are of each port: an address may be met at several.
fn by_port(flows: &[FlowView]) -> BTreeMap<&str, usize> {
    let mut ports = BTreeMap::new();
    for flow in flows {
        *ports.entry(&*flow.port).or_default() += 1;
    }
    ports
}

fn called(ports: &[PortView], id: &str) -> String {
    let name = ports.iter().find(|port| port.id == id);
    match name.map(|port| &*port.name).unwrap_or_default() {
        "" => id.to_owned(),
        name => format!("{name} ({id})"),
    }
}
