//! Everything that needs a kernel, in one binary: `cargo xtask test` runs it as root.

mod attachment;
mod bad_input;
mod bpftool;
mod conntrack;
mod datagrams;
mod expiry;
mod explain;
mod flows;
mod foreign_text;
mod frames;
mod harness;
mod hosts;
mod layouts;
mod lifecycle;
mod namespaces;
mod overload;
mod parity;
mod program;
mod revocation;
mod settings;
mod site;
mod stubborn;
mod tally;
mod taps;
mod trunk;
mod verdict;
