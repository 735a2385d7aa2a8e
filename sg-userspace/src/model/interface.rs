//! Names of network interfaces.

use std::fmt;

use serde::{Serialize, Serializer};

use super::fault::Problem;
use super::id::PortId;

/// The name of a network interface, of a form the kernel allows (`dev_valid_name`, net/core/dev.c).
///
/// There may be a hundred thousand: the name is in its place, with zeros behind it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interface([u8; LONGEST]);

impl Interface {
    /// The tap nova makes for a port: `tap` and the first 11 characters of the port's id
    /// (`neutron_lib.constants.TAP_DEVICE_PREFIX`, DEVICE_NAME_MAX_LEN).
    pub fn tap(port: PortId) -> Self {
        Self::of(&format!("tap{:.11}", port.to_string()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0);
        // It was made of a whole string.
        std::str::from_utf8(&self.0[..end.unwrap_or(LONGEST)]).unwrap_or_default()
    }

    /// The interface of this name, if it can be one's.
    pub fn called(name: &str) -> Option<Self> {
        parse("", name).ok()
    }

    /// Of a name that is not too long.
    fn of(name: &str) -> Self {
        let mut bytes = [0; LONGEST];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Self(bytes)
    }
}

/// Longest name without its terminating zero (IFNAMSIZ, include/uapi/linux/if.h).
const LONGEST: usize = 15;

pub(super) fn parse(field: &str, text: &str) -> Result<Interface, Problem> {
    let fits = (1..=LONGEST).contains(&text.len());
    let plain = |c: char| c != '/' && c != ':' && c != '\0' && !c.is_whitespace();
    if fits && text != "." && text != ".." && text.chars().all(plain) {
        return Ok(Interface::of(text));
    }
    Err(Problem::new(
        field,
        format_args!("{text:?}"),
        "is not a name of an interface",
        "write 1 to 15 characters without spaces, / and :, e.g. tap0",
    ))
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl Serialize for Interface {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
