//! The settings file: where it is, what is in it, when to look again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{self, Interval, MissedTickBehavior};

use super::{Malformed, Wanted, parse::parse, system};
use crate::{
    error::{Error, Result},
    store::Watch,
};

/// Where the settings are unless told otherwise.
pub const DEFAULT_PATH: &str = "/etc/sgd/sgd.toml";

/// How often the file and the sysctls are looked at even if nothing told of a change: sysctls tell nobody,
/// and the file's directory may come later than the daemon.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The settings file of a daemon.
#[derive(Debug, Clone)]
pub struct File {
    path: PathBuf,
    /// It was named, so it has to be there.
    named: bool,
}

impl File {
    /// The file that was named, or the one at [`DEFAULT_PATH`], if there is one.
    pub fn new(named: Option<&Path>) -> Self {
        match named {
            Some(path) => Self::at(path, true),
            None => Self::at(Path::new(DEFAULT_PATH), false),
        }
    }

    pub(super) fn at(path: &Path, named: bool) -> Self {
        Self {
            path: path.into(),
            named,
        }
    }

    /// Where it is, or would be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it asks for. The default file may be absent: then nothing is asked for.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] for a file that is missing though it was named, cannot be read, or asks for
    /// what does not exist.
    pub fn read(&self) -> Result<Wanted> {
        let mut wanted = self
            .checked()?
            .map_err(|malformed| self.failed(malformed.to_string()))?;
        if wanted.system_timeouts {
            system::take(&mut wanted, |sysctl| {
                fs::read_to_string(Path::new("/proc/sys/net").join(sysctl))
            });
        }
        Ok(wanted)
    }

    /// What it says, or all that is wrong with it.
    ///
    /// # Errors
    ///
    /// [`Error::Settings`] for a file that is missing though it was named, or cannot be read.
    pub fn checked(&self) -> Result<std::result::Result<Wanted, Malformed>> {
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.named => String::new(),
            read => read.map_err(|error| self.failed(error.to_string()))?,
        };
        Ok(parse(&text))
    }

    fn failed(&self, what: String) -> Error {
        Error::Settings {
            path: self.path.clone(),
            what,
        }
    }

    /// Tells when to read it again. To be called from within the runtime.
    pub fn changes(&self) -> Changes {
        let mut look = time::interval_at(time::Instant::now() + LOOK_AGAIN, LOOK_AGAIN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Changes {
            watch: Watch::new(&self.path).ok(),
            look,
        }
    }
}

/// Tells when to read a settings file again.
pub struct Changes {
    watch: Option<Watch>,
    look: Interval,
}

impl Changes {
    /// Returns when the file has changed, and now and then without. Safe to cancel.
    pub async fn changed(&mut self) {
        let Some(watch) = &mut self.watch else {
            self.look.tick().await;
            return;
        };
        tokio::select! {
            () = watch.changed() => {}
            _ = self.look.tick() => {}
        }
    }
}
