//! Everything that needs a kernel, in one binary: `cargo xtask test` runs it as root.

mod bad_input;
mod harness;
mod lifecycle;
mod program;
mod site;
mod verdict;
