//! Neutron's API for security groups.

use std::io::{self, IsTerminal};

use clap::Parser;
use sg_api::cli::Sgapi;
use sg_api::exit::Exit;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> Exit {
    let Sgapi { command } = Sgapi::parse();
    start_logging(command.log());
    match command.run().await {
        Ok(()) => Exit::Ok,
        Err(failure) => {
            tracing::error!("{failure}");
            failure.exit
        }
    }
}

fn start_logging(level: &str) {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    tracing_subscriber::fmt()
        .with_env_filter(filter.parse_lossy(level))
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .init();
}
