//! What a killed run left behind: namespaces and mounts that nobody could remove any more.

use std::fs;
use std::path::Path;
use std::process::{self, Command};
use std::sync::Once;

use nix::mount::{MntFlags, umount2};

use crate::netns::NAMES;

/// How the names of this process's namespaces and directories begin.
#[must_use]
pub fn prefix() -> String {
    format!("sg-{}-", process::id())
}

/// Removes the leftovers of processes that are gone, once in the life of this one.
///
/// Ours are told by name: `sg-<pid>-…`, and only those of a process that no longer exists.
pub fn remove_once() {
    static ONCE: Once = Once::new();

    ONCE.call_once(|| {
        remove_namespaces();
        remove_mounts();
    });
}

/// Best effort: another process may be removing the same, and nothing here depends on it.
fn remove_namespaces() {
    let Ok(entries) = fs::read_dir(NAMES) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if is_abandoned(&name.to_string_lossy()) {
            let _ = Command::new("ip")
                .args(["netns", "del"])
                .arg(&name)
                .status();
        }
    }
}

fn remove_mounts() {
    let Ok(mounts) = fs::read_to_string("/proc/self/mounts") else {
        return;
    };
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(target), Some("bpf")) = (fields.next(), fields.next()) else {
            continue;
        };
        let Some(directory) = Path::new(target).parent() else {
            continue;
        };
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        if is_abandoned(&name) && umount2(target, MntFlags::MNT_DETACH).is_ok() {
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// Whether the name is one of ours, of a process that no longer exists.
fn is_abandoned(name: &str) -> bool {
    let pid = name
        .strip_prefix("sg-")
        .and_then(|rest| rest.split('-').next());
    pid.and_then(|pid| pid.parse::<u32>().ok())
        .is_some_and(|pid| !Path::new("/proc").join(pid.to_string()).exists())
}

#[cfg(test)]
mod tests {
    use super::{is_abandoned, prefix};

    #[test]
    fn only_the_names_of_processes_that_are_gone_are_abandoned() {
        assert!(is_abandoned("sg-4294967295-1-node"));
        assert!(!is_abandoned(&format!("{}1-node", prefix())));
        assert!(!is_abandoned("sg-vm-1"));
        assert!(!is_abandoned("qrouter-4294967295-1"));
    }
}
