//! Everything that can end a command, and the exit code it ends with.

use std::{io, path::PathBuf};

use crate::{exit::Exit, model::Malformed, view::ErrorView};

/// Why a command or a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The document is not an inventory. Nothing was changed.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// The settings file cannot be used. Nothing was changed.
    #[error("the settings {}: {what}", .path.display())]
    Settings {
        /// Which file.
        path: PathBuf,
        /// Where in it, what is wrong, what to write instead.
        what: String,
    },
    /// The document is no export of flows that could be taken here. Nothing was changed.
    #[error("{0}")]
    MalformedFlows(String),
    /// No port answers to this reference.
    #[error(
        "no port is called {0:?} (a port is named by id, interface, INTERFACE.VLAN, MAC, IP address or name; see `sgctl list ports`)"
    )]
    NoSuchPort(String),
    /// Several ports answer to this reference.
    #[error("{reference:?} names several ports: {} (name one by its id)", .candidates.join(", "))]
    AmbiguousPort {
        /// What was asked for.
        reference: String,
        /// The ports it could be: id, name and interface of each.
        candidates: Vec<String>,
    },
    /// The port has no interface here, so no packet can be walked through its filter.
    #[error("port {0} has no interface on this host (yet), so no packet reaches its filter")]
    PortPending(String),
    /// The port has no slot in the tables, so it can have no connections.
    #[error(
        "port {0} has no connections on this host and cannot take any: it is closed, or it never had an \
         interface here"
    )]
    NoSlot(String),
    /// A request that makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A daemon is needed and none answers.
    #[error("no daemon answers on {socket}: {cause} (start it with `sgd run`, or name its socket with --socket)", socket = .socket.display())]
    Unreachable {
        /// Where it was looked for.
        socket: PathBuf,
        /// What happened instead.
        cause: String,
    },
    /// The host lacks something the daemon needs.
    #[error("{0}")]
    Host(#[from] crate::host::HostError),
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    File {
        /// What was tried: "read", "replace", …
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something that is not about one file.
    #[error("{action}: {source}")]
    System {
        /// What was tried, as the start of a sentence.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel side refused something.
    #[error("{0}")]
    Datapath(String),
    /// The daemon answered with an error of its own.
    #[error("{view}")]
    Answered {
        /// The code `sgctl` ends with.
        exit: Exit,
        /// What the daemon said.
        view: Box<ErrorView>,
    },
}

impl Error {
    /// The code a program ends with on this error.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Malformed(_) | Self::MalformedFlows(_) | Self::Settings { .. } => Exit::Malformed,
            Self::NoSuchPort(_) | Self::AmbiguousPort { .. } => Exit::NotFound,
            Self::Usage(_) => Exit::Usage,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Host(_) => Exit::Host,
            Self::PortPending(_)
            | Self::NoSlot(_)
            | Self::File { .. }
            | Self::System { .. }
            | Self::Datapath(_) => Exit::Failure,
            Self::Answered { exit, .. } => *exit,
        }
    }

    /// The same error as the body of an answer.
    pub fn view(self) -> ErrorView {
        match self {
            Self::Answered { view, .. } => *view,
            other => ErrorView::new(other.to_string()),
        }
    }
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;
