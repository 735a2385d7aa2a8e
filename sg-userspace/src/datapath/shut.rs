//! Closing an interface while no daemon runs: by the program `closed` that the last one has pinned.
//!
//! The links are pinned, or the filters marked, where the next daemon looks for its own: it puts its programs
//! in their place.

use std::path::Path;

use aya::programs::SchedClassifier;
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::pins::{Pins, Spot, Way};
use super::place::interface;
use super::programs::Role;
use super::{clsact, tcx};

/// Closes an interface at both hooks, in this way or, where the kernel refuses tcx, through clsact.
///
/// # Errors
///
/// [`Error::NoClosed`] if no daemon has run since the host was started; [`Error::Attach`].
pub fn shut(root: &Path, ifindex: u32, way: Option<Way>) -> Result<()> {
    let pins = Pins::left(root)?;
    pins.make_directories()?;
    let pin = pins.program(Role::Closed.name());
    let closed = SchedClassifier::from_pin(&pin);
    let mut closed = closed.map_err(|source| Error::NoClosed { pin, source })?;
    for hook in Hook::ALL {
        let by_tcx = match way {
            Some(Way::Clsact) => None,
            _ => Some(by_tcx(&pins, &closed, ifindex, hook)),
        };
        match by_tcx {
            Some(Ok(())) => {}
            Some(Err(error)) if way.is_some() || interface(ifindex).is_err() => return Err(error),
            _ => clsact::attach(&pins, &mut closed, ifindex, hook)?,
        }
    }
    Ok(())
}

fn by_tcx(pins: &Pins, closed: &SchedClassifier, ifindex: u32, hook: Hook) -> Result<()> {
    let way = Way::Tcx;
    if pins.link(Spot { ifindex, hook, way }).exists() {
        return Ok(());
    }
    let closed = closed.fd().map_err(tcx::failed(ifindex, hook))?;
    tcx::attach(pins, closed, ifindex, hook).map(drop)
}
