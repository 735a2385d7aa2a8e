//! The BPF file system that maps and links are pinned on.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{self, FsType},
};

use super::HostError;

/// The type of the BPF file system (`BPF_FS_MAGIC`, `include/uapi/linux/magic.h`).
const BPF_FS: FsType = FsType(0xcafe_4a11u32 as _);

/// Where the kernel has a place for it.
const PLACE: &str = "/sys/fs/bpf";

/// Mounts one where the kernel has a place for it, if a directory there is to be used and nothing is mounted
/// yet.
///
/// # Errors
///
/// [`HostError::PrivateMounts`] where the mount would end with this process, and all filters with it;
/// [`HostError::Mount`] where the kernel refuses.
pub fn provide_bpffs(directory: &Path) -> Result<(), HostError> {
    let place = Path::new(PLACE);
    if !directory.starts_with(place) || !place.is_dir() || is_bpffs(directory) {
        return Ok(());
    }
    if !is_everybodys() {
        return Err(HostError::PrivateMounts(place.into()));
    }
    // As systemd and bpftool do; what is pinned is root's.
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let mounted = mount(Some("bpf"), place, Some("bpf"), flags, Some("mode=0700"));
    mounted.map_err(|errno| HostError::Mount {
        path: place.into(),
        source: errno.into(),
    })?;
    tracing::info!("mounted a BPF file system on {PLACE}");
    Ok(())
}

/// Whether a directory is, or will be when it is made, on a BPF file system.
///
/// # Errors
///
/// [`HostError::NoBpffs`]
pub fn check_bpffs(directory: &Path) -> Result<(), HostError> {
    match is_bpffs(directory) {
        true => Ok(()),
        false => Err(HostError::NoBpffs(directory.into())),
    }
}

fn is_bpffs(directory: &Path) -> bool {
    let existing = directory.ancestors().find(|path| path.exists());
    let kind = existing.and_then(|path| statfs::statfs(path).ok());
    kind.is_some_and(|kind| kind.filesystem_type() == BPF_FS)
}

/// Whether what is mounted here is there for all: `ip netns exec` and services with `ProtectSystem=` have
/// mounts of their own.
fn is_everybodys() -> bool {
    let mounts = |process: &str| -> Option<PathBuf> {
        fs::read_link(format!("/proc/{process}/ns/mnt")).ok()
    };
    mounts("self").is_some_and(|own| Some(own) == mounts("1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_directory_is_no_place_for_pins_and_nothing_is_mounted_there() {
        let directory = tempfile::tempdir().unwrap();
        let pins = directory.path().join("not/yet/there");
        provide_bpffs(&pins).unwrap();
        let error = check_bpffs(&pins).unwrap_err().to_string();
        assert!(error.contains("mount -t bpf bpf /sys/fs/bpf"), "{error}");
    }
}
