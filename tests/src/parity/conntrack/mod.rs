//! Parity with the kernel's own conntrack: the same packets through both, and after every packet the
//! label, the verdict and what is remembered of the connection compared.
//!
//! One side is a router namespace with a real nf_conntrack, the other this filter, run by
//! `BPF_PROG_TEST_RUN`. What is sent is written in one notation, [`notation`]: by hand in
//! `tests/parity/conntrack/table.txt`, at random by [`walk`], and in
//! `regressions.txt` where a walk has failed once. Both files say what nf_conntrack made of each case, so that
//! `cargo xtask test` can replay them without it.

mod counters;
pub mod deviations;
pub mod expected;
pub mod filter;
pub mod frames;
pub mod host;
pub mod netlink;
pub mod notation;
pub mod outcome;
pub mod report;
pub mod router;
pub mod run;
mod sctp;
pub mod shrink;
pub mod table;
pub mod tally;
mod tcp;
pub mod tuple;
pub mod walk;
