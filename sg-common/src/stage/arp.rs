//! ARP: a VM speaks only for its own addresses (Neutron `arp_protect.py`).

use crate::layout::port::flags;
use crate::layout::settings::switch;
use crate::reason::{Accept, DropReason, Verdict};
use crate::stage::{Context, source};
use crate::tables::Tables;
use crate::wire::addr::{Family, V4_UNSPECIFIED};
use crate::wire::arp;
use crate::wire::ethernet::ethertype;
use crate::wire::frame::Frame;

/// Whether it is ARP that the VM is to receive, of which nothing is checked.
#[inline(always)]
pub fn is_for_vm(context: &Context<'_>) -> bool {
    context.ethernet.ethertype == ethertype::ARP && !context.is_from_vm()
}

/// Checks the sender of an ARP packet that the VM sends: the MAC of the frame, with an address that
/// goes with it. A probe (RFC 5227) has no sender address yet; its target must be the port's.
///
/// What is not checked need not be ARP for IPv4 over Ethernet either.
///
/// A subprogram of its own in the kernel: few frames need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub fn check<F, T>(tables: &T, context: &Context<'_>, frame: &F, payload: u32) -> Verdict
where
    F: Frame + ?Sized,
    T: Tables,
{
    source::check_mac(tables, context)?;
    if context.has(flags::ARP_UNCHECKED) || context.settings.has(switch::ANY_ARP) {
        return Ok(Accept::Arp);
    }
    let arp = arp::parse(frame, payload)?;
    let speaks_for = match arp.sender {
        V4_UNSPECIFIED => &arp.target,
        _ => &arp.sender,
    };
    let own = arp.sender_mac == context.ethernet.source
        && source::pair(tables, context, Family::V4, speaks_for) != 0;
    match own {
        true => Ok(Accept::Arp),
        false => Err(DropReason::SpoofedArp),
    }
}
