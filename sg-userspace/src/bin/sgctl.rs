//! The command line of the security-group filter.

use clap::Parser;
use sg_userspace::{cli::Sgctl, exit::Exit, plain::plain};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Exit {
    match Sgctl::parse().run().await {
        Ok(exit) => exit,
        Err(error) => {
            eprintln!("sgctl: {}", plain(&error.to_string()));
            error.exit()
        }
    }
}
