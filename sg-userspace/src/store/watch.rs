//! Waiting for a file to change, however editors change it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{
    sync::mpsc,
    time::{self, Instant},
};

/// Editors write in several steps; a change is told when none followed for this long.
const QUIET: Duration = Duration::from_millis(200);

/// Tells when a file has changed, or when a symbolic link on the way to it points elsewhere. It watches
/// directories, because editors and configuration tools put a new file, or a new link, in the place of
/// the old one.
pub struct Watch {
    file: PathBuf,
    /// Whatever is on the way to the file now.
    hops: Arc<Mutex<BTreeSet<PathBuf>>>,
    changes: mpsc::UnboundedReceiver<()>,
    quiet_at: Option<Instant>,
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches a file, which need not be there.
    ///
    /// # Errors
    ///
    /// What the system says of its directory.
    pub fn new(file: &Path) -> io::Result<Self> {
        let (sender, changes) = mpsc::unbounded_channel();
        let hops = Arc::new(Mutex::new(BTreeSet::new()));
        let on_the_way = Arc::clone(&hops);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if concerns(&event, &locked(&on_the_way)) {
                // The daemon is ending if nobody listens.
                let _ = sender.send(());
            }
        });
        let file = std::path::absolute(file)?;
        fs::metadata(directory_of(&file))?;
        let mut watch = Self {
            file,
            hops,
            changes,
            quiet_at: None,
            watcher: watcher.map_err(io::Error::other)?,
        };
        watch.follow();
        Ok(watch)
    }

    /// Watches what is on the way now.
    fn follow(&mut self) {
        let new = hops(&self.file);
        let old = std::mem::replace(&mut *locked(&self.hops), new.clone());
        let directories = |hops: &BTreeSet<PathBuf>| -> BTreeSet<PathBuf> {
            hops.iter().map(|hop| directory_of(hop).into()).collect()
        };
        let (old, new) = (directories(&old), directories(&new));
        for gone in old.difference(&new) {
            // It may not exist any more.
            let _ = self.watcher.unwatch(gone);
        }
        for directory in new.difference(&old) {
            // Where a link points to nothing, the link itself is watched.
            if let Err(error) = self.watcher.watch(directory, RecursiveMode::NonRecursive) {
                tracing::debug!("not watched: {error}");
            }
        }
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
                    self.follow();
                    return;
                }
            }
        }
    }
}

/// The symbolic links on the way to a file, and the file itself.
fn hops(file: &Path) -> BTreeSet<PathBuf> {
    /// As many as the kernel follows (`MAXSYMLINKS`).
    const MOST: usize = 40;
    let parts = |path: &Path| -> Vec<OsString> {
        let parts = path.components().rev();
        let named =
            parts.filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
        named.map(|part| part.as_os_str().into()).collect()
    };
    let (mut hops, mut followed) = (BTreeSet::new(), 0);
    let mut at = PathBuf::from("/");
    let mut rest = parts(file);
    while let Some(part) = rest.pop() {
        if part == ".." {
            at.pop();
            continue;
        }
        let hop = at.join(part);
        match fs::read_link(&hop) {
            Ok(target) if followed < MOST => {
                followed += 1;
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                rest.extend(parts(&target));
                hops.insert(hop);
            }
            _ => at = hop,
        }
    }
    hops.insert(at);
    hops
}

fn locked(hops: &Mutex<BTreeSet<PathBuf>>) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    hops.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether an event may have changed the file. What could not be told (an overflow) may have.
fn concerns(event: &notify::Result<Event>, hops: &BTreeSet<PathBuf>) -> bool {
    match event {
        Err(_) => true,
        Ok(event) if event.need_rescan() => true,
        Ok(event) => {
            let reading =
                matches!(event.kind, EventKind::Access(access) if !is_close_write(access));
            !reading && event.paths.iter().any(|path| hops.contains(path))
        }
    }
}

fn is_close_write(access: notify::event::AccessKind) -> bool {
    use notify::event::{AccessKind, AccessMode};
    access == AccessKind::Close(AccessMode::Write)
}

/// The directory of a file; that of a bare name is the current one.
pub fn directory_of(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

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

    #[tokio::test]
    async fn a_swapped_link_is_a_change_and_what_it_points_to_is_watched_from_then_on() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for version in ["one", "two"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("inventory.json"), version).unwrap();
        }
        symlink("one", at("data")).unwrap();
        symlink("data/inventory.json", at("inventory.json")).unwrap();
        let mut watch = Watch::new(&at("inventory.json")).unwrap();

        symlink("two", at("new")).unwrap();
        fs::rename(at("new"), at("data")).unwrap();
        let told = time::timeout(QUIET * 4, watch.changed()).await;
        assert!(told.is_ok(), "the link points elsewhere");

        fs::write(at("two/inventory.json"), "three").unwrap();
        let told = time::timeout(QUIET * 4, watch.changed()).await;
        assert!(told.is_ok(), "the new file was written");

        fs::write(at("one/inventory.json"), "four").unwrap();
        let told = time::timeout(QUIET * 4, watch.changed()).await;
        assert!(told.is_err(), "the old file is not on the way any more");
    }

    #[test]
    fn links_that_go_in_a_circle_end() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        symlink("b", at("a")).unwrap();
        symlink("a", at("b")).unwrap();
        assert!(hops(&at("a")).len() >= 2);
    }
}
