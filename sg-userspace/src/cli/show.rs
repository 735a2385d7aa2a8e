//! `sgctl show`

mod port;

use clap::{Args, Subcommand};

use super::Context;
use crate::{error::Result, exit::Exit};

/// What can be shown.
#[derive(Debug, Subcommand)]
pub enum Show {
    /// A port and its filter: what a packet meets, in order, with what was counted
    Port(PortArgs),
}

/// A port by any of its names.
#[derive(Debug, Args)]
pub struct PortArgs {
    /// Id, interface, MAC, IP address or name
    port: String,
}

impl Show {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let Self::Port(PortArgs { port }) = self;
        context.print(&context.client.port(&port).await?, port::text)?;
        Ok(Exit::Ok)
    }
}
