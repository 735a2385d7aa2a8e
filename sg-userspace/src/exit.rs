//! How the programs end, for scripts.

use std::process::{ExitCode, Termination};

/// The exit codes of `sgd` and `sgctl`. Their numbers are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// The kernel or the file system refused something at run time.
    Failure = 1,
    /// The command line was not understood (`clap` ends the program with this number itself).
    Usage = 2,
    /// The input is not an inventory, not a settings file, or not an export of flows; nothing was
    /// changed.
    Malformed = 3,
    /// Applied (or checked), but some objects had faults and were left out; flows were refused.
    LeftOut = 4,
    /// No daemon answers on the socket.
    Unreachable = 5,
    /// This host cannot run the daemon: a missing capability, no bpffs, an old kernel, or
    /// another daemon in its place.
    Host = 6,
    /// No port or group of that name, or several.
    NotFound = 7,
    /// Answered or done, but some port leaks: it is open, bypassed or outdated.
    Leaky = 8,
    /// The store that is to be followed does not let us in, is none, or has another layout.
    Store = 9,
    /// `sgctl explain`: the packet would be dropped.
    Dropped = 10,
}

impl Exit {
    /// Every code, in the order of the numbers.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Malformed,
        Self::LeftOut,
        Self::Unreachable,
        Self::Host,
        Self::NotFound,
        Self::Leaky,
        Self::Store,
        Self::Dropped,
    ];

    /// What the code says, for help texts and man pages.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done (explain: the packet is accepted)",
            Self::Failure => "the kernel or the file system refused something",
            Self::Usage => "the command line was not understood",
            Self::Malformed => "the input cannot be read; nothing was changed",
            Self::LeftOut => "done, but something was left out, which is listed",
            Self::Unreachable => "no daemon answers on the socket",
            Self::Host => {
                "this host cannot run the daemon (capability, bpffs, kernel, another daemon)"
            }
            Self::NotFound => {
                "no such port or group, or several that may be meant; nothing was refused (explain)"
            }
            Self::Leaky => {
                "done, but a port is open, bypassed or outdated (status, list ports, apply)"
            }
            Self::Store => "the store to follow refuses, or has another layout",
            Self::Dropped => "explain: the packet is dropped",
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
