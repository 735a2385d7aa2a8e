//! What is to be enforced, in files: the inventory, which is read, replaced and watched; what transactions
//! have told.

mod journal;
mod kept;
mod watch;

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

pub use journal::Journal;
pub use kept::Kept;
pub use watch::Watch;

use crate::error::{Error, Result};

/// Who may read a new inventory file; an existing one keeps its mode.
const MODE: u32 = 0o640;

/// The file that holds the inventory in force.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    /// The store in a file. Symbolic links on the way are followed each time anew: they may be made to
    /// point elsewhere.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into() }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole file.
    pub fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).map_err(|source| self.failed("read the inventory", source))
    }

    /// Replaces the file in one step: whoever reads it, and whoever starts after a loss of power,
    /// finds the old document or the new one. Links that point to it stay.
    pub fn replace(&self, document: &[u8]) -> Result<()> {
        self.write(document)
            .map_err(|source| self.failed("replace the inventory", source))
    }

    /// Watches the file for changes.
    pub fn watch(&self) -> Result<Watch> {
        Watch::new(&self.path).map_err(|source| self.failed("watch the inventory", source))
    }

    fn write(&self, document: &[u8]) -> io::Result<()> {
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let mode = fs::metadata(&path).map_or(MODE, |now| now.permissions().mode());
        replace(&path, mode, document)?;
        settle(&path)
    }

    fn failed(&self, action: &'static str, source: io::Error) -> Error {
        Error::File {
            action,
            path: self.path.clone(),
            source,
        }
    }
}

/// Puts a new file in the place of what is there, in one step.
fn replace(path: &Path, mode: u32, text: &[u8]) -> io::Result<fs::File> {
    let directory = watch::directory_of(path);
    let mut file = tempfile::Builder::new()
        .prefix(".inventory")
        .permissions(fs::Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|refused| refused.error)
}

/// The new name is in the directory, which has to reach the disk too.
fn settle(path: &Path) -> io::Result<()> {
    fs::File::open(watch::directory_of(path))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_replaced_file_holds_the_new_document_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(&directory.path().join("inventory.json"));
        store.replace(b"{}").unwrap();
        store.replace(b"{\"ports\":[]}").unwrap();
        assert_eq!(store.read().unwrap(), b"{\"ports\":[]}");
        assert_eq!(names(directory.path()), ["inventory.json"]);
    }

    #[test]
    fn a_replaced_file_keeps_its_mode() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::new(&directory.path().join("inventory.json"));
        store.replace(b"{}").unwrap();
        fs::set_permissions(store.path(), fs::Permissions::from_mode(0o604)).unwrap();
        store.replace(b"{ }").unwrap();
        let mode = fs::metadata(store.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o604);
    }

    #[test]
    fn replacing_follows_a_symbolic_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (
            directory.path().join("real.json"),
            directory.path().join("link.json"),
        );
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Store::new(&link).replace(b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Store::new(Path::new("/nowhere/inventory.json"))
            .read()
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("cannot read the inventory /nowhere/inventory.json: "),
            "{text}"
        );
    }
}
