//! What this machine's kernel can do and what this process may.

use std::{collections::HashSet, fs, os::unix::fs::MetadataExt, path::Path};

use caps::{CapSet, Capability};

/// Whether this process has user id 0.
pub fn is_root() -> bool {
    // /proc/self belongs to the effective user.
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether a capability is effective.
pub fn has_capability(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false)
}

/// A kernel, as far as it can be looked into.
pub struct Kernel {
    /// Release, e.g. `6.1.0-40-amd64`.
    pub release: String,
    symbols: Option<HashSet<String>>,
}

/// Something the filter uses, how its presence shows in the symbol table, and since when it exists.
#[derive(Debug, Clone, Copy)]
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// A function that exists only with it.
    pub symbol: &'static str,
    /// First release that has it.
    pub since: (u32, u32),
}

/// The program that attaches without a qdisc (commit e420bed02507).
pub const TCX: Feature = Feature {
    name: "tcx",
    symbol: "tcx_prog_attach",
    since: (6, 6),
};
/// Events to userspace (commit 457f44363a88).
pub const RING_BUFFER: Feature = Feature {
    name: "ring buffer",
    symbol: "bpf_ringbuf_reserve",
    since: (5, 8),
};
/// Expiry without a process (commit b00628b1c7d5).
pub const TIMER: Feature = Feature {
    name: "bpf_timer",
    symbol: "bpf_timer_start",
    since: (5, 15),
};
/// The clock of the filter (commit d05512618056).
pub const COARSE_CLOCK: Feature = Feature {
    name: "coarse clock",
    symbol: "bpf_ktime_get_coarse_ns",
    since: (5, 11),
};
/// Pointers of the kernel in maps, which the filter does not use (commit c0a5a21c25f3).
pub const KPTR: Feature = Feature {
    name: "kptr",
    symbol: "bpf_kptr_xchg",
    since: (5, 19),
};
/// Walks the verifier looks at once (commit e6f2dd0f8067).
pub const LOOP: Feature = Feature {
    name: "bpf_loop",
    symbol: "bpf_loop",
    since: (5, 17),
};

/// All of them, and what else is worth knowing of a kernel.
pub const FEATURES: [Feature; 6] = [TCX, RING_BUFFER, TIMER, LOOP, COARSE_CLOCK, KPTR];

impl Kernel {
    /// The running kernel.
    pub fn running() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            release: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            symbols: symbols(&read("/proc/kallsyms")),
        }
    }

    /// Whether it has a feature: by its symbols if they can be read, otherwise by its release,
    /// which a vendor's backports make a guess.
    pub fn has(&self, feature: Feature) -> bool {
        match &self.symbols {
            Some(symbols) => symbols.contains(feature.symbol),
            None => release(&self.release).is_some_and(|release| release >= feature.since),
        }
    }
}

/// The functions named in `/proc/kallsyms`; none if it is hidden from us.
fn symbols(table: &str) -> Option<HashSet<String>> {
    let wanted = FEATURES.map(|feature| feature.symbol);
    let mut names = table
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2))
        .peekable();
    names.peek()?;
    Some(
        names
            .filter(|name| wanted.contains(name))
            .map(str::to_owned)
            .collect(),
    )
}

/// Major and minor number of a release.
fn release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// Whether the kernel describes its types, where aya and bpftool look for it.
pub fn has_btf() -> bool {
    Path::new("/sys/kernel/btf/vmlinux").exists()
}

/// Whether a bpf file system is mounted on a folder.
pub fn is_bpffs(folder: &str) -> bool {
    mounts_bpffs(
        &fs::read_to_string("/proc/self/mounts").unwrap_or_default(),
        folder,
    )
}

fn mounts_bpffs(mounts: &str, folder: &str) -> bool {
    mounts.lines().any(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        fields.get(1) == Some(&folder) && fields.get(2) == Some(&"bpf")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(release: &str, table: &str) -> Kernel {
        Kernel {
            release: release.to_owned(),
            symbols: symbols(table),
        }
    }

    #[test]
    fn symbols_decide_when_they_can_be_read() {
        let table = "ffffffff81520a70 T bpf_timer_start\n0000000000000000 t tcx_prog_attach\n";
        let backported = kernel("5.14.0-503.el9", table);
        assert!(backported.has(TCX) && backported.has(TIMER));
        assert!(!backported.has(RING_BUFFER), "no such symbol in the table");
    }

    #[test]
    fn the_release_decides_when_symbols_are_hidden() {
        let debian = kernel("6.1.0-40-amd64", "");
        assert!(debian.has(LOOP) && !debian.has(TCX));
        assert!(kernel("6.6.1", "").has(TCX));
        assert!(
            !kernel("", "").has(RING_BUFFER),
            "an unknown kernel promises nothing"
        );
    }

    #[test]
    fn only_a_bpf_mount_on_the_folder_itself_counts() {
        let mounts = "sysfs /sys sysfs rw 0 0\nnone /sys/fs/bpf bpf rw 0 0\n";
        assert!(mounts_bpffs(mounts, "/sys/fs/bpf"));
        assert!(!mounts_bpffs(mounts, "/sys"));
        assert!(!mounts_bpffs(
            "none /sys/fs/bpf tmpfs rw 0 0\n",
            "/sys/fs/bpf"
        ));
    }
}
