//! Which port a frame belongs to.

use crate::layout::port::{Port, PortKey, flags};
use crate::layout::settings::{Settings, switch};
use crate::layout::shared::tag_is;
use crate::reason::DropReason;
use crate::scratch::Facts;
use crate::tables::Tables;

/// Finds the port of an interface and a VLAN, and the operator's settings. A tagged frame belongs to the
/// trunk subport of that VLAN; else to the port of the interface if that one is not filtered, for such a
/// VM may do anything, or if the operator lets such frames pass; else to nobody. The tags of a trunk's
/// parent name subports and nothing else: without one, as when it is closed for a fault, they are nobody's.
/// A priority tag (VLAN 0) names no VLAN: its frame is the port's like one without. An interface without
/// an applied port is closed.
///
/// `key` becomes the key of the port that was found; [`confirm`] asks for it.
#[inline(always)]
pub fn find<'a, T: Tables>(
    tables: &'a T,
    key: &mut PortKey,
) -> Result<(&'a Port, &'a Settings), DropReason> {
    let Some(settings) = tables.settings() else {
        return Err(nobody(key));
    };
    if let Some(port) = tables.port(key) {
        return Ok((port, settings));
    }
    let none = nobody(key);
    if key.vlan == 0 {
        return Err(none);
    }
    key.vlan = 0;
    match tables.port(key) {
        Some(port)
            if !port.has(flags::TRUNK)
                && (port.has(flags::UNFILTERED) || settings.has(switch::TAGGED)) =>
        {
            Ok((port, settings))
        }
        _ => Err(none),
    }
}

/// What [`find`] has found and [`confirm`] confirmed, once more, for the second program: what it then reads
/// of the port is its own only if the tag still fits.
#[inline(always)]
pub fn again<'a, T: Tables>(
    tables: &'a T,
    facts: &Facts,
) -> Result<(&'a Port, &'a Settings), DropReason> {
    match (tables.port_again(&facts.key, facts.slot), tables.settings()) {
        (Some(port), Some(settings)) => Ok((port, settings)),
        _ => Err(nobody(&facts.key)),
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
