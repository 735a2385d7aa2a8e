//! Real guests: firmware, boot loaders and Debian's kernel under QEMU's emulation, each behind this filter
//! and behind Neutron's iptables rules.
//!
//! A scenario is played on two stages of the same shape, at the same time. What the guest achieved is
//! looked at on both, and which kinds of its frames fell is compared: how many fell is not, because
//! guests try again by their own clocks.

mod compare;
mod fabric;
mod grub;
mod host;
mod kind;
mod linux;
mod machine;
mod passage;
mod qmp;
mod record;
pub mod report;
mod scenario;
mod server;
mod stage;
mod table;

use std::env;
use std::fmt;
use std::path::PathBuf;

/// Who filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// This filter.
    Here,
    /// The rules that Neutron's own code writes.
    Iptables,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Here, Self::Iptables];
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here => "here",
            Self::Iptables => "iptables",
        })
    }
}

/// Where the unpacked packages are and the recordings go.
///
/// # Panics
/// If `SG_GUESTS_DIR` does not say where: `cargo xtask guests` sees to it.
fn directory() -> PathBuf {
    let directory = env::var_os("SG_GUESTS_DIR").unwrap_or_else(|| {
        panic!("SG_GUESTS_DIR is not set: run this through `cargo xtask guests`")
    });
    PathBuf::from(directory)
}

/// The statically linked busybox: a guest's programs, and our HTTP server.
fn busybox() -> PathBuf {
    directory().join("root/bin/busybox")
}
