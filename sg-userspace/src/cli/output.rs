//! Printing an answer.

use std::{
    borrow::Borrow,
    fs,
    io::{self, IsTerminal, Read, Write},
    path::Path,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{Context, Format};
use crate::{
    error::{Error, Result},
    model::Fault,
    plain::{plain, plain_answer, plain_lines},
};

impl Context {
    /// Prints an answer: as JSON for programs, as `text` makes of it for people. That is given no string
    /// that others chose but as it may be shown.
    pub fn print<T>(&self, answer: &T, text: impl FnOnce(&T) -> String) -> Result<()>
    where
        T: Serialize + ToOwned + ?Sized,
        T::Owned: DeserializeOwned,
    {
        match self.format {
            Format::Table | Format::Conntrack | Format::Pcap | Format::FlowLog => {
                let shown = plain_answer(answer).map_err(no_json)?;
                write(&text(shown.as_ref().map_or(answer, Borrow::borrow)))
            }
            Format::Json => {
                let json = serde_json::to_string_pretty(answer).map_err(no_json)?;
                write_raw(&(json + "\n"))
            }
        }
    }
}

/// What it means that an answer has no JSON form.
pub fn no_json(error: serde_json::Error) -> Error {
    failed(error.into())
}

/// Writes lines to the standard output.
pub fn write(lines: &str) -> Result<()> {
    write_raw(&plain_lines(lines))
}

/// Says something beside the answer, on the standard error.
pub fn say(line: &str) {
    eprintln!("sgctl: {}", plain(line));
}

/// Writes JSON to the standard output, which has escapes of its own.
pub fn write_raw(text: &str) -> Result<()> {
    pour(text.as_bytes()).map(drop)
}

/// Writes what has no end, at once, to the standard output; says whether anybody reads it still.
pub fn pour(bytes: &[u8]) -> Result<bool> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        // `sgctl … | head` has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Whether a person reads the standard output as it comes.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
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
