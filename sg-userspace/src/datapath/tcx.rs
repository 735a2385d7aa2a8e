//! Attaching by tcx links (Linux 6.6), which outlive the process by their pins.

use std::fs;

use aya::programs::SchedClassifier;
use aya::programs::links::{FdLink, LinkOrder, PinnedLink};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use sg_common::hook::Hook;

use super::error::{Error, Result};
use super::pins::{Pins, Way, remove};
use super::place::{interface, link_error, place};
use super::sys::TcxLink;
use crate::agent::Hanging;

/// The program behind the pinned link, if the kernel still has it at this hook of this interface.
pub fn program(pins: &Pins, ifindex: u32, hook: Hook) -> Option<u32> {
    let link = TcxLink::of(&pins.link(ifindex, hook, Way::Tcx)).ok()?;
    ((link.ifindex, link.hook) == (ifindex, Some(hook))).then_some(link.program)
}

/// The same, with the link.
pub fn hanging(pins: &Pins, ifindex: u32, hook: Hook) -> Option<(u32, Hanging)> {
    let pin = pins.link(ifindex, hook, Way::Tcx);
    let link = TcxLink::of(&pin).ok()?;
    let hanging = Hanging::Tcx { link: link.id, pin };
    ((link.ifindex, link.hook) == (ifindex, Some(hook))).then_some((link.program, hanging))
}

/// Attaches, or replaces the program of the link that is there, which is atomic.
///
/// Of all programs at the hook ours is to run first: they run until one has spoken, so one before ours
/// could let through what ours would drop. One that is put before ours later is not ours to forbid.
pub fn attach(pins: &Pins, ours: &mut SchedClassifier, ifindex: u32, hook: Hook) -> Result<()> {
    let pin = pins.link(ifindex, hook, Way::Tcx);
    if program(pins, ifindex, hook).is_some() && replace(pins, ours, ifindex, hook).is_ok() {
        return Ok(());
    }
    let failed = |source| Error::Attach {
        hook: hook.as_str(),
        ifindex,
        source,
    };
    let options = TcAttachOptions::TcxOrder(LinkOrder::first());
    let name = interface(ifindex).map_err(failed)?;
    let id = ours
        .attach_with_options(&name, place(hook), options)
        .map_err(failed)?;
    let link = ours.take_link(id).map_err(failed)?;
    let link = FdLink::try_from(link).map_err(|source| failed(link_error(source)))?;
    // Pinned beside the old one, if there is one, and then moved over it: at no moment is there none.
    let fresh = pins.fresh_link(ifindex, hook);
    remove(&fresh)?;
    let pinned = link.pin(&fresh);
    pinned.map(drop).map_err(|source| Error::PinLink {
        pin: fresh.clone(),
        source,
    })?;
    fs::rename(&fresh, &pin).map_err(Error::directory("replace", &pin))
}

/// Removes the pin, and with it the link.
pub fn detach(pins: &Pins, ifindex: u32, hook: Hook) -> Result<()> {
    remove(&pins.fresh_link(ifindex, hook))?;
    remove(&pins.link(ifindex, hook, Way::Tcx))
}

fn replace(pins: &Pins, ours: &mut SchedClassifier, ifindex: u32, hook: Hook) -> Result<()> {
    let failed = |source| Error::Attach {
        hook: hook.as_str(),
        ifindex,
        source,
    };
    let pinned = PinnedLink::from_pin(pins.link(ifindex, hook, Way::Tcx));
    let pinned = pinned.map_err(|source| failed(link_error(source)))?;
    let link = SchedClassifierLink::try_from(FdLink::from(pinned));
    let link = link.map_err(|source| failed(link_error(source)))?;
    let id = ours.attach_to_link(link).map_err(failed)?;
    // The pin goes on holding the link. Nothing else does, so that a removed pin is a removed link.
    ours.take_link(id).map(drop).map_err(failed)
}
