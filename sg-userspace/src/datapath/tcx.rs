//! Attaching by tcx links (Linux 6.6), which outlive the process by their pins.

use aya::programs::{ProgramError, ProgramFd};
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::held::Held;
use super::pins::{Pins, Spot, Way};
use super::sys;

/// Attaches before all others, and pins. A link whose pin fails is held by its descriptor.
///
/// Of all programs at the hook ours is to run first: they run until one has spoken, so one before ours
/// could let through what ours would drop.
pub fn attach(pins: &Pins, ours: &ProgramFd, ifindex: u32, hook: Hook) -> Result<Held> {
    let link = sys::create_link(ours, ifindex, hook);
    let link = link.map_err(|error| failed(ifindex, hook)(error.into()))?;
    let way = Way::Tcx;
    let held = Held::new(pins.link(Spot { ifindex, hook, way }), link);
    tell(held.pin());
    Ok(held)
}

/// Puts this program in the place of the one that a link has, of whatever way, which is atomic.
pub fn replace(link: &Held, ours: &ProgramFd, ifindex: u32, hook: Hook) -> Result<()> {
    sys::update_link(link, ours).map_err(|error| failed(ifindex, hook)(error.into()))
}

/// Takes the first place again. A link keeps its place for life, and no program may be twice at a hook: so
/// the old link gets a program that drops everything, then there is a new link before all others, and then
/// the old one goes. For these microseconds what comes is dropped rather than passed.
pub fn take_first_place(
    pins: &Pins,
    old: &Held,
    [ours, closed]: [&ProgramFd; 2],
    ifindex: u32,
    hook: Hook,
) -> Result<Held> {
    replace(old, closed, ifindex, hook)?;
    let fresh = attach(pins, ours, ifindex, hook);
    match &fresh {
        // The kernel has nothing against it.
        Ok(_) => drop(sys::detach_link(old)),
        Err(_) => replace(old, ours, ifindex, hook)?,
    }
    fresh
}

pub fn failed(ifindex: u32, hook: Hook) -> impl Fn(ProgramError) -> Error {
    move |source| Error::Attach {
        hook: hook.as_str(),
        ifindex,
        source,
    }
}

/// Says what a pin that fails means.
pub fn tell(pinned: Result<()>) {
    if let Err(error) = pinned {
        tracing::error!("{error}; the filter is in force as long as this process holds it");
    }
}
