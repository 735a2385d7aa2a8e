//! A frame, parsed: what the stages of the filter look at.

use crate::hook::Hook;
use crate::layout::flow::{FlowKey, Whose};
use crate::reason::DropReason;
use crate::wire::addr::Family;
use crate::wire::ethernet::{self, Ethernet, ethertype};
use crate::wire::frame::Frame;
use crate::wire::icmp::{self, Query};
use crate::wire::ip::{Extent, Fragment, Ip};
use crate::wire::ipv6::Walk;
use crate::wire::transport::{Gre, Ports};
use crate::wire::{ipv4, ipv6, llc, protocol};

/// What an Ethernet frame carries.
pub enum Body {
    /// ARP: only what the VM sends is looked into.
    Arp,
    /// IPv4 or IPv6, see [`Ip`].
    Ip,
    /// Any other ethertype.
    Other,
}

/// Parses what follows the Ethernet header.
#[inline(always)]
pub fn body<F: Frame + ?Sized>(
    frame: &F,
    ethernet: &Ethernet,
    ip: &mut Ip,
) -> Result<Body, DropReason> {
    match ethernet.ethertype {
        ethertype::IPV4 => match ipv4::parse(frame, ethernet.payload, Extent::Whole, ip) {
            true => Ok(Body::Ip),
            false => Err(DropReason::MalformedIpv4),
        },
        ethertype::IPV6 => match ipv6::parse(frame, ethernet.payload, ip) {
            Walk::Done => Ok(Body::Ip),
            Walk::CutShort => Err(DropReason::MalformedIpv6),
            Walk::TooLong => Err(DropReason::ExtensionHeaders),
        },
        ethertype::ARP => Ok(Body::Arp),
        other if ethernet::is_tag(other) => Err(DropReason::Vlan),
        other if llc::follows(other) && llc::hides_ip(frame, ethernet.payload) => {
            Err(DropReason::Encapsulated)
        }
        _ => Ok(Body::Other),
    }
}

/// The two numbers by which rules and flows tell packets between the same two addresses apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Transport {
    /// Source port; the identifier of an ICMP query; 0 for protocols without ports.
    pub source: u16,
    /// Destination port; `type << 8 | code` of ICMP; the call of GRE version 1; 0 for protocols without
    /// ports.
    pub destination: u16,
    /// The header does not hold them: no rule that names a port fits, and it belongs to no connection.
    pub cut_short: bool,
}

impl Transport {
    /// The ICMP type, for ICMP.
    #[inline(always)]
    pub const fn icmp_type(&self) -> u8 {
        (self.destination >> 8) as u8
    }
}

/// Bytes of transport header without which a packet cannot be judged.
#[inline(always)]
pub const fn header_length(protocol: u8) -> u32 {
    match protocol {
        protocol::TCP => 20,
        protocol::UDP | protocol::UDPLITE | protocol::ICMP | protocol::ICMPV6 => 8,
        protocol::SCTP | protocol::DCCP => 12,
        _ => 0,
    }
}

/// Reads the ports, or the type, code and identifier of ICMP, or the call of GRE.
#[inline(always)]
pub fn transport<F: Frame + ?Sized>(frame: &F, ip: &Ip) -> Transport {
    let parts = match ip.protocol {
        _ if ip.fragment == Fragment::Later => None,
        protocol::TCP | protocol::UDP | protocol::SCTP | protocol::DCCP | protocol::UDPLITE => {
            ports(frame, ip)
        }
        protocol if icmp::is_icmp(ip.family, protocol) => query_numbers(frame, ip),
        protocol::GRE => call(frame, ip),
        _ => Some((0, 0)),
    };
    match parts {
        Some((source, destination)) => Transport {
            source,
            destination,
            cut_short: false,
        },
        None => Transport {
            source: 0,
            destination: 0,
            cut_short: true,
        },
    }
}

#[inline(always)]
fn ports<F: Frame + ?Sized>(frame: &F, ip: &Ip) -> Option<(u16, u16)> {
    if ip.payload_length < size_of::<Ports>() as u32 {
        return None;
    }
    let ports: Ports = frame.read(ip.payload)?;
    Some((
        u16::from_be_bytes(ports.source),
        u16::from_be_bytes(ports.destination),
    ))
}

/// The call of PPTP (RFC 2637 4.1) is the receiver's: the two directions of one are two connections.
/// Without a helper there is no telling which (`gre_pkt_to_tuple`).
#[inline(always)]
fn call<F: Frame + ?Sized>(frame: &F, ip: &Ip) -> Option<(u16, u16)> {
    const VERSION: u8 = 7;
    const PPP: [u8; 2] = [0x88, 0x0b];
    let header: Gre = match frame.read(ip.payload) {
        Some(header) if ip.payload_length >= size_of::<Gre>() as u32 => header,
        _ => return Some((0, 0)),
    };
    match header.flags_version[1] & VERSION {
        1 if header.protocol == PPP => Some((0, u16::from_be_bytes(header.call_id))),
        1 => None,
        _ => Some((0, 0)),
    }
}

#[inline(always)]
fn query_numbers<F: Frame + ?Sized>(frame: &F, ip: &Ip) -> Option<(u16, u16)> {
    if ip.payload_length < size_of::<icmp::Header>() as u32 {
        return None;
    }
    let header: icmp::Header = frame.read(ip.payload)?;
    Some((
        u16::from_be_bytes(header.id),
        u16::from_be_bytes([header.kind, header.code]),
    ))
}

#[inline(always)]
const fn query(family: Family, protocol: u8, transport: &Transport) -> Option<Query> {
    if !icmp::is_icmp(family, protocol) || transport.cut_short {
        return None;
    }
    icmp::query(family, transport.icmp_type())
}

/// A packet as the opening of a connection: what built-ins and rules are asked about. A stored flow can
/// be turned back into its opening and judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Opening {
    /// The connection to which it belongs, or which it would open.
    pub key: FlowKey,
    /// Which way it goes.
    pub hook: Hook,
    /// Its ports, or type, code and identifier.
    pub transport: Transport,
}

impl Opening {
    /// The packet at hand, at the hook where it is.
    #[inline(always)]
    pub const fn new(slot: u32, hook: Hook, ip: &Ip, transport: Transport) -> Opening {
        let (local, remote) = match hook {
            Hook::FromVm => (ip.source, ip.destination),
            Hook::ToVm => (ip.destination, ip.source),
        };
        let mut ports = match hook {
            Hook::FromVm => [transport.source, transport.destination],
            Hook::ToVm => [transport.destination, transport.source],
        };
        let mut vm_asks = false;
        if let Some(query) = query(ip.family, ip.protocol, &transport) {
            let code = transport.destination & 0xff;
            ports = [transport.source, (query.request as u16) << 8 | code];
            vm_asks = query.asks == matches!(hook, Hook::FromVm);
        }
        let whose = Whose::new(slot, ip.protocol, ip.family, vm_asks);
        Opening {
            key: FlowKey::new(whose, [local, remote], ports),
            hook,
            transport,
        }
    }

    /// The packet that opened a stored connection, or one like it. `from_vm`: the VM opened it.
    #[inline(always)]
    pub const fn of_flow(key: &FlowKey, from_vm: bool) -> Opening {
        let hook = if from_vm { Hook::FromVm } else { Hook::ToVm };
        let (source, destination) = match from_vm || icmp::is_icmp(key.family(), key.protocol()) {
            true => (key.local_port, key.remote_port),
            false => (key.remote_port, key.local_port),
        };
        let transport = Transport {
            source,
            destination,
            cut_short: false,
        };
        Opening {
            key: *key,
            hook,
            transport,
        }
    }

    /// The family.
    #[inline(always)]
    pub const fn family(&self) -> Family {
        self.key.family()
    }

    /// The ICMP type, for ICMP.
    #[inline(always)]
    pub const fn icmp_type(&self) -> u8 {
        self.transport.icmp_type()
    }

    /// The ICMP query it asks or answers, if it does.
    #[inline(always)]
    pub const fn query(&self) -> Option<Query> {
        query(self.family(), self.key.protocol(), &self.transport)
    }

    /// Whether a rule can name its port, or its ICMP type: it is readable, and ICMP is its family's own.
    #[inline(always)]
    pub const fn has_port(&self) -> bool {
        let protocol = self.key.protocol();
        let is_any_icmp = protocol == protocol::ICMP || protocol == protocol::ICMPV6;
        !self.transport.cut_short && (!is_any_icmp || icmp::is_icmp(self.family(), protocol))
    }

    /// Whether it is ICMPv6 with a readable type.
    #[inline(always)]
    pub const fn is_icmpv6(&self) -> bool {
        matches!(self.family(), Family::V6)
            && self.key.protocol() == protocol::ICMPV6
            && !self.transport.cut_short
    }

    /// Whether it is UDP between two ports.
    #[inline(always)]
    pub const fn is_udp(&self, source: u16, destination: u16) -> bool {
        self.key.protocol() == protocol::UDP
            && self.transport.source == source
            && self.transport.destination == destination
    }
}

#[cfg(test)]
mod tests;
