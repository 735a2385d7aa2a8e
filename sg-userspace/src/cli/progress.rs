//! How far long work is, for who waits at a terminal.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often it is told.
const OFTEN: Duration = Duration::from_millis(200);

/// A line on the standard error that is written over and over, if that is a terminal.
pub struct Progress {
    what: &'static str,
    told: Option<Instant>,
    is_shown: bool,
}

impl Progress {
    /// Of something that is done to many things, which begins now.
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            told: io::stderr().is_terminal().then(Instant::now),
            is_shown: false,
        }
    }

    /// So many of all are done.
    pub fn tell(&mut self, done: usize, all: usize) {
        let Some(told) = self.told.filter(|told| told.elapsed() >= OFTEN) else {
            return;
        };
        self.told = Some(told + told.elapsed());
        self.is_shown = true;
        // Who cannot be told goes without.
        let _ = write!(io::stderr(), "\r{} {done} of {all}", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
