//! What every filtered port may and may not do, whatever its groups say (Neutron
//! `iptables_firewall.py`: `_spoofing_rule`, `_drop_dhcp_rule`, `_accept_inbound_icmpv6`;
//! `securitygroups_rpc_base.py`: `_apply_provider_rule`).

use crate::hook::Hook;
use crate::layout::port::{flags, kind};
use crate::layout::settings::switch;
use crate::packet::Opening;
use crate::reason::{Accept, DropReason};
use crate::stage::{Context, source};
use crate::tables::Tables;
use crate::wire::addr::{Family, V4_BROADCAST, is_link_local};
use crate::wire::icmp::v6;
use crate::wire::protocol;

/// What no VM may do: answer as a DHCP server, or advertise itself as a router. ICMPv6 without a whole
/// header falls in both directions: the built-ins must know its type (`ip6t_icmp6`, `hotdrop`).
#[inline(always)]
pub fn refuse(opening: &Opening) -> Result<(), DropReason> {
    let icmpv6 =
        matches!(opening.family(), Family::V6) && opening.key.protocol() == protocol::ICMPV6;
    if icmpv6 && opening.transport.cut_short {
        return Err(DropReason::InvalidTransport);
    }
    if matches!(opening.hook, Hook::ToVm) {
        return Ok(());
    }
    let (server, client) = match opening.family() {
        Family::V4 => (67, 68),
        Family::V6 => (547, 546),
    };
    if opening.is_udp(server, client) {
        return Err(DropReason::DhcpServer);
    }
    if opening.is_icmpv6() && opening.icmp_type() == v6::ROUTER_ADVERTISEMENT {
        return Err(DropReason::RouterAdvertisement);
    }
    Ok(())
}

/// What every VM may do and receive.
#[inline(always)]
pub fn permit<T: Tables>(tables: &T, context: &Context<'_>, opening: &Opening) -> Option<Accept> {
    match opening.hook {
        Hook::FromVm => from_vm(context, opening),
        Hook::ToVm => match opening.key.protocol() {
            protocol::UDP | protocol::ICMPV6 => to_vm(tables, context, opening),
            _ => None,
        },
    }
}

/// Being a DHCP client, and all of ICMPv6 that [`refuse`] has not refused; or, if the rules are to be asked for
/// the rest, what IPv6 does not work without (Open vSwitch's driver: `ICMPV6_ALLOWED_EGRESS_TYPES` and
/// `ICMPV6_RESTRICTED_EGRESS_TYPES` of `neutron/agent/firewall.py`, which leave out the reports).
#[inline(always)]
pub fn from_vm(context: &Context<'_>, opening: &Opening) -> Option<Accept> {
    let asks_rules = context.settings.has(switch::ICMPV6_RULES);
    match opening.family() {
        Family::V4 if opening.is_udp(68, 67) => Some(Accept::Dhcp),
        Family::V6 if opening.is_udp(546, 547) => Some(Accept::Dhcp),
        Family::V6 if opening.key.protocol() == protocol::ICMPV6 => {
            let permitted = !asks_rules || is_needed(opening.icmp_type());
            permitted.then_some(Accept::Icmpv6)
        }
        _ => None,
    }
}

/// Neighbor discovery and multicast listening.
#[inline(always)]
fn is_needed(icmp_type: u8) -> bool {
    matches!(
        icmp_type,
        v6::MLD_QUERY
            | v6::MLD_REPORT
            | v6::MLD_DONE
            | v6::MLD2_REPORT
            | v6::ROUTER_SOLICITATION
            | v6::NEIGHBOR_SOLICITATION
            | v6::NEIGHBOR_ADVERTISEMENT
    )
}

/// The answers of DHCP servers to the port's own addresses, neighbor discovery and multicast listener
/// queries; router advertisements if the port has an IPv6 address.
///
/// A subprogram of its own in the kernel: a rare question should not take of the stack of the common ones.
#[cfg_attr(target_arch = "bpf", inline(never))]
fn to_vm<T: Tables>(tables: &T, context: &Context<'_>, opening: &Opening) -> Option<Accept> {
    if opening.is_icmpv6() {
        return match opening.icmp_type() {
            v6::MLD_QUERY | v6::NEIGHBOR_SOLICITATION | v6::NEIGHBOR_ADVERTISEMENT => {
                Some(Accept::Icmpv6)
            }
            v6::ROUTER_ADVERTISEMENT if context.has(flags::FIXED_V6) => Some(Accept::Icmpv6),
            _ => None,
        };
    }
    let (server, client) = match opening.family() {
        Family::V4 => (67, 68),
        Family::V6 => (547, 546),
    };
    if !opening.is_udp(server, client) {
        return None;
    }
    let for_anyone = match opening.family() {
        Family::V4 => opening.key.local == V4_BROADCAST,
        Family::V6 => is_link_local(&opening.key.local),
    };
    let own = for_anyone
        || source::own_kinds(tables, context, opening.family(), &opening.key.local) & kind::FIXED
            != 0;
    own.then_some(Accept::Dhcp)
}
