//! Programs at hooks.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The filter's program at a hook of an interface, by what bpftool and tc know it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookView {
    /// `from_vm` or `to_vm`.
    pub hook: String,
    /// The program: `bpftool prog show id ID`.
    pub program: ProgramView,
    /// How it hangs there.
    pub link: LinkView,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProgramView {
    /// The kernel's number of it.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Its tag, as bpftool prints it: 16 hexadecimal digits.
    pub tag: String,
}

/// How a program hangs at a hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "way", rename_all = "snake_case")]
pub enum LinkView {
    /// By a link: `bpftool link show id ID`.
    Tcx {
        /// The kernel's number of it.
        id: u32,
        /// Where it is pinned.
        pin: PathBuf,
    },
    /// By a link at XDP: `bpftool link show id ID`.
    Xdp {
        /// The kernel's number of it.
        id: u32,
        /// Where it is pinned.
        pin: PathBuf,
        /// Whether it runs within the driver (`xdpdrv`), and not in the network stack (`xdpgeneric`).
        native: bool,
    },
    /// By a filter: `tc filter show dev INTERFACE ingress` (or `egress`).
    Clsact {
        /// Its `pref`.
        priority: u16,
        /// Its handle.
        handle: u32,
    },
}
