//! Attaching by tcx links (Linux 6.6), which outlive the process by their pins.

use std::os::fd::AsFd;

use aya::programs::{ProgramError, SchedClassifier};
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::held::Held;
use super::pins::{Pins, Way};
use super::sys::{self, TcxLink};

/// Attaches before all others, and pins. A link whose pin fails is held by its descriptor.
///
/// Of all programs at the hook ours is to run first: they run until one has spoken, so one before ours
/// could let through what ours would drop.
pub fn attach(pins: &Pins, ours: &SchedClassifier, ifindex: u32, hook: Hook) -> Result<Held> {
    let failed = failed(ifindex, hook);
    let program = ours.fd().map_err(&failed)?;
    let link = sys::create_link(program, ifindex, hook);
    let link = link.map_err(|error| failed(error.into()))?;
    let held = Held::new(pins.link(ifindex, hook, Way::Tcx), link);
    tell(held.pin());
    Ok(held)
}

/// Puts this program in the place of the one that the link has, which is atomic.
pub fn replace(link: &Held, ours: &SchedClassifier, ifindex: u32, hook: Hook) -> Result<()> {
    let failed = failed(ifindex, hook);
    let program = ours.fd().map_err(&failed)?;
    sys::update_link(link, program).map_err(|error| failed(error.into()))
}

/// Takes the first place again. A link keeps its place for life, and no program may be twice at a hook: so
/// the old link gets a program that drops everything, then there is a new link before all others, and then
/// the old one goes. For these microseconds what comes is dropped rather than passed.
pub fn take_first_place(
    pins: &Pins,
    old: &Held,
    [ours, closed]: [&SchedClassifier; 2],
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

/// What a link is attached to, in whatever namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The link's number.
    pub id: u32,
    /// The interface's number, in its own namespace.
    pub ifindex: u32,
    /// Where.
    pub hook: Hook,
}

/// Asks what a link is attached to: to nothing if its interface is gone, or somebody has detached it.
pub fn attached(link: &impl AsFd) -> Option<Attached> {
    let TcxLink {
        id, ifindex, hook, ..
    } = TcxLink::behind(link).ok()?;
    let hook = hook.filter(|_| ifindex != 0)?;
    Some(Attached { id, ifindex, hook })
}

/// Whether the interface is in this namespace: the same number may be another's here.
pub fn is_here(link: &Attached) -> bool {
    let running = sys::tcx_order(link.ifindex, link.hook).unwrap_or_default();
    running.iter().any(|one| one.link == link.id)
}

fn failed(ifindex: u32, hook: Hook) -> impl Fn(ProgramError) -> Error {
    move |source| Error::Attach {
        hook: hook.as_str(),
        ifindex,
        source,
    }
}

fn tell(pinned: Result<()>) {
    if let Err(error) = pinned {
        tracing::error!("{error}; the filter is in force as long as this process holds it");
    }
}
