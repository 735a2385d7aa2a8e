//! Anti-spoofing: a VM sends only from its own MACs and addresses (Neutron
//! `iptables_firewall.py`, `_setup_spoof_filter_chain`; the MAC check of `arp_protect.py`).

use crate::layout::port::{ANY_FAMILY, ANY_MAC, AddressKey, flags};
use crate::layout::settings::switch;
use crate::layout::shared::tag_is;
use crate::packet::Opening;
use crate::reason::DropReason;
use crate::scratch::Scratch;
use crate::stage::Context;
use crate::tables::{Note, Tables};
use crate::wire::addr::{
    Address, Family, Mac, NO_MAC, V4_BROADCAST, V4_UNSPECIFIED, V6_UNSPECIFIED,
    is_link_local_multicast, is_link_local_unicast,
};
use crate::wire::frame::Frame;
use crate::wire::icmp::{Neighbor, v6};
use crate::wire::ip::Ip;

/// Checks the source of an IP packet that the VM sends: its MAC and address must be a pair of the port,
/// but for a DHCP client and for neighbor discovery, which begin without an address.
#[inline(always)]
pub fn check<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    opening: &Opening,
) -> Result<(), DropReason> {
    if !context.is_from_vm() {
        return Ok(());
    }
    let kinds = pair(tables, context, opening.family(), &opening.key.local);
    if kinds != 0 {
        tables.note(Note::SourceAllowed(kinds));
        return Ok(());
    }
    check_mac(tables, context)?;
    if is_exception(opening) {
        tables.note(Note::SourceExcepted);
        return Ok(());
    }
    if is_unchecked(context, opening.family()) {
        tables.note(Note::SourceUnchecked);
        return Ok(());
    }
    Err(refusal(context, opening))
}

/// Whether the port's own row says that a source is not the port's: then it need not be asked whether a
/// connection vouches for it, for none does.
#[inline(always)]
pub fn is_foreign(context: &Context<'_>, opening: &Opening) -> bool {
    context.is_from_own_mac() && in_row(context, opening.family(), &opening.key.local) == Some(0)
}

/// What a source is that is not the port's. Honest guests send from some: a host without an address yet,
/// one with an interface identifier of its own making (RFC 7217) or with an address that it gave itself
/// (RFC 3927), and one that speaks a family nobody gave it an address of.
///
/// A subprogram of its own in the kernel: few packets need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn refusal(context: &Context<'_>, opening: &Opening) -> DropReason {
    let (family, source) = (opening.family(), &opening.key.local);
    let unspecified = match family {
        Family::V4 => V4_UNSPECIFIED,
        Family::V6 => V6_UNSPECIFIED,
    };
    if is_without(context, family) {
        DropReason::OtherFamilySource
    } else if *source == unspecified {
        DropReason::UnspecifiedSource
    } else if is_link_local_unicast(family, source) {
        DropReason::LinkLocalSource
    } else {
        DropReason::SpoofedAddress
    }
}

/// Checks the source MAC alone, of what the VM sends.
#[inline(always)]
pub fn check_mac<T: Tables>(tables: &T, context: &Context<'_>) -> Result<(), DropReason> {
    if !context.is_from_vm() || context.ethernet.source == context.mac {
        return Ok(());
    }
    match looked_up(
        tables,
        context,
        &context.ethernet.source,
        ANY_FAMILY,
        &V6_UNSPECIFIED,
    ) {
        0 => Err(DropReason::SpoofedMac),
        _ => Ok(()),
    }
}

/// Checks that a neighbor advertisement of the VM is for an address of its own, as the Open vSwitch
/// agent does (`ovs_neutron_agent.py`, `setup_arp_spoofing_protection`), unless the operator lets any
/// pass.
#[inline(always)]
pub fn check_neighbor<T: Tables, F: Frame + ?Sized>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    scratch: &Scratch,
) -> Result<(), DropReason> {
    let Scratch { ip, opening, .. } = scratch;
    if !context.is_from_vm()
        || !opening.is_icmpv6()
        || opening.icmp_type() != v6::NEIGHBOR_ADVERTISEMENT
        || context.settings.has(switch::ANY_NEIGHBOR)
        || is_unchecked(context, Family::V6)
    {
        return Ok(());
    }
    match is_own_neighbor(tables, context, frame, ip) {
        true => Ok(()),
        false => Err(DropReason::SpoofedNeighbor),
    }
}

/// A subprogram of its own in the kernel: few packets need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn is_own_neighbor<T: Tables, F: Frame + ?Sized>(
    tables: &T,
    context: &Context<'_>,
    frame: &F,
    ip: &Ip,
) -> bool {
    // Bytes behind the packet, or in a later fragment, are not the target that a receiver reads.
    let whole = ip.payload_length >= size_of::<Neighbor>() as u32;
    match frame.read::<Neighbor>(ip.payload) {
        Some(neighbor) if whole => {
            let target = Address::new(neighbor.target);
            pair(tables, context, Family::V6, &target) != 0
        }
        _ => false,
    }
}

/// Why the port may send from an address with the MAC of the frame: bits of
/// [`crate::layout::port::kind`], 0 if it may not.
#[inline(always)]
pub fn pair<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    family: Family,
    address: &Address,
) -> u32 {
    match context.ethernet.source == context.mac {
        true => own_kinds(tables, context, family, address),
        false => looked_up(
            tables,
            context,
            &context.ethernet.source,
            family.number(),
            address,
        ),
    }
}

/// As [`pair`], with the port's own MAC.
///
/// Two subprograms in the kernel, called from here one after the other, and not one from the other: of an
/// address on the stack of whoever asks, Linux 7.3 forgets on the way through two calls that it is still read,
/// and refuses the program.
#[inline(always)]
pub fn own_kinds<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    family: Family,
    address: &Address,
) -> u32 {
    match told_by_row(context, family, address) {
        UNTOLD => looked_up(tables, context, &context.mac, family.number(), address),
        kinds => kinds,
    }
}

/// What is no set of bits of [`crate::layout::port::kind`].
const UNTOLD: u32 = u32::MAX;

/// As [`in_row`]; [`UNTOLD`] if the row does not tell.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn told_by_row(context: &Context<'_>, family: Family, address: &Address) -> u32 {
    in_row(context, family, address).unwrap_or(UNTOLD)
}

/// As [`own_kinds`], by the port's own row; `None` if that one does not tell.
#[inline(always)]
fn in_row(context: &Context<'_>, family: Family, address: &Address) -> Option<u32> {
    let port = context.port;
    let (own, kinds, only) = match family {
        Family::V4 => (&port.own[0], &port.own_kinds[0], flags::ONLY_OWN_V4),
        Family::V6 => (&port.own[1], &port.own_kinds[1], flags::ONLY_OWN_V6),
    };
    let found = match (own[0] == *address, own[1] == *address) {
        (true, _) => kinds[0],
        (_, true) => kinds[1],
        _ => 0,
    };
    if !tag_is(&port.key, &context.key) {
        return Some(0);
    }
    (found != 0 || context.has(only)).then_some(found as u32)
}

/// Whether the port may send from an address, with whatever MAC, or nothing checks that.
#[inline(always)]
pub fn is_own<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    family: Family,
    address: &Address,
) -> bool {
    is_unchecked(context, family)
        || own_kinds(tables, context, family, address) != 0
        || looked_up(tables, context, &NO_MAC, family.number() | ANY_MAC, address) != 0
}

/// A subprogram of its own in the kernel: its key needs its own stack.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn looked_up<T: Tables>(
    tables: &T,
    context: &Context<'_>,
    mac: &Mac,
    family: u8,
    address: &Address,
) -> u32 {
    let slot = context.slot;
    let key = AddressKey {
        slot,
        mac: *mac,
        family,
        reserved: 0,
        address: *address,
    };
    tables.address(&key).unwrap_or(0)
}

/// Whether the operator lets a family pass unchecked of which the port has nothing to check it by:
/// iptables then has no chain for it.
#[inline(always)]
fn is_unchecked(context: &Context<'_>, family: Family) -> bool {
    is_without(context, family) && context.settings.has(switch::OTHER_FAMILY)
}

/// Whether the port has fixed addresses, but nothing of this family.
#[inline(always)]
fn is_without(context: &Context<'_>, family: Family) -> bool {
    context.has(match family {
        Family::V4 => flags::WITHOUT_V4,
        Family::V6 => flags::WITHOUT_V6,
    })
}

/// A host that has no address yet asks a DHCP server for one, or its neighbors whether one is free.
#[inline(always)]
fn is_exception(opening: &Opening) -> bool {
    match opening.family() {
        Family::V4 => {
            opening.key.local == V4_UNSPECIFIED
                && opening.key.remote == V4_BROADCAST
                && opening.is_udp(68, 67)
        }
        Family::V6 => {
            opening.key.local == V6_UNSPECIFIED
                && is_link_local_multicast(&opening.key.remote)
                && opening.is_icmpv6()
                && matches!(
                    opening.icmp_type(),
                    v6::MLD_REPORT | v6::NEIGHBOR_SOLICITATION | v6::MLD2_REPORT
                )
        }
    }
}
