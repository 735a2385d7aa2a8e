//! Where what a VM sends is judged: at tc, or before it, at XDP.
//!
//! A tap that changes from one to the other is judged at both for a moment, and at no moment at neither. With
//! the guard it is judged at tc, and what is refused whatever tc remembers is refused before.

use std::thread;
use std::time::Duration;

use sg_common::hook::Hook;

use super::attached::{Here, attached};
use super::error::{Error, Result};
use super::links::{Links, tc};
use super::order::{self, Place, Running};
use super::pins::Spot;
use super::programs::Role;
use super::{clsact, sys, tcx, xdp};
use crate::agent::{Attachment, Mode, Trouble};
use crate::netlink::Link;

/// How long a frame may take from where it has met no program of XDP to where it meets those of tc: all
/// in one call of the driver, in which a kernel that can be preempted may put it off.
const BETWEEN: Duration = Duration::from_millis(10);

impl Links {
    /// Attaches to an interface at both hooks, or replaces what we have there, and takes the first place. What
    /// its VM sends is judged in this mode, or at tc where XDP cannot be had: [`Links::look`] says so.
    ///
    /// # Errors
    ///
    /// What is in the way.
    pub fn attach(&mut self, link: &Link, mode: Mode) -> std::result::Result<Attachment, Trouble> {
        self.names.insert(link.ifindex, link.name.clone());
        self.attach_in(link.ifindex, mode).map_err(trouble)
    }

    fn attach_in(&mut self, ifindex: u32, mode: Mode) -> Result<Attachment> {
        self.refused.remove(&ifindex);
        self.take_over(ifindex)?;
        match mode {
            Mode::Xdp if self.attach_at_xdp(ifindex, Role::FilterAtXdp) => {
                self.leave_tc(ifindex)?
            }
            Mode::Guard => {
                self.attach_at(ifindex, Hook::FromVm)?;
                if !self.attach_at_xdp(ifindex, Role::Guard) {
                    self.leave_xdp(ifindex)?;
                }
            }
            Mode::Tc | Mode::Xdp => {
                self.attach_at(ifindex, Hook::FromVm)?;
                self.leave_xdp(ifindex)?;
            }
        }
        self.attach_at(ifindex, Hook::ToVm)?;
        let place = |hook| {
            let order = order::at(ifindex, hook, true).map_err(Error::Attached)?;
            self.place(ifindex, hook, &order)
        };
        let places: Result<Vec<_>> = Hook::ALL.into_iter().map(place).collect();
        Ok(Place::attachment(&places?))
    }

    /// Where what the VM sends is judged.
    pub(super) fn mode(&self, ifindex: u32) -> Mode {
        match self.role_at_xdp(ifindex) {
            Some(Role::FilterAtXdp) => Mode::Xdp,
            Some(Role::Guard) => Mode::Guard,
            _ => Mode::Tc,
        }
    }

    /// What ours at XDP of an interface is for, if it is there.
    pub(super) fn role_at_xdp(&self, ifindex: u32) -> Option<Role> {
        let there = attached(self.held.get(&Spot::xdp(ifindex))?)?.program;
        let is_there = |role: &Role| self.programs.id(*role).ok() == Some(there);
        Role::AT_XDP.into_iter().find(is_there)
    }

    /// The place of ours at a hook where these run at tc.
    pub(super) fn place(&self, ifindex: u32, hook: Hook, order: &[Running]) -> Result<Place> {
        // Nothing runs before XDP, and nothing else there.
        match hook == Hook::FromVm && self.mode(ifindex) == Mode::Xdp {
            true => Ok(Place::First),
            false => Ok(Place::of(self.programs.id(Role::Filter(hook))?, order)),
        }
    }

    /// Attaches at XDP, or replaces what we have there. False if it cannot be had; [`Links::look`] says why.
    fn attach_at_xdp(&mut self, ifindex: u32, role: Role) -> bool {
        let refused = self.put_at_xdp(ifindex, role).err();
        let is_there = refused.is_none();
        let refused = refused.map(|error| (ifindex, without_xdp(ifindex, error)));
        self.refused.extend(refused);
        is_there
    }

    fn put_at_xdp(&mut self, ifindex: u32, role: Role) -> Result<()> {
        self.programs.load_xdp()?;
        let spot = Spot::xdp(ifindex);
        let ours = self.programs.fd(role)?;
        let held = self.held.get(&spot);
        match held.filter(|held| attached(*held).is_some()) {
            Some(held) => tcx::replace(held, ours, ifindex, spot.hook),
            None => {
                let fresh = xdp::attach(&self.pins, ours, ifindex)?;
                self.held.insert(spot, fresh);
                Ok(())
            }
        }
    }

    /// Takes the filter of what the VM sends off tc, once no frame is under way that XDP has not judged.
    fn leave_tc(&mut self, ifindex: u32) -> Result<()> {
        let at = (ifindex, Hook::FromVm);
        if !self.held.contains_key(&tc(at)) && !self.marked.contains(&at) {
            return Ok(());
        }
        // A kernel with CPUs that are left alone (`nohz_full`) does not wait: there the pause has to do.
        if let Err(error) = sys::wait_for_running() {
            tracing::debug!("the kernel does not wait for running programs: {error}");
        }
        thread::sleep(BETWEEN);
        self.end(tc(at))?;
        self.marked.remove(&at);
        clsact::detach(&self.pins, ifindex, Hook::FromVm)
    }

    fn leave_xdp(&mut self, ifindex: u32) -> Result<()> {
        self.end(Spot::xdp(ifindex))
    }

    /// Ends a link, if there is one.
    fn end(&mut self, spot: Spot) -> Result<()> {
        if let Some(held) = self.held.remove(&spot) {
            // One that is attached to nothing by now needs no more.
            let _ = sys::detach_link(&held);
        }
        self.pins.remove_link(spot)
    }
}

fn trouble(error: Error) -> Trouble {
    match error {
        Error::IngressQdisc { .. } => Trouble::IngressQdisc,
        error => Trouble::Refused {
            error: error.to_string(),
        },
    }
}

/// Why what a VM sends is not judged at XDP.
fn without_xdp(ifindex: u32, error: Error) -> Trouble {
    match Here::default().at_xdp(ifindex) {
        Some(other) if is_taken(&error) => Trouble::XdpTaken {
            program: other.program,
            name: sys::program_name(other.program).unwrap_or_default(),
            native: other.native,
        },
        _ => Trouble::XdpRefused {
            error: error.to_string(),
        },
    }
}

fn is_taken(error: &Error) -> bool {
    error.has_code(&[libc::EBUSY, libc::EEXIST])
}
