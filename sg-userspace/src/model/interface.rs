//! Names of network interfaces.

use std::fmt;

use serde::Serialize;

use super::fault::Problem;
use super::id::PortId;

/// The name of a network interface, of a form the kernel allows (`dev_valid_name`, net/core/dev.c).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Interface(String);

impl Interface {
    /// The tap nova makes for a port: `tap` and the first 11 characters of the port's id
    /// (`neutron_lib.constants.TAP_DEVICE_PREFIX`, DEVICE_NAME_MAX_LEN).
    pub fn tap(port: PortId) -> Self {
        Self(format!("tap{:.11}", port.to_string()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Longest name without its terminating zero (IFNAMSIZ, include/uapi/linux/if.h).
const LONGEST: usize = 15;

pub(super) fn parse(field: &str, text: &str) -> Result<Interface, Problem> {
    let fits = (1..=LONGEST).contains(&text.len());
    let plain = |c: char| c != '/' && c != ':' && c != '\0' && !c.is_whitespace();
    if fits && text != "." && text != ".." && text.chars().all(plain) {
        return Ok(Interface(text.to_owned()));
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
        f.write_str(&self.0)
    }
}
