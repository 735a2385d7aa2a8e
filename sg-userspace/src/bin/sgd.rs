//! The daemon of the security-group filter.

use std::io::IsTerminal;

use clap::Parser;
use sg_userspace::{
    cli::{Sgd, SgdCommand},
    daemon,
    exit::Exit,
    plain,
};
use tracing_subscriber::EnvFilter;

// One thread: a network namespace belongs to a thread, and everything here works in one.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Exit {
    let command = Sgd::parse().command;
    start_logging();
    let done = match command {
        SgdCommand::Run(args) => daemon::run(&args).await,
        SgdCommand::Detach(args) => daemon::detach(&args),
    };
    match done {
        Ok(()) => Exit::Ok,
        Err(error) => {
            tracing::error!("{error}");
            error.exit()
        }
    }
}

fn start_logging() {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    let filter = filter.with_env_var("SGD_LOG").from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(plain::log_fields())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
