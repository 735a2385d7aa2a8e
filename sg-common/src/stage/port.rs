//! Which port a frame belongs to.

use crate::port::{Port, PortKey};
use crate::reason::DropReason;
use crate::settings::Settings;
use crate::shared::tag_is;
use crate::tables::Tables;

/// Finds the port of an interface and a VLAN, and the operator's settings. A tagged frame belongs to the
/// trunk subport of that VLAN, or to nobody; an interface without an applied port is closed.
#[inline(always)]
pub fn find<'a, T: Tables>(
    tables: &'a T,
    key: &PortKey,
) -> Result<(&'a Port, &'a Settings), DropReason> {
    match (tables.port(key), tables.settings()) {
        (Some(port), Some(settings)) => Ok((port, settings)),
        _ => Err(nobody(key)),
    }
}

/// Whether what was read of the port was its own; see [`tag_is`].
#[inline(always)]
pub fn confirm(port: &Port, key: &PortKey) -> Result<(), DropReason> {
    match tag_is(&port.key, key) {
        true => Ok(()),
        false => Err(nobody(key)),
    }
}

#[inline(always)]
fn nobody(key: &PortKey) -> DropReason {
    match key.vlan {
        0 => DropReason::NoPort,
        _ => DropReason::Vlan,
    }
}
