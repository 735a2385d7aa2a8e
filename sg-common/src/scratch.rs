//! Room for what the stages work on.

use crate::conntrack::Room;
use crate::hook::Hook;
use crate::layout::flow::Flow;
use crate::packet::{Opening, Transport};
use crate::wire::addr::Family;
use crate::wire::ip::{Fragment, Ip};

/// Room for what does not fit into the 512 bytes of a kernel program's stack. All zeros is a value of it.
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
            source: [0; 16],
            destination: [0; 16],
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
        }
    };
}
