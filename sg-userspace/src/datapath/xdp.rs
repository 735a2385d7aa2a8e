//! Attaching at XDP by links (Linux 5.9), which outlive the process by their pins.
//!
//! A link keeps others away: `ip link set dev TAP xdp off` and a second program are refused as busy as long as
//! it is there.

use std::collections::BTreeMap;
use std::io;

use aya::programs::ProgramFd;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage, LinkXdp, XdpAttached};
use sg_common::hook::Hook;

use super::dump::ask;
use super::error::Result;
use super::held::Held;
use super::pins::{Pins, Spot};
use super::sys;
use super::tcx::{failed, tell};

/// What runs at XDP of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// The program's number.
    pub program: u32,
    /// Whether it runs within the driver, and not in the network stack.
    pub native: bool,
}

/// Attaches within the driver, or where that refuses in the network stack, and pins. A link whose pin fails is
/// held by its descriptor.
///
/// # Errors
///
/// [`super::error::Error::Attach`]; its cause is `EBUSY` or `EEXIST` where another program is.
pub fn attach(pins: &Pins, ours: &ProgramFd, ifindex: u32) -> Result<Held> {
    let link = match sys::create_xdp_link(ours, ifindex, true) {
        // An older kernel has no such links, another driver no such place: the first says more.
        Err(refused) if is_worth_another_try(&refused) => {
            sys::create_xdp_link(ours, ifindex, false).map_err(|_| refused)
        }
        done => done,
    };
    let link = link.map_err(|error| failed(ifindex, Hook::FromVm)(error.into()))?;
    let held = Held::new(pins.link(Spot::xdp(ifindex)), link);
    tell(held.pin());
    Ok(held)
}

/// What runs at XDP of the interfaces of this namespace.
///
/// # Errors
///
/// What netlink says.
pub fn running() -> io::Result<BTreeMap<u32, Running>> {
    let question = RouteNetlinkMessage::GetLink(LinkMessage::default());
    let found = ask(question, |answer| match answer {
        RouteNetlinkMessage::NewLink(link) => of(&link),
        _ => None,
    })?;
    Ok(found.into_iter().collect())
}

fn of(link: &LinkMessage) -> Option<(u32, Running)> {
    let mut attributes = link.attributes.iter();
    let xdp = attributes.find_map(|attribute| match attribute {
        LinkAttribute::Xdp(xdp) => Some(xdp),
        _ => None,
    })?;
    let program = xdp.iter().find_map(|one| match one {
        LinkXdp::ProgId(id) => Some(*id),
        _ => None,
    })?;
    let native = xdp.contains(&LinkXdp::Attached(XdpAttached::Driver));
    Some((link.header.index, Running { program, native }))
}

fn is_worth_another_try(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::EBUSY | libc::EEXIST | libc::ENODEV | libc::EPERM)
    )
}
