//! A BPF file system of our own: a machine need not have one mounted, and runs must not meet.

use std::fs;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// A mounted bpffs, unmounted on drop. What is pinned in it goes with it.
#[derive(Debug)]
pub struct Bpffs {
    path: PathBuf,
}

impl Bpffs {
    /// Mounts a fresh one at `path`, a directory that is created.
    #[must_use]
    pub fn mount(path: &Path) -> Self {
        let shown = path.display();
        fs::create_dir_all(path).unwrap_or_else(|e| panic!("cannot create {shown}: {e}"));
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("bpf"), path, Some("bpf"), flags, Some("mode=0700"))
            .unwrap_or_else(|e| panic!("cannot mount a bpffs at {shown}: {e}"));
        Self {
            path: path.to_owned(),
        }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Bpffs {
    fn drop(&mut self) {
        // Detached rather than busy: a process that still looks inside must not keep it for ever.
        let _ = umount2(&self.path, MntFlags::MNT_DETACH);
    }
}
