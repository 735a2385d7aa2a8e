//! What etcd's errors mean.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use etcd_client::Error as Etcd;

use crate::{Error, Revision};

// Codes of gRPC.
const INVALID_ARGUMENT: i32 = 3;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const FAILED_PRECONDITION: i32 = 9;
const OUT_OF_RANGE: i32 = 11;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

/// What is said of an answer that does not come in time, here.
pub(super) const LATE: &str = "no answer came in time";

/// What is said where nothing is heard: by us, of a connection, of a name.
const SILENCE: [&str; 3] = [
    LATE,
    "deadline has elapsed",
    "failed to lookup address information",
];

/// An error of a request about a revision, if it was about one.
pub(super) fn of(error: Etcd, urls: &str, at: Option<Revision>) -> Error {
    let urls = urls.to_owned();
    let what = text(&error);
    if is_about_certificates(&error) {
        return Error::Refused { urls, what };
    }
    let Etcd::GRpcStatus(status) = &error else {
        return Error::Unreachable { urls, what };
    };
    match status.code() as i32 {
        UNAUTHENTICATED | PERMISSION_DENIED => Error::Refused { urls, what },
        // A wrong password, none where one is wanted, one where there are no users.
        INVALID_ARGUMENT | FAILED_PRECONDITION
            if ["authentication", "user name", "password"]
                .iter()
                .any(|word| what.contains(word)) =>
        {
            Error::Refused { urls, what }
        }
        OUT_OF_RANGE if what.contains("has been compacted") => {
            Error::Compacted(at.unwrap_or_default())
        }
        OUT_OF_RANGE if what.contains("future revision") => Error::Ended("it has gone back".into()),
        UNAVAILABLE | RESOURCE_EXHAUSTED if what.contains("too many requests") => {
            Error::Unreachable { urls, what }
        }
        UNAVAILABLE if what.contains("no leader") => Error::NoLeader,
        INVALID_ARGUMENT | NOT_FOUND | FAILED_PRECONDITION | RESOURCE_EXHAUSTED => {
            Error::Impossible { urls, what }
        }
        _ => Error::Unreachable { urls, what },
    }
}

/// An error of connecting, as a service is told it that systemd has started. Whom its unit does not let it reach it
/// never hears of: the kernel drops what goes there, and says so to nobody (but to a resolver, which finds no name then).
pub(super) fn to_service(error: Error) -> Error {
    match error {
        Error::Unreachable { urls, what } if SILENCE.iter().any(|words| what.contains(words)) => {
            let what = format!(
                "{what} (IPAddressAllow= of the service is to name the members, and the resolver)"
            );
            Error::Unreachable { urls, what }
        }
        error => error,
    }
}

/// Whether a request surely never reached the member.
pub(super) fn is_unsent(error: &Etcd) -> bool {
    io_errors(error).any(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// Whether a request was not let in because of who asks: nothing was done.
pub(super) fn is_unknown(error: &Etcd) -> bool {
    let Etcd::GRpcStatus(status) = error else {
        return false;
    };
    match status.code() as i32 {
        UNAUTHENTICATED => true,
        INVALID_ARGUMENT | FAILED_PRECONDITION => ["auth store is old", "authentication failed"]
            .iter()
            .any(|words| status.message().contains(words)),
        _ => false,
    }
}

/// Whether it is known who asks, and not for them to ask.
pub(super) fn is_not_permitted(error: &Etcd) -> bool {
    matches!(error, Etcd::GRpcStatus(status) if status.code() as i32 == PERMISSION_DENIED)
}

/// Whether a member has hung up when it was asked.
pub(super) fn is_hung_up(error: &Etcd) -> bool {
    let kinds = [
        ErrorKind::BrokenPipe,
        ErrorKind::ConnectionReset,
        ErrorKind::UnexpectedEof,
    ];
    let says = text(error);
    io_errors(error).any(|error| kinds.contains(&error.kind()))
        || ["broken pipe", "connection closed", "connection reset"]
            .iter()
            .any(|words| says.contains(words))
}

/// Whether a commit has more operations than the store takes.
pub(super) fn is_too_many(error: &Etcd) -> bool {
    matches!(error, Etcd::GRpcStatus(status) if status.message().contains("too many operations"))
}

/// Whether it is larger: etcd says so, or its gRPC.
pub(super) fn is_too_large(error: &Etcd) -> bool {
    let words = ["request is too large", "larger than max"];
    let says = |text: &str| words.iter().any(|words| text.contains(words));
    matches!(error, Etcd::GRpcStatus(status) if says(status.message()))
}

/// What TLS finds wrong, rustls wraps so.
fn is_about_certificates(error: &Etcd) -> bool {
    io_errors(error).any(|error| error.kind() == ErrorKind::InvalidData)
}

/// The innermost cause, which says the most.
fn text(error: &Etcd) -> String {
    let cause = causes(error).last().map(ToString::to_string);
    match error {
        Etcd::GRpcStatus(status) => cause.unwrap_or_else(|| status.message().to_owned()),
        error => cause.unwrap_or_else(|| error.to_string()),
    }
}

fn io_errors(error: &Etcd) -> impl Iterator<Item = &io::Error> {
    causes(error).filter_map(|cause| cause.downcast_ref())
}

fn causes(error: &Etcd) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let first: Option<&(dyn std::error::Error + 'static)> = match error {
        Etcd::GRpcStatus(status) => status.source(),
        Etcd::TransportError(error) => error.source(),
        Etcd::IoError(error) => Some(error),
        _ => None,
    };
    std::iter::successors(first, |&cause| cause.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_what_may_keep_it_from_a_silent_member() {
        let told = |what: &str| {
            let (urls, what) = ("http://a:1".into(), what.into());
            to_service(Error::Unreachable { urls, what }).to_string()
        };
        assert!(told(LATE).contains("IPAddressAllow="));
        assert!(told("deadline has elapsed").contains("IPAddressAllow="));
        assert!(!told("Connection refused (os error 111)").contains("IPAddressAllow="));
    }
}
