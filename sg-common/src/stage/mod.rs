//! The stages of the filter, one file each, in the order in which [`crate::filter`] names them.

pub mod account;
pub mod arp;
pub mod builtin;
pub mod connection;
pub mod ethertype;
pub mod fragment;
pub mod lane;
pub mod permission;
pub mod policy;
pub mod port;
pub mod source;
pub mod tell;

use core::ops::Deref;

use crate::hook::Hook;
use crate::layout::port::Port;
use crate::layout::settings::Settings;
use crate::scratch::Facts;

/// What every stage needs to know: where the packet is, whose it is, and when.
pub struct Context<'a> {
    /// Where the filter runs.
    pub hook: Hook,
    /// What is known of the packet and of its port, copied.
    pub facts: &'a Facts,
    /// The port itself, whose tag is to be checked after reading.
    pub port: &'a Port,
    /// The operator's settings.
    pub settings: &'a Settings,
}

impl Deref for Context<'_> {
    type Target = Facts;

    #[inline(always)]
    fn deref(&self) -> &Facts {
        self.facts
    }
}

impl Context<'_> {
    /// Whether the VM sends the packet.
    #[inline(always)]
    pub const fn is_from_vm(&self) -> bool {
        matches!(self.hook, Hook::FromVm)
    }

    /// Whether the VM sends the packet, from the port's own MAC.
    #[inline(always)]
    pub fn is_from_own_mac(&self) -> bool {
        self.is_from_vm() && self.ethernet.source == self.mac
    }
}
