//! A file that lines are appended to, and that others may move away.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::{entry::Entry, sink::Sink};

/// Who may read and write it, if it is made here: its owner, and its group may read.
const MODE: u32 = 0o640;

/// A file of a log.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    open: Option<File>,
}

impl LogFile {
    /// One at a path. It is opened when something is written.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.into(),
            open: None,
        }
    }

    /// The file that is at the path now.
    fn file(&mut self) -> io::Result<&mut File> {
        if self
            .open
            .as_ref()
            .is_some_and(|file| !self.is_at_path(file))
        {
            self.open = None;
        }
        match &mut self.open {
            Some(file) => Ok(file),
            none => Ok(none.insert(open(&self.path)?)),
        }
    }

    fn is_at_path(&self, file: &File) -> bool {
        let identity = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let there = fs::symlink_metadata(&self.path).map(identity);
        matches!((there, file.metadata().map(identity)), (Ok(there), Ok(here)) if there == here)
    }
}

impl Sink for LogFile {
    fn write(&mut self, entries: &[Entry]) -> (usize, io::Result<()>) {
        let file = match self.file() {
            Ok(file) => file,
            Err(error) => return (0, Err(error)),
        };
        let lines = entries.iter();
        let text: String = lines.map(|entry| entry.line.clone() + "\n").collect();
        let (written, result) = write_some(file, text.as_bytes());
        if result.is_ok() {
            return (entries.len(), Ok(()));
        }
        let whole = text.as_bytes()[..written].iter();
        let whole = whole.filter(|byte| **byte == b'\n').count();
        let kept = text.match_indices('\n').take(whole).last();
        let torn = written - kept.map_or(0, |(at, _)| at + 1);
        // A part of a line would be taken for one, or for the beginning of the next.
        if let Err(error) = take_back(file, torn) {
            tracing::warn!("{}: a part of a line stays: {error}", self.path.display());
        }
        (whole, result)
    }

    fn reopen(&mut self) {
        self.open = None;
    }
}

/// Never through a symbolic link: who may write in the directory could have any file written. Nor into what is no
/// file, which might block.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
    options.append(true).custom_flags(flags.bits());
    let file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = options.mode(MODE).create_new(true).open(path)?;
            // Whatever the mask of this process is.
            file.set_permissions(Permissions::from_mode(MODE))?;
            file
        }
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Err(io::Error::other(
                "it is a symbolic link, which is not followed",
            ));
        }
        opened => opened?,
    };
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

/// Writes as much as there is room for.
fn write_some(file: &mut File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write(&bytes[written..]) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Removes the last bytes, which this process has just written.
fn take_back(file: &File, bytes: usize) -> io::Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let length = file.metadata()?.len();
    file.set_len(length.saturating_sub(bytes as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(lines: &[&str]) -> Vec<Entry> {
        let lines = lines.iter().map(|line| Entry {
            line: (*line).into(),
            fields: Vec::new(),
        });
        lines.collect()
    }

    fn write(file: &mut LogFile, lines: &[&str]) -> io::Result<usize> {
        let (count, result) = file.write(&entries(lines));
        result.map(|()| count)
    }

    #[test]
    fn lines_go_behind_what_is_there_and_a_new_file_may_be_read_by_its_group() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (directory.path().join("old"), directory.path().join("new"));
        fs::write(&old, "before\n").unwrap();
        fs::set_permissions(&old, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(write(&mut LogFile::at(&old), &["one", "two"]).unwrap(), 2);
        assert_eq!(fs::read_to_string(&old).unwrap(), "before\none\ntwo\n");
        assert_eq!(fs::metadata(&old).unwrap().mode() & 0o777, 0o600);
        write(&mut LogFile::at(&new), &["one"]).unwrap();
        assert_eq!(fs::metadata(&new).unwrap().mode() & 0o777, 0o640);
    }

    #[test]
    fn a_file_that_was_moved_away_or_removed_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, away) = (directory.path().join("log"), directory.path().join("log.1"));
        let mut file = LogFile::at(&path);
        write(&mut file, &["one"]).unwrap();
        fs::rename(&path, &away).unwrap();
        write(&mut file, &["two"]).unwrap();
        assert_eq!(fs::read_to_string(&away).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        fs::remove_file(&path).unwrap();
        write(&mut file, &["three"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn nothing_is_written_through_a_link_into_what_is_no_file_or_where_there_is_no_directory() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("target"), "").unwrap();
        std::os::unix::fs::symlink(at("target"), at("link")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        for (name, words) in [
            ("link", "it is a symbolic link"),
            ("pipe", "No such device"),
            ("none/log", "No such file"),
        ] {
            let error = write(&mut LogFile::at(&at(name)), &["one"]).unwrap_err();
            assert!(error.to_string().contains(words), "{name}: {error}");
        }
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "");
        assert!(!at("none").exists());
    }

    #[test]
    fn a_device_without_room_takes_nothing_and_says_so() {
        let error = write(&mut LogFile::at(Path::new("/dev/full")), &["one"]).unwrap_err();
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
}
