//! What the kernel side can refuse.

use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use aya::maps::MapError;
use aya::programs::ProgramError;

/// Why the kernel side could not do something.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program was built without its kernel object.
    #[error("sgd was built without its kernel object (build it with `cargo xtask build`)")]
    NoObject,
    /// The object could not be loaded.
    #[error("cannot load the kernel object: {}", chain(.0))]
    Load(#[source] aya::EbpfError),
    /// The verifier or the kernel refused a program.
    #[error("the kernel refuses the program {name}: {} (see `cargo xtask doctor` for what it needs)", chain(.source))]
    Program {
        /// Which.
        name: &'static str,
        /// What the kernel said.
        source: ProgramError,
    },
    /// A pin could not be read.
    #[error("cannot use what is pinned at {}: {source}", .pin.display())]
    Pin {
        /// Where.
        pin: PathBuf,
        /// What the kernel said.
        source: MapError,
    },
    /// Others can write where the pins are.
    #[error(
        "{} {why}: whoever can write there decides what is enforced. Look at who made it; then remove it, or \
         give --bpffs another directory, that root alone can write to (`chmod 700 /sys/fs/bpf` keeps others \
         out of all of it)",
        .pin.display()
    )]
    Foreign {
        /// What is not trusted.
        pin: PathBuf,
        /// What it has that it should not have.
        why: String,
    },
    /// No daemon has left what closes interfaces.
    #[error("no interface can be closed: {} is not there or not to be used ({source}); `sgd run` pins it", .pin.display())]
    NoClosed {
        /// Where it would be.
        pin: PathBuf,
        /// What the kernel said.
        source: ProgramError,
    },
    /// Something of another layout is pinned.
    #[error(
        "{} is of another layout ({found}; this sgd wants {wanted}): its filters go on as they are; \
         `sgd detach --bpffs DIR` takes them off and removes the pins, or give --bpffs another directory",
        .pin.display()
    )]
    OtherLayout {
        /// What is pinned.
        pin: PathBuf,
        /// What it is.
        found: String,
        /// What it should be.
        wanted: String,
    },
    /// A pinned map has other room than it was asked to have; a start sets it aside.
    #[error(
        "the map pinned at {} has room for {found} entries, and {setting} asks for {wanted}",
        .pin.display()
    )]
    OtherSize {
        /// What is pinned.
        pin: PathBuf,
        /// Its entries.
        found: u32,
        /// The entries that were asked for.
        wanted: u32,
        /// The option that asks for them.
        setting: &'static str,
    },
    /// What is pinned filters the interfaces of another namespace.
    #[error(
        "what is pinned in {} filters interfaces of another network namespace, whose cookie is {cookie}: \
         start sgd there, or give this one a directory and a socket of its own with --bpffs and --socket",
        .directory.display()
    )]
    OtherNamespace {
        /// The pins.
        directory: PathBuf,
        /// The namespace that they belong to.
        cookie: u64,
    },
    /// The network namespace has no identity.
    #[error("cannot tell which network namespace this is (Linux 5.14 can): {0}")]
    NoNamespace(#[source] io::Error),
    /// A map is missing from the object, or is of another type.
    #[error("the kernel object has no usable map {name:?}")]
    NoMap {
        /// Its name.
        name: &'static str,
    },
    /// An entry could not be read or written.
    #[error("cannot {action} the map {map}: {}", reason(.map, .source))]
    Map {
        /// What was tried.
        action: &'static str,
        /// The map.
        map: &'static str,
        /// What the kernel said.
        source: MapError,
    },
    /// A program could not be attached.
    #[error("cannot attach {hook} to the interface with index {ifindex}: {}", chain(.source))]
    Attach {
        /// The hook.
        hook: &'static str,
        /// The interface.
        ifindex: u32,
        /// What the kernel said.
        source: ProgramError,
    },
    /// A map or a link could not be pinned.
    #[error("cannot pin {}: {source}", .pin.display())]
    PinLink {
        /// Where.
        pin: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The packet sockets of the namespace could not be listed.
    #[error("cannot tell who reads frames before the filter: /proc/thread-self/net/packet: {0}")]
    Sockets(#[source] io::Error),
    /// There is a qdisc of kind `ingress` where clsact has to be.
    #[error(
        "the interface with index {ifindex} has a qdisc of kind `ingress` in the place of clsact"
    )]
    IngressQdisc {
        /// The interface.
        ifindex: u32,
    },
    /// The kernel does not say what is attached.
    #[error("cannot ask what is attached: {0}")]
    Attached(#[source] io::Error),
    /// A directory or a pin could not be made, read or removed.
    #[error("cannot {action} {}: {source}", .path.display())]
    Directory {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Whether this process or the node has no room left for what was asked: another way to the same end has
    /// none either.
    pub fn is_for_want_of_room(&self) -> bool {
        self.has_code(&[libc::EMFILE, libc::ENFILE, libc::ENOMEM])
    }

    /// Whether the system has said one of these codes.
    pub fn has_code(&self, codes: &[i32]) -> bool {
        let mut causes = iter::successors(Some(self as &dyn std::error::Error), |e| e.source());
        causes.any(|cause| {
            // aya's error of this kind shows the causes of what it holds, and not that itself.
            let error = match cause.downcast_ref::<ProgramError>() {
                Some(ProgramError::IOError(error)) => Some(error),
                _ => cause.downcast_ref::<io::Error>(),
            };
            let code = error.and_then(io::Error::raw_os_error);
            code.is_some_and(|code| codes.contains(&code))
        })
    }

    /// For `map_err` of what is done to a directory or a pin.
    pub fn directory(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Directory {
            action,
            path: path.into(),
            source,
        }
    }

    /// For `map_err` of what is done to a map.
    pub fn map(action: &'static str, map: &'static str) -> impl FnOnce(MapError) -> Error {
        move |source| Error::Map {
            action,
            map,
            source,
        }
    }
}

/// The result of everything the kernel side does.
pub type Result<T> = std::result::Result<T, Error>;

/// An error with what caused it: aya's messages leave the causes to their sources.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

/// A full table is the one refusal that an operator can do something about.
fn reason(map: &str, error: &MapError) -> String {
    let MapError::SyscallError(call) = error else {
        return chain(error);
    };
    match call.io_error.raw_os_error() {
        Some(libc::E2BIG | libc::ENOSPC) => {
            format!("it is full (see `sgctl status`; enlarge {map} with sgd's --max options)")
        }
        _ => chain(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_said_of_an_attachment_is_found_whoever_passed_it_on() {
        let refusal = |code: i32| Error::Attach {
            hook: "from_vm",
            ifindex: 7,
            source: io::Error::from_raw_os_error(code).into(),
        };
        assert!(refusal(libc::EMFILE).is_for_want_of_room());
        assert!(!refusal(libc::EBUSY).is_for_want_of_room());
        assert!(refusal(libc::EBUSY).has_code(&[libc::EBUSY]));
    }
}
