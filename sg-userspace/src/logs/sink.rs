//! Where lines go.

use std::io;

use super::entry::Entry;

/// Somewhere lines can be written.
pub trait Sink: Send {
    /// Writes entries in their order; says how many of them are written, and why not all.
    fn write(&mut self, entries: &[Entry]) -> (usize, io::Result<()>);

    /// Whatever is open is to be opened anew.
    fn reopen(&mut self) {}
}
