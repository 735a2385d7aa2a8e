//! `sgctl flows`

mod adopt;
mod conntrack;
mod delete;
mod export;
mod import;
mod list;

use clap::Subcommand;

pub use list::{list, text as rows};

use super::Context;
use crate::{error::Result, exit::Exit, flows::FlowFilter};

/// What can be done with tracked connections.
#[derive(Debug, Subcommand)]
pub enum Flows {
    /// List connections
    ///
    /// With -o conntrack each is a line as `conntrack -L` prints it, with our own words at the end:
    /// zone= is the number of the port on this node, mark=1 a revoked connection, port= the port's id.
    /// The same holds for what `flows delete` prints.
    List(FlowFilter),
    Delete(delete::DeleteArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Adopt(adopt::AdoptArgs),
}

impl Flows {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        match self {
            Self::List(filter) => list(context, &filter).await,
            Self::Delete(args) => args.run(context).await,
            Self::Export(args) => args.run(context).await,
            Self::Import(args) => args.run(context).await,
            Self::Adopt(args) => args.run(context).await,
        }
    }

    /// Whether it prints connections, which it can do as conntrack does.
    pub fn prints_flows(&self) -> bool {
        matches!(self, Self::List(_) | Self::Delete(_))
    }
}
