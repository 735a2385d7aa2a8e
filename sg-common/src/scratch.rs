//! Room for what the stages work on.

use crate::conntrack::Room;
use crate::hook::Hook;
use crate::layout::flow::Flow;
use crate::layout::hit::HitKey;
use crate::layout::port::{Port, PortKey};
use crate::layout::settings::Ticks;
use crate::packet::{Opening, Transport};
use crate::wire::addr::{Family, Mac, NO_MAC, V6_UNSPECIFIED};
use crate::wire::ethernet::Ethernet;
use crate::wire::ip::{Fragment, Ip};

/// What one run of the filter works in: there is no room for it in the 512 bytes of a kernel program's
/// stack, and it is all that the second program has from the first. All zeros is a value of it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Run {
    /// What is known of the packet and its port.
    pub facts: Facts,
    /// What the stages work on.
    pub scratch: Scratch,
}

const _: () = assert!(size_of::<Run>() == crate::layout::maps::SCRATCH as usize);

/// What is known of a packet when its port has been found.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Facts {
    /// The frame's Ethernet header.
    pub ethernet: Ethernet,
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
    /// Its connection is known not to be among the assured ones.
    pub absent: bool,
}

impl Facts {
    /// Of a packet of a port, found by a key.
    #[inline(always)]
    pub const fn new(ethernet: Ethernet, port: &Port, key: PortKey, now: Ticks) -> Facts {
        Facts {
            ethernet,
            mac: port.mac,
            flags: port.flags,
            slot: port.slot,
            generation: port.generation,
            now,
            key,
            absent: false,
        }
    }

    /// Whether a bit of [`crate::layout::port::flags`] is set.
    #[inline(always)]
    pub const fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }
}

/// What the stages work on.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Scratch {
    /// The packet's IP header.
    pub ip: Ip,
    /// The packet as the opening of a connection.
    pub opening: Opening,
    /// The connection found, or the one that is opened.
    pub flow: Flow,
    /// The connection as it was found, before this packet.
    pub before: Flow,
    /// What the connection's tracker reads of the packet.
    pub room: Room,
    /// The IP header that an ICMP error quotes.
    pub quoted_ip: Ip,
    /// The packet that an ICMP error quotes.
    pub quoted: Opening,
    /// The packet that opened the connection, to judge it again.
    pub original: Opening,
    /// Which row of the rules has permitted the packet.
    pub hit: HitKey,
}

impl Run {
    /// Nothing yet.
    pub const EMPTY: Run = Run {
        facts: Facts {
            ethernet: Ethernet {
                source: NO_MAC,
                vlan: 0,
                ethertype: 0,
                payload: 0,
            },
            mac: NO_MAC,
            flags: 0,
            slot: 0,
            generation: 0,
            now: 0,
            key: PortKey::new(0, 0),
            absent: false,
        },
        scratch: Scratch::EMPTY,
    };
}

impl Scratch {
    /// Nothing yet.
    pub const EMPTY: Scratch = {
        let ip = Ip {
            family: Family::V4,
            fragment: Fragment::Whole,
            protocol: 0,
            hops: 0,
            fragment_offset: 0,
            fragment_protocol: 0,
            fragment_id: 0,
            fragment_data: 0,
            payload: 0,
            payload_length: 0,
            source: V6_UNSPECIFIED,
            destination: V6_UNSPECIFIED,
        };
        let transport = Transport {
            source: 0,
            destination: 0,
            cut_short: false,
        };
        let opening = Opening::new(0, Hook::FromVm, &ip, transport);
        let flow = Flow::new(Hook::FromVm, 0, 0);
        Scratch {
            ip,
            opening,
            flow,
            before: flow,
            room: Room::EMPTY,
            quoted_ip: ip,
            quoted: opening,
            original: opening,
            hit: HitKey::NONE,
        }
    };
}
