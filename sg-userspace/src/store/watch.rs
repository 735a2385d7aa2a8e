//! Waiting for a file to change, however editors change it.

use std::{ffi::OsString, io, path::Path, time::Duration};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc,
    time::{self, Instant},
};

/// Editors write in several steps; a change is told when none followed for this long.
const QUIET: Duration = Duration::from_millis(200);

/// Tells when a file has changed. It watches the directory, because editors and
/// configuration tools put a new file in the place of the old one.
pub struct Watch {
    changes: mpsc::UnboundedReceiver<()>,
    quiet_at: Option<Instant>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    pub(super) fn new(file: &Path) -> io::Result<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let name = file.file_name().map(OsString::from);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if concerns(&event, name.as_ref()) {
                // The daemon is ending if nobody listens.
                let _ = sender.send(());
            }
        })
        .map_err(io::Error::other)?;
        let directory = directory_of(file);
        watcher
            .watch(directory, RecursiveMode::NonRecursive)
            .map_err(io::Error::other)?;
        Ok(Self {
            changes,
            quiet_at: None,
            _watcher: watcher,
        })
    }

    /// Returns when the file has changed and is quiet again. Safe to cancel.
    pub async fn changed(&mut self) {
        loop {
            let Some(quiet_at) = self.quiet_at else {
                if self.changes.recv().await.is_none() {
                    // Without a watcher there is nothing to wait for.
                    std::future::pending::<()>().await;
                }
                self.quiet_at = Some(Instant::now() + QUIET);
                continue;
            };
            match time::timeout_at(quiet_at, self.changes.recv()).await {
                Ok(_another) => self.quiet_at = Some(Instant::now() + QUIET),
                Err(_quiet) => {
                    self.quiet_at = None;
                    return;
                }
            }
        }
    }
}

/// Whether an event may have changed the file. What could not be told (an overflow) may have.
fn concerns(event: &notify::Result<Event>, name: Option<&OsString>) -> bool {
    match event {
        Err(_) => true,
        Ok(event) if event.need_rescan() => true,
        Ok(event) => {
            let reading =
                matches!(event.kind, EventKind::Access(access) if !is_close_write(access));
            !reading
                && event
                    .paths
                    .iter()
                    .any(|path| path.file_name() == name.map(|n| n.as_os_str()))
        }
    }
}

fn is_close_write(access: notify::event::AccessKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    access == AccessKind::Close(AccessMode::Write)
}

/// The directory of a file; that of a bare name is the current one.
pub(super) fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    async fn tells_of(change: impl FnOnce(&Path)) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let file: PathBuf = directory.path().join("inventory.json");
        fs::write(&file, "old").unwrap();
        let mut watch = Watch::new(&file).unwrap();
        change(&file);
        time::timeout(QUIET * 4, watch.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn a_file_written_in_place_has_changed() {
        assert!(tells_of(|file| fs::write(file, "new").unwrap()).await);
    }

    #[tokio::test]
    async fn a_file_put_in_its_place_has_changed() {
        let renamed = |file: &Path| {
            let new = file.with_extension("swp");
            fs::write(&new, "new").unwrap();
            fs::rename(new, file).unwrap();
        };
        assert!(tells_of(renamed).await);
    }

    #[tokio::test]
    async fn a_neighbor_or_a_reader_changes_nothing() {
        assert!(!tells_of(|file| fs::write(file.with_extension("txt"), "new").unwrap()).await);
        assert!(!tells_of(|file| drop(fs::read(file).unwrap())).await);
    }

    #[tokio::test]
    async fn many_writes_are_one_change_even_when_the_waiting_is_interrupted() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("inventory.json");
        let mut watch = Watch::new(&file).unwrap();
        for content in ["1", "2", "3"] {
            fs::write(&file, content).unwrap();
        }
        let interrupted = time::timeout(QUIET / 4, watch.changed()).await;
        assert!(interrupted.is_err(), "the file is not quiet yet");
        time::timeout(QUIET * 4, watch.changed())
            .await
            .expect("the change is not lost");
        let again = time::timeout(QUIET * 2, watch.changed()).await;
        assert!(again.is_err(), "there was one change");
    }
}
