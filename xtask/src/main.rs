//! Everything a person runs: `cargo xtask
//! build|load|demo|fleet|bench|test|fuzz|parity|guests|kernels|soak|prometheus|page|neutron|openstack|dist|package-test|lint|deny|doctor`.
//!
//! This crate runs cargo and knows none of the others. Each verb is one file; what several need is
//! `workspace` (where things are), `toolchain` (what builds kernel programs) and `host` (what this
//! machine can do).

mod bench;
mod build;
mod debian;
mod demo;
mod deny;
mod dist;
mod doctor;
mod driver;
mod environment;
mod fleet;
mod fuzz;
mod guests;
mod host;
mod kernels;
mod lint;
mod load;
mod modules;
mod neutron;
mod openstack;
mod package;
mod package_test;
mod page;
mod parity;
mod prometheus;
mod python;
mod show;
mod soak;
mod test;
mod tidy;
mod toolchain;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use workspace::Workspace;

/// Build, try and test the security-group filter.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Build the kernel object and the programs `sgd` and `sgctl`.
    Build(build::Options),
    /// Build, then run `sgd run` with the arguments after `--`.
    Load(load::Options),
    /// Show security groups being enforced on a real tap, in namespaces of its own (root).
    Demo(demo::Options),
    /// Have many nodes follow one etcd, by simulation, and disturb them.
    Fleet(fleet::Options),
    /// Measure what the filter costs, beside other filters and an older build in the same run (root).
    Bench(bench::Options),
    /// Run every layer of the tests, or the host's layers alone with `--host`.
    Test(test::Options),
    /// Run the properties of all that reads what others write, for long.
    Fuzz(fuzz::Options),
    /// Compare every verdict with Neutron's own iptables rules, in two labs side by side (root).
    Parity(parity::Options),
    /// Boot real guests behind the filter and behind Neutron's iptables, and compare what fell (root).
    Guests(guests::Options),
    /// Boot Debian's kernels in QEMU and run the filter on each.
    Kernels(kernels::Options),
    /// Everything at once, for hours, with what it takes (root).
    Soak(soak::Options),
    /// Try the alert rules and the dashboard with Debian's Prometheus, which scrapes a node with traffic (root).
    Prometheus,
    /// Use the page beside the metrics with a real browser, by keyboard, on a node with traffic (root).
    Page(show::Options),
    /// Test Neutron's firewall driver, `sg-neutron`, in an environment that has Neutron.
    Neutron(driver::Options),
    /// Compare our API with a real Neutron's, driven by OpenStack's own clients.
    Openstack(openstack::Options),
    /// Build what is installed elsewhere into `target/dist`: the Debian packages, the wheel of `sg-neutron`.
    Dist(dist::Options),
    /// Install, start, upgrade, kill and remove the Debian packages on bare Debian systems (root).
    PackageTest(package_test::Options),
    /// Check formatting, clippy and the house rules.
    Lint,
    /// Check licences, sources and known faults of the crates that this is built from.
    Deny(deny::Options),
    /// Check the house rules alone.
    Tidy,
    /// Say what this machine has and lacks for building and running the filter.
    Doctor(doctor::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            // For people: the chain of causes, and no backtrace of this program.
            eprintln!("error: {error}");
            error
                .chain()
                .skip(1)
                .for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::here()?;
    let done = match verb {
        Verb::Build(options) => build::run(&workspace, &options),
        Verb::Load(options) => load::run(&workspace, &options),
        Verb::Demo(options) => demo::run(&workspace, options),
        Verb::Fleet(options) => fleet::run(&workspace, &options),
        // Its code says more than whether it ran.
        Verb::Bench(options) => return bench::run(&workspace, &options),
        Verb::Test(options) => test::run(&workspace, &options),
        Verb::Fuzz(options) => fuzz::run(&workspace, &options),
        Verb::Parity(options) => parity::run(&workspace, &options),
        Verb::Guests(options) => guests::run(&workspace, &options),
        Verb::Kernels(options) => kernels::run(&workspace, &options),
        Verb::Soak(options) => soak::run(&workspace, options),
        Verb::Prometheus => prometheus::run(&workspace),
        Verb::Page(options) => page::run(&workspace, &options),
        Verb::Neutron(options) => driver::run(&workspace, &options),
        Verb::Openstack(options) => openstack::run(&workspace, &options),
        Verb::Dist(options) => dist::run(&workspace, &options),
        Verb::PackageTest(options) => package_test::run(&workspace, &options),
        Verb::Lint => lint::run(&workspace),
        Verb::Deny(options) => deny::run(&workspace, &options),
        Verb::Tidy => tidy::run(&workspace),
        Verb::Doctor(options) => doctor::run(&workspace, &options),
    };
    done.map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
