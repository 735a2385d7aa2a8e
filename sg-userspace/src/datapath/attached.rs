//! What a link is attached to, as the kernel says it.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::os::fd::AsFd;

use super::pins::{Spot, Way};
use super::sys::{self, Link};
use super::xdp::{self, Running};

/// What a link is attached to, in whatever namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The link's number.
    pub id: u32,
    /// The program's number.
    pub program: u32,
    /// Where; the interface's number is that of its own namespace.
    pub spot: Spot,
}

/// Asks what a link is attached to: to nothing if its interface is gone, or somebody has detached it.
pub fn attached(link: &impl AsFd) -> Option<Attached> {
    let Link {
        id,
        ifindex,
        program,
        hook,
        way,
    } = Link::behind(link).ok()?;
    let hook = hook.filter(|_| ifindex != 0)?;
    let spot = Spot { ifindex, hook, way };
    Some(Attached { id, program, spot })
}

/// The namespace of this process, to be asked about more than one link.
#[derive(Default)]
pub struct Here {
    /// What runs at XDP, once that was asked.
    xdp: OnceCell<BTreeMap<u32, Running>>,
}

impl Here {
    /// Whether the interface of a link is here: the same number may be another's.
    pub fn has(&self, link: &Attached) -> bool {
        let Spot { ifindex, hook, way } = link.spot;
        match way {
            // The kernel tells the program, not the link. What has left is given one that nothing here has.
            Way::Xdp => {
                let program = self.at_xdp(ifindex).map(|running| running.program);
                program == Some(link.program)
            }
            _ => {
                let running = sys::tcx_order(ifindex, hook).unwrap_or_default();
                running.iter().any(|one| one.link == link.id)
            }
        }
    }

    /// What runs at XDP of an interface.
    pub fn at_xdp(&self, ifindex: u32) -> Option<Running> {
        let running = self.xdp.get_or_init(|| xdp::running().unwrap_or_default());
        running.get(&ifindex).copied()
    }
}
