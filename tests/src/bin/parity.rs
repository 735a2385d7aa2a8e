//! `cargo xtask parity`: the same frames through Neutron's iptables rules and through this filter; with
//! `--conntrack`, the same packets through the kernel's own conntrack and through this filter.

use std::env;
use std::process::ExitCode;

use clap::Parser;
use sg_tests::parity::{conntrack, report};

fn main() -> ExitCode {
    let agrees = if env::args().any(|argument| argument == "--conntrack") {
        conntrack::report::run(&conntrack::report::Order::parse())
    } else {
        report::run(&report::Order::parse())
    };
    match agrees {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
