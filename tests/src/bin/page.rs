//! `cargo xtask page`: the page of a real daemon, used by a real browser.

use std::path::PathBuf;

use clap::Parser;

/// Has a browser use the page by its keyboard alone on a node with taps and traffic, checks what is seen, and writes
/// pictures of each view.
#[derive(Parser)]
#[command(name = "cargo xtask page", version)]
struct Arguments {
    /// Where the pictures go.
    #[arg(long, default_value = "target/page")]
    pictures: PathBuf,
    /// How many ports the node has.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(4..=1000))]
    ports: u32,
}

fn main() -> anyhow::Result<()> {
    let Arguments { pictures, ports } = Arguments::parse();
    sg_tests::page::run(&pictures, ports as usize)
}
