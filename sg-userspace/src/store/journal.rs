//! The file of what transactions have told: each step is appended before it is taken, and now and then all is
//! written anew, in as few steps as it takes.
//!
//! The first line names the format. Each other line is a step as JSON, behind a checksum of it in 16
//! hexadecimal digits. A last line that was cut off belongs to a transaction that was never answered. The time of
//! the file is when all of this was last known to be current.

use std::fs::{self, File, OpenOptions};
use std::hash::Hasher;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;
use siphasher::sip::SipHasher24;

use super::{replace, settle};
use crate::error::{Error, Result};

/// The first line: what the file is, and of which version.
const HEAD: &str = "sg-transactions 1";

/// Who may read and write the file.
const MODE: u32 = 0o600;

/// How much may be appended before all is written anew, at least.
const LEAST: u64 = 1 << 20;

/// The file, open for more.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// How long it was when it was last written anew.
    whole: u64,
    length: u64,
    current: SystemTime,
}

impl Journal {
    /// Opens the file, or makes it; returns all its steps.
    ///
    /// # Errors
    ///
    /// [`Error::State`] for a file that cannot be read, is of another version, or is damaged.
    pub fn open<T: DeserializeOwned>(path: &Path) -> Result<(Self, Vec<T>)> {
        let failed = |source| failed("open", path, source);
        if !path.exists() {
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory).map_err(failed)?;
            }
            let head = format!("{HEAD}\n");
            replace(path, MODE, head.as_bytes())
                .and_then(|_| settle(path))
                .map_err(failed)?;
        }
        let mut file = OpenOptions::new();
        let file = file.read(true).write(true).open(path).map_err(failed)?;
        let (steps, length) = read(&file).map_err(failed)?;
        let found = file.metadata().map_err(failed)?;
        let current = found.modified().map_err(failed)?;
        if found.len() > length {
            tracing::warn!(
                "the last line of {} was cut off: a transaction that was never answered is left out",
                path.display()
            );
            file.set_len(length).map_err(failed)?;
        }
        let journal = Self {
            path: path.into(),
            file,
            whole: length,
            length,
            current,
        };
        journal.date();
        Ok((journal, steps))
    }

    /// The steps of a file that a daemon may be writing to, or none.
    ///
    /// # Errors
    ///
    /// As of [`Journal::open`].
    pub fn stored<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
        let read = File::open(path).and_then(|file| read(&file));
        match read {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => Ok(read.map_err(|source| failed("read", path, source))?.0),
        }
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// As of when what is kept was last known to be all that there is to keep: the time of the file.
    pub fn current(&self) -> SystemTime {
        self.current
    }

    /// All that there is to keep was kept at this time.
    pub fn keep_current(&mut self, time: SystemTime) {
        self.current = time;
        self.date();
    }

    /// Gives the file its time, which writes that brought nothing change. One that cannot be given is older.
    fn date(&self) {
        let _ = self.file.set_modified(self.current);
    }

    /// Keeps a step: it is on the disk when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::State`] when it cannot be written; the file is as it was.
    pub fn append(&mut self, step: &impl Serialize) -> Result<()> {
        let done = line(step).and_then(|line| {
            // What an append that failed has left would be read as damage.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            self.file.write_all(&line)?;
            self.file.sync_data()?;
            Ok(line.len() as u64)
        });
        let added = done.map_err(|source| {
            // It may be whole, and would be taken at the next start, though its writer was told otherwise.
            let _ = self.file.set_len(self.length);
            self.date();
            failed("write", &self.path, source)
        })?;
        self.length += added;
        self.current = SystemTime::now();
        Ok(())
    }

    /// Whether more has been appended than was there.
    pub fn is_long(&self) -> bool {
        self.length - self.whole > self.whole.max(LEAST)
    }

    /// Writes all anew, in one step: whoever reads it finds the old lines or the new ones.
    ///
    /// # Errors
    ///
    /// [`Error::State`]; all that was kept is still there.
    pub fn rewrite<T: Serialize>(&mut self, steps: &[T]) -> Result<()> {
        let failed = |source| failed("replace", &self.path, source);
        let mut text = format!("{HEAD}\n").into_bytes();
        for step in steps {
            text.append(&mut line(step).map_err(failed)?);
        }
        let file = replace(&self.path, MODE, &text).map_err(failed)?;
        let length = text.len() as u64;
        // From here on this is the file, whether its name is settled or not.
        (self.file, self.whole, self.length) = (file, length, length);
        self.date();
        settle(&self.path).map_err(|source| self::failed("replace", &self.path, source))
    }
}

fn line(step: &impl Serialize) -> io::Result<Vec<u8>> {
    // An object keeps the white space that its writer gave it; in a string no line ends.
    let json = serde_json::to_string(step)?.replace('\n', " ");
    Ok(format!("{:016x} {json}\n", sum(json.as_bytes())).into_bytes())
}

/// The steps, and how many bytes of the file they are.
fn read<T: DeserializeOwned>(file: &File) -> io::Result<(Vec<T>, u64)> {
    let mut lines = BufReader::new(file);
    let (mut steps, mut length, mut text) = (Vec::new(), 0, Vec::new());
    for number in 1u64.. {
        text.clear();
        let read = lines.read_until(b'\n', &mut text)? as u64;
        if text.pop_if(|last| *last == b'\n').is_none() {
            break;
        }
        length += read;
        if number == 1 {
            check_head(&text)?;
        } else {
            steps.push(step(&text).ok_or_else(|| damaged(number))?);
        }
    }
    if length == 0 {
        check_head(b"")?;
    }
    Ok((steps, length))
}

fn check_head(head: &[u8]) -> io::Result<()> {
    if head == HEAD.as_bytes() {
        return Ok(());
    }
    let head = String::from_utf8_lossy(head);
    let head: String = head.chars().take(40).collect();
    Err(io::Error::other(format!(
        "it begins with {head:?}, not with {HEAD:?}: it is none, or of another version (name another file with \
         --state; move this one away to begin with nothing, and let the writer tell all again)"
    )))
}

fn damaged(line: u64) -> io::Error {
    io::Error::other(format!(
        "line {line} is damaged (restore the file, or move it away to begin with nothing, and let the writer \
         tell all again; until then the kernel enforces what it did)"
    ))
}

fn step<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let (digits, json) = line.split_at_checked(16)?;
    let json = json.strip_prefix(b" ")?;
    let written = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    let json = (sum(json) == written).then_some(json)?;
    serde_json::from_slice(json).ok()
}

fn sum(json: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(json);
    hasher.finish()
}

fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::State {
        action,
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn open(path: &Path) -> Result<(Journal, Vec<String>)> {
        Journal::open(path)
    }

    #[test]
    fn what_was_appended_is_there_at_the_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/state");
        let (mut journal, steps) = open(&path).unwrap();
        assert_eq!(steps, [""; 0]);
        journal.append(&"one").unwrap();
        journal.append(&"two\nlines").unwrap();
        assert_eq!(open(&path).unwrap().1, ["one", "two\nlines"]);
        journal.rewrite(&["all"]).unwrap();
        journal.append(&"more").unwrap();
        assert_eq!(open(&path).unwrap().1, ["all", "more"]);
    }

    #[test]
    fn a_last_line_that_was_cut_off_is_left_out_and_the_next_one_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (mut journal, _) = open(&path).unwrap();
        journal.append(&"one").unwrap();
        journal.append(&"two").unwrap();
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 3]).unwrap();
        let (mut journal, steps) = open(&path).unwrap();
        assert_eq!(steps, ["one"]);
        journal.append(&"three").unwrap();
        assert_eq!(open(&path).unwrap().1, ["one", "three"]);
    }

    #[test]
    fn a_damaged_line_and_another_version_are_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (mut journal, _) = open(&path).unwrap();
        journal.append(&"one").unwrap();
        journal.append(&"two").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("one", "ome")).unwrap();
        let error = open(&path).unwrap_err().to_string();
        assert!(
            error.contains("line 2 is damaged") && error.contains("move it away"),
            "{error}"
        );
        for other in ["", "sg-transactions 2\n", "{\"ports\": []}"] {
            fs::write(&path, other).unwrap();
            let error = open(&path).unwrap_err().to_string();
            assert!(
                error.contains("another version") && error.contains("--state"),
                "{error}"
            );
            assert_eq!(
                fs::read_to_string(&path).unwrap(),
                other,
                "it stays as it is"
            );
        }
    }

    #[test]
    fn what_its_writer_has_spread_over_lines_is_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let text = "{\n  \"a\": 1\n}".to_owned();
        let raw = serde_json::value::RawValue::from_string(text).unwrap();
        let (mut journal, _) = open(&path).unwrap();
        journal.append(&raw).unwrap();
        let (_, steps) = Journal::open::<serde_json::Value>(&path).unwrap();
        assert_eq!(steps, [serde_json::json!({"a": 1})]);
    }

    #[test]
    fn its_time_says_when_it_was_current_whatever_else_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        let (mut journal, _) = open(&path).unwrap();
        journal.append(&"one").unwrap();
        let long_ago = SystemTime::now() - Duration::from_secs(86_400);
        journal.keep_current(long_ago);
        journal.rewrite(&["one"]).unwrap();
        // A line that was cut off is taken away, which is a write.
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"0123").unwrap();
        file.set_modified(long_ago).unwrap();
        let (mut journal, _) = open(&path).unwrap();
        assert_eq!(journal.current(), long_ago);
        struct Refused;
        impl Serialize for Refused {
            fn serialize<S: serde::Serializer>(
                &self,
                _: S,
            ) -> std::result::Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("refused"))
            }
        }
        journal.append(&Refused).unwrap_err();
        assert_eq!(open(&path).unwrap().0.current(), long_ago);
        journal.append(&"two").unwrap();
        assert!(open(&path).unwrap().0.current() > long_ago + Duration::from_secs(80_000));
    }

    #[test]
    fn it_is_long_when_more_was_appended_than_was_there() {
        let directory = tempfile::tempdir().unwrap();
        let (mut journal, _) = open(&directory.path().join("state")).unwrap();
        let text = "x".repeat(LEAST as usize / 2);
        journal.append(&text).unwrap();
        assert!(!journal.is_long());
        journal.append(&text).unwrap();
        assert!(journal.is_long());
        journal.rewrite(&[text]).unwrap();
        assert!(!journal.is_long());
    }
}
