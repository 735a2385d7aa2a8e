//! How the program ends, for scripts.

use std::process::{ExitCode, Termination};

/// The exit codes of `sgapi`: those of `sgd`, as far as they can come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// The file system, the network or the store refused something at run time.
    Failure = 1,
    /// The command line was not understood (`clap` ends the program with this number itself).
    Usage = 2,
    /// A file that was named cannot be read as what it should be.
    Malformed = 3,
    /// The store cannot be used: it is in use by another process, or it does not answer.
    Unreachable = 5,
    /// The store refuses, or is of another layout.
    Refused = 9,
}

impl Exit {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Malformed,
        Self::Unreachable,
        Self::Refused,
    ];

    /// What the code says, for help texts and man pages.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done",
            Self::Failure => "the file system or the network refused something",
            Self::Usage => "the command line was not understood",
            Self::Malformed => "a file that was named cannot be read as what it should be",
            Self::Unreachable => "the store cannot be used",
            Self::Refused => "the store refuses, or is of another layout",
        }
    }

    /// The section of the help texts that lists the codes.
    pub fn help() -> String {
        let lines = Self::ALL.map(|exit| format!("  {:>2}  {}", exit as u8, exit.meaning()));
        format!("Exit codes:\n{}", lines.join("\n"))
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

/// Why the program cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// How it ends.
    pub exit: Exit,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Failure {
    /// One that ends so, and says this.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
        }
    }
}
