//! A file of what is good to know and no disaster to lose: read at the start, and written when it has changed.

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::path::PathBuf;

use serde::{Serialize, de::DeserializeOwned};

use super::{replace, settle};
use crate::error::{Error, Result};

/// Who may read the file.
const MODE: u32 = 0o640;

/// The file, as JSON.
#[derive(Debug)]
pub struct Kept<T> {
    path: PathBuf,
    /// What it has, as far as this process knows.
    written: Vec<u8>,
    /// Why it could not be written the last time.
    refused: Option<String>,
    of: PhantomData<fn(T)>,
}

impl<T: Serialize + DeserializeOwned> Kept<T> {
    /// At this path.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: Vec::new(),
            refused: None,
            of: PhantomData,
        }
    }

    /// What is in it; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::File`] if it cannot be read, or has anything else in it. It stays as it is until it is written.
    pub fn read(&self) -> Result<Option<T>> {
        let read = match fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        };
        read.map(Some).map_err(|source| Error::File {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// Writes it if it has changed. What cannot be written is told in the log, once, and tried again the next
    /// time.
    pub fn keep(&mut self, what: &T) {
        let written = serde_json::to_vec(what)
            .map_err(io::Error::from)
            .and_then(|text| self.write(text));
        let refused = written.err().map(|error| error.to_string());
        if let Some(error) = refused.as_ref().filter(|_| refused != self.refused) {
            tracing::warn!(
                "{} cannot be written, and a restart forgets what is in it: {error}",
                self.path.display()
            );
        }
        self.refused = refused;
    }

    fn write(&mut self, text: Vec<u8>) -> io::Result<()> {
        if text == self.written {
            return Ok(());
        }
        replace(&self.path, MODE, &text)?;
        settle(&self.path)?;
        self.written = text;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_was_kept_is_read_again_and_an_absent_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kept.json");
        let mut kept = Kept::new(path.clone());
        assert_eq!(kept.read().unwrap(), None);
        let what = BTreeMap::from([("a".to_owned(), 1)]);
        kept.keep(&what);
        assert_eq!(Kept::new(path).read().unwrap(), Some(what));
    }

    #[test]
    fn what_is_something_else_is_an_error_that_names_the_file_and_leaves_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kept.json");
        fs::write(&path, "[]").unwrap();
        let error = Kept::<BTreeMap<String, u32>>::new(path.clone()).read();
        let error = error.unwrap_err().to_string();
        assert!(error.contains("kept.json"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"[]");
    }

    #[test]
    fn a_directory_that_is_not_there_stops_nothing_and_is_tried_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("later/kept.json");
        let mut kept = Kept::new(path.clone());
        kept.keep(&7);
        fs::create_dir(directory.path().join("later")).unwrap();
        kept.keep(&7);
        assert_eq!(kept.read().unwrap(), Some(7));
    }
}
