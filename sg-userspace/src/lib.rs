//! Userspace half of the security-group filter: from Neutron's objects to the kernel's maps, and the
//! daemon and command line around it.

pub mod agent;
pub mod api;
pub mod cli;
pub mod close;
pub mod compile;
pub mod ctnetlink;
pub mod daemon;
pub mod datapath;
pub mod error;
pub mod evaluate;
pub mod events;
pub mod exit;
pub mod flows;
pub mod host;
pub mod logs;
pub mod memory;
pub mod metrics;
pub mod model;
pub mod named;
pub mod netlink;
pub mod packet;
pub mod plain;
pub mod plan;
mod service;
pub mod settings;
pub mod source;
pub mod store;
#[cfg(test)]
mod testing;
pub mod view;
