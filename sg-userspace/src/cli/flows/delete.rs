//! `sgctl flows delete`

use clap::Args;

use super::list;
use crate::{
    api::DeleteRequest,
    cli::{Context, Format},
    error::Result,
    exit::Exit,
    flows::FlowFilter,
};

/// Delete the connections that meet all filters, and print them
///
/// The filters are those of `conntrack -D`, and like it this prints each connection that it deletes on the
/// standard output, as it was then, and how many they were on the standard error. The next packet of a deleted connection is judged like one
/// that opens a connection: either side may open it again, as far as the rules permit. Ends with 0 also
/// if there was nothing to delete, where conntrack ends with 1.
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
        eprintln!("sgctl: {} flow entries {done}.", flows.len());
        Ok(Exit::Ok)
    }
}
