//! Verdicts in sentences: an inventory, packets, and what becomes of each.
//!
//! ```no_run
//! # use sg_common::reason::{Accept::New, DropReason::NoRule};
//! # use sg_tests::packet::tcp;
//! # use sg_tests::verdict::{check, web};
//! check(&[
//!     web(&["ingress IPv4 tcp 80"])
//!         .to_vm(tcp("198.51.100.7:40000", "10.0.0.5:80").syn(), New)
//!         .to_vm(tcp("198.51.100.7:40000", "10.0.0.5:81").syn(), NoRule),
//! ]);
//! ```
//!
//! Every packet goes through the kernel's programs (`BPF_PROG_TEST_RUN` over the real maps) and
//! through the same filter on the host, and what reaches the rules is put to the linear evaluator
//! too: alone, and again with 5,000 more rules that do not permit it. All must agree on the
//! verdict, its reason, the counters, and what is stored afterwards. Then all that is sent from the VM goes
//! through the program of XDP instead of that of tc.

mod check;
pub mod crowd;
mod observed;
mod scene;
mod stored;
mod untagged;
mod world;

use std::path::{Path, PathBuf};

pub use self::check::{check, check_alone, problems};
pub use self::observed::{Known, Name, Observed};
pub use self::scene::{Expected, Scene, port_in, web, web_port};
pub use self::untagged::Untagged;
pub use self::world::{Step, World};

/// Where a map is pinned below a BPF file system.
#[must_use]
pub fn map_pin(bpffs: &Path, name: &str) -> PathBuf {
    let version = format!("v{}", sg_common::layout::maps::ABI);
    bpffs.join(version).join("maps").join(name)
}
