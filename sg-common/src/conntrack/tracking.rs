//! How a packet is tracked, and how the filter remembers it.

use crate::layout::shared::{keep, kept};
use crate::reason::DropReason;

/// How a packet is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracking {
    /// Not at all: the port is stateless, or it is ICMPv6 that nobody tracks.
    None,
    /// With its datagram, which was accepted: it is a later fragment.
    Accepted,
    /// Not at all: it is a later fragment of a datagram of which nothing is known.
    Unordered,
    /// By its own addresses and ports.
    Connection,
    /// By those of the packet it quotes: it is an ICMP error.
    Error,
    /// It cannot belong to a connection.
    Invalid(DropReason),
}

/// A [`Tracking`] in memory, asked there by each stage: for the kernel's verifier all packets are then alike,
/// where it would otherwise walk all stages once for each way to be tracked (see
/// [`obscure`](crate::layout::shared::obscure)).
#[derive(Clone, Copy, Debug)]
pub struct Tracked {
    /// A number of [`Kind`].
    kind: u8,
    reason: DropReason,
}

/// The variants of [`Tracking`].
#[derive(Clone, Copy)]
enum Kind {
    None,
    Accepted,
    Unordered,
    Connection,
    Error,
    Invalid,
}

impl Tracked {
    /// Nothing is known yet.
    pub(super) const NOTHING: Tracked = Tracked {
        kind: Kind::None as u8,
        reason: DropReason::InvalidTransport,
    };

    /// Remembers it.
    #[inline(always)]
    pub fn set(&mut self, tracking: Tracking) {
        let (kind, reason) = match tracking {
            Tracking::None => (Kind::None, DropReason::InvalidTransport),
            Tracking::Accepted => (Kind::Accepted, DropReason::InvalidTransport),
            Tracking::Unordered => (Kind::Unordered, DropReason::InvalidTransport),
            Tracking::Connection => (Kind::Connection, DropReason::InvalidTransport),
            Tracking::Error => (Kind::Error, DropReason::InvalidIcmp),
            Tracking::Invalid(reason) => (Kind::Invalid, reason),
        };
        keep(&mut self.kind, kind as u8);
        keep(&mut self.reason, reason);
    }

    /// [`Tracking::None`].
    #[inline(always)]
    pub fn is_none(&self) -> bool {
        self.is(Kind::None)
    }

    /// [`Tracking::Accepted`].
    #[inline(always)]
    pub fn is_accepted(&self) -> bool {
        self.is(Kind::Accepted)
    }

    /// [`Tracking::Unordered`].
    #[inline(always)]
    pub fn is_unordered(&self) -> bool {
        self.is(Kind::Unordered)
    }

    /// [`Tracking::Connection`].
    #[inline(always)]
    pub fn is_connection(&self) -> bool {
        self.is(Kind::Connection)
    }

    /// [`Tracking::Error`].
    #[inline(always)]
    pub fn is_error(&self) -> bool {
        self.is(Kind::Error)
    }

    /// Why it fits no connection, if it is an error that finds none, or cannot belong to one.
    #[inline(always)]
    pub fn reason(&self) -> DropReason {
        kept(&self.reason)
    }

    #[inline(always)]
    fn is(&self, kind: Kind) -> bool {
        kept(&self.kind) == kind as u8
    }
}
