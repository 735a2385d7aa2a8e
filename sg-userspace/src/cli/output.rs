//! Printing an answer.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

use serde::Serialize;

use super::{Context, Format};
use crate::{
    api::TroubleView,
    error::{Error, Result},
    model::Fault,
};

impl Context {
    /// Prints an answer: as JSON for programs, as `text` makes of it for people.
    pub fn print<T: Serialize + ?Sized>(
        &self,
        answer: &T,
        text: impl FnOnce(&T) -> String,
    ) -> Result<()> {
        let printed = match self.format {
            Format::Table | Format::Conntrack => text(answer),
            Format::Json => {
                let json = serde_json::to_string_pretty(answer);
                json.map_err(|error| failed(error.into()))? + "\n"
            }
        };
        write(&printed)
    }
}

/// Writes to the standard output.
pub fn write(text: &str) -> Result<()> {
    match io::stdout().write_all(text.as_bytes()) {
        // `sgctl … | head` has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(failed),
    }
}

fn failed(source: io::Error) -> Error {
    Error::System {
        action: "writing the answer",
        source,
    }
}

/// Faults as lines, warnings told from what was left out.
pub fn faults(faults: &[Fault]) -> String {
    let line = |fault: &Fault| {
        let level = if fault.is_warning() {
            "warning"
        } else {
            "fault"
        };
        format!("{level}: {fault}\n")
    };
    faults.iter().map(line).collect()
}

/// Troubles as lines, each once: the ports of a trunk share those of its interface.
pub fn troubles(troubles: &[TroubleView]) -> String {
    let line = |trouble: &TroubleView| {
        let level = if trouble.opens { "open" } else { "warning" };
        let TroubleView {
            interface,
            problem,
            remedy,
            ..
        } = trouble;
        format!("{level}: {interface} {problem}. {remedy}\n")
    };
    let mut lines: Vec<_> = troubles.iter().map(line).collect();
    lines.dedup();
    lines.concat()
}

/// Reads a file, or the standard input for `-`.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    let read = if file == Path::new("-") {
        let mut content = Vec::new();
        io::stdin().read_to_end(&mut content).map(|_| content)
    } else {
        fs::read(file)
    };
    read.map_err(|source| Error::File {
        action: "read",
        path: file.into(),
        source,
    })
}
