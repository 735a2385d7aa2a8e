//! Whether pins can be trusted: whoever can write where they are decides what is enforced.
//!
//! A BPF file system that was mounted without a mode is open to everyone, as `/tmp` is
//! (`bpf_fill_super`, `kernel/bpf/inode.c`): a local user can be there first, with maps of the right form
//! that stay his, or with a directory out of which he takes the filter later.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::error::{Error, Result};

/// Others may write.
const WRITABLE: u32 = 0o022;

/// What is in a directory is left to its owners.
const STICKY: u32 = 0o1000;

/// Checks a directory of pins, if it is there, and all that is in it.
///
/// # Errors
///
/// [`Error::Foreign`] for what is not root's or this process's own, or not theirs alone.
pub fn check(root: &Path) -> Result<()> {
    let us = owner().map_err(Error::directory("read", Path::new("/proc/self")))?;
    match found(root)? {
        None => return Ok(()),
        Some(link) if link.is_symlink() => {
            check_owner(root, &link, us)?;
            // The directory behind it is the one that counts.
            let behind = fs::metadata(root).map_err(Error::directory("read", root))?;
            check_one(root, &behind, us, STICKY)?;
        }
        Some(directory) => check_one(root, &directory, us, STICKY)?,
    }
    check_within(root, us)
}

fn check_within(directory: &Path, us: u32) -> Result<()> {
    let read = |error| Error::directory("read", directory)(error);
    for entry in fs::read_dir(directory).map_err(read)? {
        let path = entry.map_err(read)?.path();
        let Some(entry) = found(&path)? else { continue };
        check_one(&path, &entry, us, 0)?;
        if entry.is_dir() {
            check_within(&path, us)?;
        }
    }
    Ok(())
}

/// `excuse`: a bit of the mode that makes up for others who may write.
fn check_one(path: &Path, found: &Metadata, us: u32, excuse: u32) -> Result<()> {
    check_owner(path, found, us)?;
    let mode = found.mode();
    if found.is_symlink() {
        return foreign(path, "is a link to somewhere else".into());
    }
    if mode & WRITABLE != 0 && mode & excuse == 0 {
        return foreign(path, format!("has mode {:04o}", mode & 0o7777));
    }
    Ok(())
}

fn check_owner(path: &Path, found: &Metadata, us: u32) -> Result<()> {
    match found.uid() {
        0 => Ok(()),
        uid if uid == us => Ok(()),
        uid => foreign(path, format!("belongs to user {uid}")),
    }
}

fn foreign(path: &Path, why: String) -> Result<()> {
    let pin = path.into();
    Err(Error::Foreign { pin, why })
}

/// What is there; nothing if that has just gone.
fn found(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::directory("read", path)(error)),
    }
}

/// Whose this process is.
fn owner() -> io::Result<u32> {
    fs::metadata("/proc/self").map(|process| process.uid())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn refusal(root: &Path) -> String {
        check(root).unwrap_err().to_string()
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn pins_of_our_own_are_trusted_and_so_are_none() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("sg");
        check(&root).unwrap();
        fs::create_dir_all(root.join("v1/maps")).unwrap();
        fs::write(root.join("v1/maps/ports"), "").unwrap();
        check(&root).unwrap();
        mode(&root, 0o1777);
        check(&root).unwrap();
    }

    #[test]
    fn what_others_may_write_is_not_trusted_at_any_depth() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("sg");
        fs::create_dir_all(root.join("v1/maps")).unwrap();
        fs::write(root.join("v1/maps/ports"), "").unwrap();
        let within = ["v1/maps/ports", "v1/maps", "v1"].map(|path| root.join(path));
        for path in within.iter().chain([&root]) {
            let kept = fs::metadata(path).unwrap().mode();
            mode(path, 0o777);
            let refused = refusal(&root);
            assert!(refused.contains("has mode 0777"), "{refused}");
            assert!(refused.contains(path.to_str().unwrap()), "{refused}");
            mode(path, kept);
        }
        check(&root).unwrap();
    }

    #[test]
    fn a_link_among_the_pins_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("sg");
        fs::create_dir_all(root.join("v1/maps")).unwrap();
        symlink("/etc", root.join("v1/maps/ports")).unwrap();
        assert!(refusal(&root).contains("is a link"), "{}", refusal(&root));
    }
}
