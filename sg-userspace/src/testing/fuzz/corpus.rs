//! Inputs that are worth to begin with.

use std::fmt;
use std::fs;
use std::path::Path;

/// An input. It is shown in a form that `printf` writes.
#[derive(Clone, PartialEq, Eq)]
pub struct Input(pub Vec<u8>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

/// Those of a target, in the order of their names.
pub fn of(target: &str) -> Vec<Input> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/corpora");
    let folder = corpora.join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    let read = |file| Input(fs::read(file).unwrap());
    files.into_iter().map(read).collect()
}
