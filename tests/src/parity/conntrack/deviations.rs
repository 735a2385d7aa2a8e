//! Which differences `docs/parity.md` expects.

use super::notation::{Protocol, Setup};

/// The authentication header (RFC 4302).
const AUTHENTICATION: Protocol = Protocol::Other(51);

/// The row that expects differences of such packets, if one does.
#[must_use]
pub fn expected(setup: &Setup) -> Option<u32> {
    // What is behind the header is looked at there, and not here.
    (setup.v6 && setup.protocol == AUTHENTICATION).then_some(26)
}
