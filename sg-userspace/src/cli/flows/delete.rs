//! `sgctl flows delete`

use clap::Args;

use crate::{
    api::{DeleteReport, DeleteRequest},
    cli::Context,
    error::Result,
    exit::Exit,
    flows::FlowFilter,
};

/// Delete the connections that meet all filters, and say how many they were
///
/// The filters are those of `conntrack -D`. The next packet of a deleted connection is judged like one
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
    /// Delete nothing, only count
    #[arg(long)]
    dry_run: bool,
}

const EXAMPLES: &str = "\
Examples:
  sgctl flows delete --port WEB1
  sgctl flows delete --port WEB1 -p tcp --dport 22 -s 198.51.100.0/24
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
        let report = context.client.delete_flows(&request).await?;
        let done = if dry_run {
            "would be deleted"
        } else {
            "have been deleted"
        };
        context.print(&report, |DeleteReport { deleted }| {
            format!("{deleted} flow entries {done}.\n")
        })?;
        Ok(Exit::Ok)
    }
}
