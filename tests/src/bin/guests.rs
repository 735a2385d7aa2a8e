//! `cargo xtask guests`: firmware, boot loaders and Debian's kernel behind this filter, and behind Neutron's
//! iptables rules.

use std::process::ExitCode;

use clap::Parser;
use sg_tests::guests::report;

fn main() -> ExitCode {
    match report::run(&report::Order::parse()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
