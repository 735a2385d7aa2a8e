//! The stages of the filter, one file each, in the order in which [`crate::filter`] names them.

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

use crate::hook::Hook;
use crate::layout::port::{Port, PortKey};
use crate::layout::settings::{Settings, Ticks};
use crate::wire::addr::Mac;

/// What every stage needs to know: where the packet is, whose it is, and when.
pub struct Context<'a> {
    /// Where the filter runs.
    pub hook: Hook,
    /// Source MAC of the frame.
    pub source_mac: Mac,
    /// The port's MAC.
    pub mac: Mac,
    /// The port's flags.
    pub flags: u16,
    /// The port's slot.
    pub slot: u32,
    /// The port's generation.
    pub generation: u32,
    /// The time.
    pub now: Ticks,
    /// The port's key.
    pub key: PortKey,
    /// The port itself, whose tag is to be checked after reading.
    pub port: &'a Port,
    /// The operator's settings.
    pub settings: &'a Settings,
}

impl Context<'_> {
    /// Whether a bit of [`crate::layout::port::flags`] is set.
    #[inline(always)]
    pub const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Whether the VM sends the packet.
    #[inline(always)]
    pub const fn is_from_vm(&self) -> bool {
        matches!(self.hook, Hook::FromVm)
    }

    /// Whether the VM sends the packet, from the port's own MAC.
    #[inline(always)]
    pub fn is_from_own_mac(&self) -> bool {
        self.is_from_vm() && self.source_mac == self.mac
    }
}
