//! IPv6 and its extension headers.

use crate::hook::{Direction, Hook};
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, ip, udp};
use crate::testing::world::{Service, VM_MAC, VM6, World};
use crate::wire::addr::Family;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

fn query() -> crate::testing::packet::Packet {
    udp("[2001:db8::1]:4000", "[2001:db8::5]:53")
}

fn world() -> World {
    World::new().permit(Direction::Ingress, Family::V6, Service::Ports(17, 53, 53))
}

#[test]
fn the_protocol_is_behind_the_extension_headers() {
    for kinds in [
        vec![HOP_BY_HOP],
        vec![ROUTING],
        vec![DESTINATION],
        vec![HOP_BY_HOP, DESTINATION, ROUTING, DESTINATION],
    ] {
        let mut world = world();
        let packet = kinds
            .iter()
            .fold(query(), |packet, kind| packet.extension(*kind, 3));
        assert_eq!(world.receive(&packet), Ok(Accept::New), "{kinds:?}");
        let other = kinds.iter().fold(
            udp("[2001:db8::1]:4000", "[2001:db8::5]:54"),
            |packet, kind| packet.extension(*kind, 3),
        );
        assert_eq!(world.receive(&other), Err(DropReason::NoRule), "{kinds:?}");
    }
}

#[test]
fn extension_headers_are_no_protocols() {
    for kind in [HOP_BY_HOP, ROUTING, DESTINATION] {
        let service = Service::Protocol(kind);
        let mut world = World::new().permit(Direction::Ingress, Family::V6, service);
        assert_eq!(
            world.receive(&query().extension(kind, 1)),
            Err(DropReason::NoRule)
        );
    }
}

#[test]
fn an_authentication_header_is_the_protocol() {
    let authenticated = query().extension(AUTHENTICATION, 3);
    assert_eq!(world().receive(&authenticated), Err(DropReason::NoRule));
    let service = Service::Protocol(AUTHENTICATION);
    let mut world = World::new().permit(Direction::Ingress, Family::V6, service);
    assert_eq!(world.receive(&authenticated), Ok(Accept::New));
}

#[test]
fn what_ends_with_its_headers_belongs_to_no_connection() {
    let nothing = ip("2001:db8::1", VM6, 59, &[]);
    let reason = DropReason::InvalidTransport;
    assert_eq!(World::new().receive(&nothing), Err(reason));
    let service = Service::Protocol(59);
    let mut world = World::new().permit(Direction::Ingress, Family::V6, service);
    assert_eq!(world.receive(&nothing), Ok(Accept::InvalidPermitted));
    assert_eq!(world.stored(), (0, 0, 0));
}

#[test]
fn too_many_extension_headers_are_dropped() {
    let chain = |count| (0..count).fold(query(), |packet, _| packet.extension(DESTINATION, 1));
    assert_eq!(world().receive(&chain(7)), Ok(Accept::New));
    assert_eq!(
        world().receive(&chain(8)),
        Err(DropReason::ExtensionHeaders)
    );
}

#[test]
fn a_chain_that_ends_beyond_the_packet_is_malformed() {
    let whole = query().extension(DESTINATION, 2).frame(PEER_MAC);
    for (what, at, byte) in [
        ("version", 14, 0x40),
        ("payload length beyond the frame", 19, 255),
        ("extension beyond the packet", 14 + 41, 9),
        ("payload shorter than the extension", 19, 8),
    ] {
        let mut frame = whole.clone();
        frame[at] = byte;
        let verdict = world().judge(Hook::ToVm, &frame);
        assert_eq!(verdict, Err(DropReason::MalformedIpv6), "{what}");
    }
    for length in [14, 53] {
        let verdict = world().judge(Hook::ToVm, &whole[..length]);
        assert_eq!(verdict, Err(DropReason::MalformedIpv6), "cut to {length}");
    }
}

#[test]
fn an_empty_packet_has_no_payload_behind_its_end() {
    // As the padding of a short frame: the receiver does not read it, so no rule may fit it.
    let mut frame = query().frame(PEER_MAC);
    frame[18..20].fill(0);
    let verdict = world().judge(Hook::ToVm, &frame);
    assert_eq!(verdict, Err(DropReason::InvalidTransport));
}

#[test]
fn a_mapped_ipv4_address_is_none_of_the_ports() {
    let mut world = World::new().permit_egress();
    let packet = udp("[::ffff:10.0.0.5]:1", "[2001:db8::1]:2");
    let verdict = world.judge(Hook::FromVm, &packet.frame(VM_MAC));
    assert_eq!(verdict, Err(DropReason::SpoofedAddress));
}
