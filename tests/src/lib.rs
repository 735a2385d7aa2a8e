//! What the tests and the demo are built from: network namespaces, taps, virtual machines, a
//! compute node running the daemon, packets and inventories in words.
//!
//! Everything here panics on failure, with a sentence that says what was attempted: a test that
//! cannot set itself up has failed, and the stack trace names the line. All traffic stays inside
//! namespaces made here, every wait is bounded, and everything is undone on drop.

pub mod api;
pub mod bench;
pub mod bpffs;
mod cable;
pub mod capture;
pub mod crowd;
pub mod daemon;
pub mod demo;
pub mod etcd;
pub mod events;
pub mod fleet;
pub mod guests;
pub mod http;
pub mod hybrid;
mod interrupt;
pub mod inventory;
pub mod lane;
pub mod leftovers;
pub mod mac;
pub mod monitor;
pub mod netns;
pub mod node;
pub mod others;
pub mod ovs;
pub mod packet;
pub mod page;
pub mod parity;
pub mod pinned;
pub mod prometheus;
pub mod site;
pub mod soak;
pub mod steady;
pub mod streams;
pub mod tap;
pub mod terminal;
pub mod testrun;
pub mod traffic;
pub mod verdict;
pub mod vm;
