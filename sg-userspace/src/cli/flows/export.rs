//! `sgctl flows export`

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::Args;

use crate::{
    cli::{Context, output},
    error::{Error, Result},
    exit::Exit,
};

/// Write the connections of a port into a file, for another node to take over
///
/// For live migration: export at the old node when the VM is stopped there, import at the new node
/// before it goes on. The file is JSON, whatever --output says; it belongs to the port, and to nodes
/// that run the same version.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The port, by id, interface, MAC, IP address or name
    #[arg(long)]
    port: String,
    /// Where to; - is the standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

impl ExportArgs {
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let document = context.client.export_flows(&self.port).await?;
        // Numbers, addresses and an id: it has a JSON form.
        let mut text = serde_json::to_string(&document)
            .map_err(|error| Error::Usage(format!("the export has no JSON form: {error}")))?;
        text.push('\n');
        if self.file == Path::new("-") {
            output::write_raw(&text)?;
        } else {
            fs::write(&self.file, text).map_err(|source| Error::File {
                action: "write",
                path: self.file.clone(),
                source,
            })?;
            let count = document.flows.len();
            output::say(&format!("{count} flow entries have been exported."));
        }
        Ok(Exit::Ok)
    }
}
