//! Closing an interface while no daemon runs: by the program `closed` that the last one has pinned.
//!
//! The links are pinned, or the filters marked, where the next daemon looks for its own: it puts its programs
//! in their place.

use std::path::Path;

use aya::programs::{ProgramFd, SchedClassifier};
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::pins::{Pins, Spot, Way};
use super::place::interface;
use super::programs::Role;
use super::{clsact, tcx};

/// Closes an interface at both hooks, with what is pinned below a directory.
///
/// # Errors
///
/// [`Error::NoClosed`] if no daemon has run since the host was started; [`Error::Attach`].
pub fn shut(root: &Path, ifindex: u32) -> Result<()> {
    let pins = Pins::open(root)?;
    let pin = pins.program(Role::Closed.name());
    let closed = SchedClassifier::from_pin(&pin);
    let mut closed = closed.map_err(|source| Error::NoClosed { pin, source })?;
    Hook::ALL
        .into_iter()
        .try_for_each(|hook| at(&pins, &mut closed, ifindex, hook))
}

fn at(pins: &Pins, closed: &mut SchedClassifier, ifindex: u32, hook: Hook) -> Result<()> {
    let way = Way::Tcx;
    if pins.link(Spot { ifindex, hook, way }).exists() {
        return Ok(());
    }
    let fd: &ProgramFd = closed
        .fd()
        .map_err(|source| tcx::failed(ifindex, hook)(source))?;
    match tcx::attach(pins, fd, ifindex, hook) {
        Ok(link) => {
            tracing::debug!("{} is pinned", link.path().display());
            Ok(())
        }
        // The kernel has no tcx, or the interface is gone.
        Err(_) if interface(ifindex).is_ok() => clsact::attach(pins, closed, ifindex, hook),
        Err(error) => Err(error),
    }
}
