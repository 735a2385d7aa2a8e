//! What the maps hold, row by row: what the kernel and userspace read and write alike. Nothing here asks.

pub mod account;
pub mod capacity;
pub mod counter;
pub mod events;
pub mod flood;
pub mod flow;
pub mod fragment;
pub mod hit;
pub mod maps;
pub mod policy;
pub mod port;
pub mod settings;
pub mod share;
pub mod shared;
pub mod sweep;
