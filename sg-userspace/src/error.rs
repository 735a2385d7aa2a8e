//! Everything that can end a command, and the exit code it ends with.

use std::{io, net::SocketAddr, path::PathBuf};

use crate::{
    exit::Exit,
    model::{Conflict, Malformed},
    view::{ErrorView, InForce},
};

/// Why a command or a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The document is not an inventory. Nothing was changed.
    #[error("{0}")]
    Malformed(#[from] Malformed),
    /// The body is no transaction. Nothing was changed.
    #[error(
        "the transaction is not understood: {0} (docs/transactions.md shows its form; nothing was changed)"
    )]
    MalformedTransaction(serde_json::Error),
    /// The transaction builds on something else than what is in force. Nothing was changed.
    #[error("{0}")]
    Conflict(#[from] Conflict),
    /// What is to be enforced comes in another way. Nothing was changed.
    #[error("{0}")]
    OtherSource(&'static str),
    /// The settings file cannot be used. Nothing was changed.
    #[error("the settings {}: {what}", .path.display())]
    Settings {
        /// Which file.
        path: PathBuf,
        /// Where in it, what is wrong, what to write instead.
        what: String,
    },
    /// Metrics cannot be told where they should be.
    #[error(
        "cannot listen on {address} for metrics: {source} (another program has the port, or no interface the \
         address: give --metrics, or [metrics] listen of /etc/sgd/sgd.toml, another one)"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
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
    /// No security group answers to this reference.
    #[error(
        "no security group is called {0:?} (a group is named by id or name; see `sgctl list groups`)"
    )]
    NoSuchGroup(String),
    /// Several security groups answer to this reference.
    #[error("{reference:?} names several security groups: {} (name one by its id)", .candidates.join(", "))]
    AmbiguousGroup {
        /// What was asked for.
        reference: String,
        /// The ids of those that it could be.
        candidates: Vec<String>,
    },
    /// The security group has no ports, so nothing can be said of them.
    #[error(
        "security group {0} has no ports on this node's inventory; name ports, or another group"
    )]
    NoPortsOfGroup(String),
    /// The file is no capture that a packet could be taken from.
    #[error("{}: {problem}", .path.display())]
    Capture {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No packet of the port was refused while it was waited for.
    #[error(
        "no packet of port {port} was refused within {wait}, and none that was refused before was told; wait \
         longer with --wait, or see what it has refused with `sgctl counters`"
    )]
    NoDrop {
        /// The port.
        port: String,
        /// How long it was waited.
        wait: String,
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
    #[error("cannot {action} {path}: {source}{}", advice(.source), path = .path.display())]
    File {
        /// What was tried: "read", "replace", …
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file of what transactions have told could not be read or written.
    #[error("cannot {action} the state {path}: {source}{}", advice(.source), path = .path.display())]
    State {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The store that is to be followed.
    #[error("{0}")]
    Store(#[from] sg_store::Error),
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
    /// What was begun did not come to its end, so what became of it is not known: a mistake in this program.
    #[error("{0}")]
    Unfinished(String),
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
            Self::Malformed(_)
            | Self::MalformedTransaction(_)
            | Self::MalformedFlows(_)
            | Self::Capture { .. }
            | Self::Settings { .. } => Exit::Malformed,
            Self::NoSuchPort(_)
            | Self::AmbiguousPort { .. }
            | Self::NoSuchGroup(_)
            | Self::AmbiguousGroup { .. }
            | Self::NoPortsOfGroup(_)
            | Self::NoDrop { .. } => Exit::NotFound,
            Self::Usage(_) => Exit::Usage,
            Self::Store(error) if error.is_refusal() => Exit::Store,
            Self::Unreachable { .. } => Exit::Unreachable,
            Self::Host(_) | Self::Listen { .. } => Exit::Host,
            Self::PortPending(_)
            | Self::NoSlot(_)
            | Self::Conflict(_)
            | Self::OtherSource(_)
            | Self::File { .. }
            | Self::State { .. }
            | Self::Store(_)
            | Self::System { .. }
            | Self::Datapath(_)
            | Self::Unfinished(_) => Exit::Failure,
            Self::Answered { exit, .. } => *exit,
        }
    }

    /// The same error as the body of an answer.
    pub fn view(self) -> ErrorView {
        match self {
            Self::Answered { view, .. } => *view,
            Self::Conflict(conflict) => ErrorView {
                in_force: Some(InForce {
                    revision: conflict.revision,
                    session: conflict.session,
                }),
                ..ErrorView::new(conflict.to_string()).hint(
                    "tell all there is in a transaction with \"base\": null and \"complete\": true",
                )
            },
            other => ErrorView::new(other.to_string()),
        }
    }
}

/// What to do about what the system said of a file.
fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (nothing was changed; make room on its file system and try again)"
        }
        _ => "",
    }
}

/// The result of everything here that can fail.
pub type Result<T> = std::result::Result<T, Error>;
