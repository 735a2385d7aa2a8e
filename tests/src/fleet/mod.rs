//! A fleet by simulation: one real etcd, any number of nodes that run the daemon's own code without a kernel, a
//! writer, and a network between them that misbehaves. Every node has to end in the state that a model computes
//! from the history alone, and to have been in no state that the store never had.

mod history;
mod node;
mod plan;
mod proxy;
mod report;
mod run;
mod world;
mod writer;

pub use report::Report;
pub use run::{Options, run};
pub use world::Size;
