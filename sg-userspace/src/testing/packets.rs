//! Packets, as far as policies see them, and sources of frames.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use sg_common::hook::{Direction, Hook};
use sg_common::layout::flow::{FlowKey, Whose};
use sg_common::layout::port::ANY_FAMILY;
use sg_common::packet::{Opening, Transport};
use sg_common::wire::addr::{self, Address, Family, V6_UNSPECIFIED, from_ip};

use super::mac;
use super::world::World;
use crate::model::protocol;

#[derive(Clone, Copy, Debug)]
pub struct Packet {
    pub peer: IpAddr,
    pub protocol: u8,
    /// Source port.
    pub source: u16,
    /// Destination port, or type and code.
    pub port: u16,
    pub cut_short: bool,
}

impl Packet {
    pub fn opening(&self, hook: Hook) -> Opening {
        let transport = Transport {
            source: self.source,
            destination: self.port,
            cut_short: self.cut_short,
        };
        let key = FlowKey::new(
            Whose::new(1, self.protocol, Family::of(&self.peer), false),
            [V6_UNSPECIFIED, from_ip(&self.peer)],
            [0, 0],
        );
        Opening {
            key,
            hook,
            transport,
        }
    }
}

/// Some packets.
pub fn openings(world: &'static World, count: usize) -> impl Strategy<Value = Vec<Opening>> {
    let hook = select(world.directions).prop_map(|direction| match direction {
        Direction::Ingress => Hook::ToVm,
        Direction::Egress => Hook::FromVm,
    });
    vec(
        (packet(world), hook).prop_map(|(packet, hook)| packet.opening(hook)),
        count,
    )
}

fn packet(world: &'static World) -> impl Strategy<Value = Packet> {
    let protocol = select(world.protocols).prop_map(|protocol| protocol.number());
    let port = prop_oneof![9 => select(world.ports), 1 => Just(0)];
    let icmp = (select(vec![0u8, 8, 128, 255]), select(vec![0u8, 1, 2, 255]));
    let icmp = icmp.prop_map(|(kind, code)| u16::from_be_bytes([kind, code]));
    let service = prop_oneof![
        8 => (protocol, port),
        1 => (Just(protocol::ICMP), icmp),
        1 => (select(vec![33u8, 47]), Just(0)),
    ];
    let cut_short = proptest::bool::weighted(0.1);
    let parts = (
        select(world.peers),
        service,
        select(world.sources),
        cut_short,
    );
    parts.prop_map(|(peer, (number, port), source, cut_short)| {
        let peer: IpAddr = peer.parse().unwrap();
        // Only the family's own ICMP: the tables have one column for both.
        let number = match number {
            protocol::ICMP => protocol::icmp(Family::of(&peer)),
            number => number,
        };
        Packet {
            peer,
            protocol: number,
            source,
            port,
            cut_short,
        }
    })
}

/// The source of a frame, as the addresses of a port are asked for it.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub mac: addr::Mac,
    /// 4, 6 or 0: the MAC alone.
    pub family: u8,
    pub address: Address,
}

/// Some sources.
pub fn sources(world: &'static World) -> impl Strategy<Value = Vec<Source>> {
    let source = (select(world.peers), 0..4usize, any::<bool>());
    let source = source.prop_map(|(peer, number, with_ip)| {
        let peer: IpAddr = peer.parse().unwrap();
        let (family, address) = match with_ip {
            true => (Family::of(&peer).number(), from_ip(&peer)),
            false => (ANY_FAMILY, V6_UNSPECIFIED),
        };
        Source {
            mac: addr::Mac::new(mac(number).0),
            family,
            address,
        }
    });
    vec(source, 12)
}
