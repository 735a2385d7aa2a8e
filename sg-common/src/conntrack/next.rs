//! What the trackers are asked and answer.

use crate::layout::settings::{Settings, Ticks};
use crate::layout::shared::obscure;
use crate::reason::DropReason;

/// What becomes of a connection by a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The packet fits; the connection lives for so long from now.
    Refresh(Ticks),
    /// The packet fits, or is let through; the time to live stays.
    Keep,
    /// The packet fits no connection; what it has changed in the flow stays changed.
    Invalid(DropReason),
    /// The packet fits, and ends the connection.
    Delete,
    /// The connection is over, and the packet opens a new one.
    Reopen,
}

/// What a packet is judged by, beside its connection.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// The operator's settings.
    pub settings: &'a Settings,
    /// The time.
    pub now: Ticks,
}

/// What a tracker says: which [`Next`] it is, and what goes with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said(NextKind, Ticks, DropReason);

/// The variants of [`Next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum NextKind {
    Refresh,
    Keep,
    Invalid,
    Delete,
    Reopen,
}

impl Said {
    /// Nothing yet.
    pub(super) const NOTHING: Said = Said(NextKind::Keep, 0, DropReason::InvalidTransport);

    /// Makes all that the trackers say alike to the kernel's verifier, see [`obscure`].
    #[inline(always)]
    pub(super) fn obscure(&mut self, next: Next) -> Next {
        let (mut lifetime, mut reason) = (0, DropReason::InvalidTransport);
        let kind = match next {
            Next::Refresh(ticks) => {
                lifetime = ticks;
                NextKind::Refresh
            }
            Next::Keep => NextKind::Keep,
            Next::Invalid(why) => {
                reason = why;
                NextKind::Invalid
            }
            Next::Delete => NextKind::Delete,
            Next::Reopen => NextKind::Reopen,
        };
        let lifetime = obscure(&mut self.1, lifetime);
        let reason = obscure(&mut self.2, reason);
        match obscure(&mut self.0, kind) {
            NextKind::Refresh => Next::Refresh(lifetime),
            NextKind::Keep => Next::Keep,
            NextKind::Invalid => Next::Invalid(reason),
            NextKind::Delete => Next::Delete,
            NextKind::Reopen => Next::Reopen,
        }
    }
}
