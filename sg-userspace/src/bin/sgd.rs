//! The daemon of the security-group filter.

use std::{env, io::IsTerminal};

use sg_userspace::{
    cli::{self, SgdCommand},
    close, daemon,
    exit::Exit,
    plain,
};
use tracing_subscriber::EnvFilter;

// One thread: a network namespace belongs to a thread, and everything here works in one.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Exit {
    let command = cli::parse(env::args_os().collect());
    start_logging(match &command {
        Ok(SgdCommand::Run(args) | SgdCommand::Load(args)) => &args.log,
        _ => cli::DEFAULT_LOG,
    });
    let done = match command {
        Ok(SgdCommand::Run(args)) => daemon::run(&args).await.map(|()| Exit::Ok),
        Ok(SgdCommand::Load(args)) => daemon::load(&args).map(|()| Exit::Ok),
        Ok(SgdCommand::Detach(args)) => daemon::detach(&args).map(|()| Exit::Ok),
        Ok(SgdCommand::Prepare(args)) => daemon::prepare(&args).map(|()| Exit::Ok),
        Ok(SgdCommand::Close(args)) => close::run(&args).map(|()| Exit::Ok),
        Ok(SgdCommand::Config(command)) => command.run(),
        Err(error) => Err(error),
    };
    done.unwrap_or_else(|error| {
        tracing::error!("{error}");
        error.exit()
    })
}

fn start_logging(level: &str) {
    let filter = EnvFilter::builder().with_default_directive(tracing::Level::INFO.into());
    let filter = filter.parse_lossy(level);
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(plain::log_fields())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
