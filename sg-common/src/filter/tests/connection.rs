//! Connections: opened by a rule, followed without one, promoted, expired.

use crate::hook::{Direction, Hook};
use crate::layout::port::flags;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, Packet, ip, ported, tcp, udp};
use crate::testing::world::{Service, VM, World};
use crate::wire::addr::Family;

const QUERY: (&str, &str) = ("10.0.0.5:5353", "192.0.2.1:53");
const WEB: Service = Service::Ports(6, 80, 80);

fn handshake(world: &mut World) {
    let (client, server) = ("192.0.2.1:40000", "10.0.0.5:80");
    let syn = tcp(client, server).flags("S").numbers(100, 0);
    let answer = tcp(server, client).flags("SA").numbers(500, 101);
    let ack = tcp(client, server).flags("A").numbers(101, 501);
    assert_eq!(world.receive(&syn), Ok(Accept::New));
    assert_eq!(world.send(&answer), Ok(Accept::Established));
    assert_eq!(world.stored(), (0, 1, 0));
    assert_eq!(world.receive(&ack), Ok(Accept::Established));
}

#[test]
fn what_no_rule_permits_is_dropped() {
    let mut world = World::new();
    assert_eq!(world.send(&udp(QUERY.0, QUERY.1)), Err(DropReason::NoRule));
    assert_eq!(
        world.receive(&udp(QUERY.1, QUERY.0)),
        Err(DropReason::NoRule)
    );
    assert_eq!(world.stored(), (0, 0, 0));
}

#[test]
fn a_port_without_policies_is_closed() {
    let mut world = World::new().permit_egress();
    world.port().policies = [0; 4];
    assert_eq!(world.send(&udp(QUERY.0, QUERY.1)), Err(DropReason::NoRule));
}

#[test]
fn answers_need_no_rule() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(QUERY.0, QUERY.1)), Ok(Accept::New));
    assert_eq!(
        world.receive(&udp(QUERY.1, QUERY.0)),
        Ok(Accept::Established)
    );
    let other_port = udp("192.0.2.1:54", QUERY.0);
    assert_eq!(world.receive(&other_port), Err(DropReason::NoRule));
    let other_host = udp("192.0.2.2:53", QUERY.0);
    assert_eq!(world.receive(&other_host), Err(DropReason::NoRule));
}

#[test]
fn connections_of_two_ports_never_meet() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(QUERY.0, QUERY.1)), Ok(Accept::New));
    world.port().slot = 2;
    assert_eq!(
        world.receive(&udp(QUERY.1, QUERY.0)),
        Err(DropReason::NoRule)
    );
}

#[test]
fn a_proven_connection_moves_to_the_assured_ones() {
    let mut world = World::new().permit(Direction::Ingress, Family::V4, WEB);
    handshake(&mut world);
    assert_eq!(world.stored(), (1, 0, 0));
    let flow = world.flow().unwrap();
    assert!(flow.word().assured() && !flow.word().from_vm());
    let data = tcp("10.0.0.5:80", "192.0.2.1:40000")
        .flags("PA")
        .numbers(501, 101);
    assert_eq!(world.send(&data.data(1000)), Ok(Accept::Established));
    assert_eq!(world.stored(), (1, 0, 0));
}

#[test]
fn an_expired_connection_is_absent() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(QUERY.0, QUERY.1)), Ok(Accept::New));
    world.wait(29);
    assert_eq!(
        world.receive(&udp(QUERY.1, QUERY.0)),
        Ok(Accept::Established)
    );
    world.wait(31);
    assert_eq!(
        world.receive(&udp(QUERY.1, QUERY.0)),
        Err(DropReason::NoRule)
    );
    assert_eq!(world.send(&udp(QUERY.0, QUERY.1)), Ok(Accept::New));
    assert_eq!(world.stored(), (0, 1, 0));
}

#[test]
fn an_expired_assured_connection_makes_way() {
    let mut world = World::new().permit(Direction::Ingress, Family::V4, WEB);
    handshake(&mut world);
    world.wait(432_001);
    let late = tcp("10.0.0.5:80", "192.0.2.1:40000")
        .flags("A")
        .numbers(501, 101);
    assert_eq!(world.send(&late), Err(DropReason::NoRule));
    assert_eq!(world.stored(), (0, 0, 0));
    handshake(&mut world);
    assert_eq!(world.stored(), (1, 0, 0));
}

#[test]
fn an_expiry_survives_the_wrap_of_the_clock() {
    let mut world = World::new().permit_egress();
    world.memory.clock.set(u32::MAX - 100);
    assert_eq!(world.send(&udp(QUERY.0, QUERY.1)), Ok(Accept::New));
    world.wait(10);
    assert_eq!(
        world.receive(&udp(QUERY.1, QUERY.0)),
        Ok(Accept::Established)
    );
    world.wait(31);
    assert_eq!(
        world.receive(&udp(QUERY.1, QUERY.0)),
        Err(DropReason::NoRule)
    );
}

#[test]
fn a_stateless_port_tracks_nothing() {
    let mut world = World::new().permit_egress();
    world.port().flags |= flags::STATELESS;
    assert_eq!(world.send(&udp(QUERY.0, QUERY.1)), Ok(Accept::Stateless));
    assert_eq!(
        world.receive(&udp(QUERY.1, QUERY.0)),
        Err(DropReason::NoRule)
    );
    let strange = tcp(QUERY.0, QUERY.1).flags("SF");
    assert_eq!(world.send(&strange), Ok(Accept::Stateless));
    let spoofed = udp("10.0.0.6:1", QUERY.1);
    assert_eq!(world.send(&spoofed), Err(DropReason::SpoofedAddress));
    let discover = udp("0.0.0.0:68", "255.255.255.255:67");
    assert_eq!(world.send(&discover), Ok(Accept::Dhcp));
    assert_eq!(world.stored(), (0, 0, 0));
}

#[test]
fn dccp_is_tracked_by_its_ports() {
    let service = Service::Ports(33, 80, 90);
    let mut world = World::new().permit(Direction::Ingress, Family::V4, service);
    let (client, server) = ("192.0.2.1:4000", "10.0.0.5:85");
    let refused = ported(33, client, "10.0.0.5:91");
    assert_eq!(world.receive(&refused), Err(DropReason::NoRule));
    assert_eq!(world.receive(&ported(33, client, server)), Ok(Accept::New));
    let answer = ported(33, server, client);
    assert_eq!(world.send(&answer), Ok(Accept::Established));
    assert_eq!(world.lifetime(), 600);
    let other = ported(33, "10.0.0.5:86", client);
    assert_eq!(world.send(&other), Err(DropReason::NoRule));
}

/// A packet of PPTP's GRE for a call of the receiver.
fn call(from: &str, to: &str, id: u8) -> Packet {
    ip(from, to, 47, &[0x30, 1, 0x88, 0x0b, 0, 0, 0, id])
}

#[test]
fn the_two_directions_of_a_pptp_call_are_two_connections() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&call(VM, "192.0.2.1", 7)), Ok(Accept::New));
    for id in [7, 8] {
        let answer = call("192.0.2.1", VM, id);
        assert_eq!(world.receive(&answer), Err(DropReason::NoRule), "call {id}");
    }
    let again = call(VM, "192.0.2.1", 7);
    assert_eq!(world.send(&again), Ok(Accept::Established));
    let other = call(VM, "192.0.2.1", 9);
    assert_eq!(world.send(&other), Ok(Accept::New));
    assert_eq!(world.stored(), (0, 2, 0));
}

#[test]
fn gre_of_version_1_that_carries_no_ppp_belongs_to_nothing() {
    let mut world = World::new();
    let strange = ip("192.0.2.1", VM, 47, &[0x30, 1, 0x08, 0, 0, 0, 0, 7]);
    assert_eq!(world.receive(&strange), Err(DropReason::InvalidTransport));
    let short = ip("192.0.2.1", VM, 47, &[0x30, 1, 0x88, 0x0b]);
    assert_eq!(
        world.receive(&short),
        Err(DropReason::NoRule),
        "by its addresses"
    );
}

#[test]
fn gre_is_assured_when_both_have_sent() {
    let mut world = World::new().permit_egress();
    let (out, back) = (
        ip(VM, "192.0.2.1", 47, &[0; 8]),
        ip("192.0.2.1", VM, 47, &[0; 8]),
    );
    assert_eq!(world.send(&out), Ok(Accept::New));
    assert_eq!(world.lifetime(), 30);
    assert_eq!(world.receive(&back), Ok(Accept::Established));
    assert_eq!((world.lifetime(), world.stored()), (30, (0, 1, 0)));
    assert_eq!(world.send(&out), Ok(Accept::Established));
    assert_eq!((world.lifetime(), world.stored()), (180, (1, 0, 0)));
}

#[test]
fn any_other_protocol_is_tracked_by_its_addresses_for_ten_minutes() {
    for protocol in [4, 50, 51, 89, 253] {
        let mut world = World::new().permit_egress();
        let out = ip(VM, "192.0.2.1", protocol, &[0; 8]);
        assert_eq!(world.send(&out), Ok(Accept::New));
        let back = ip("192.0.2.1", VM, protocol, &[0; 8]);
        assert_eq!(world.receive(&back), Ok(Accept::Established));
        assert_eq!(world.send(&out), Ok(Accept::Established));
        assert_eq!(
            (world.lifetime(), world.stored()),
            (600, (0, 1, 0)),
            "never assured"
        );
    }
}

#[test]
fn a_connection_vouches_for_its_source_only_at_its_own_hook() {
    // Opened by the peer: the VM's address is looked up when the VM first answers.
    let mut world = World::new().permit(Direction::Ingress, Family::V4, WEB);
    let syn = tcp("192.0.2.1:40000", "10.0.0.6:80").flags("S");
    assert_eq!(world.receive(&syn), Ok(Accept::New));
    let answer = tcp("10.0.0.6:80", "192.0.2.1:40000")
        .flags("SA")
        .numbers(9, 1);
    assert_eq!(world.send(&answer), Err(DropReason::SpoofedAddress));
    let frame = answer.frame(PEER_MAC);
    assert_eq!(
        world.judge(Hook::FromVm, &frame),
        Err(DropReason::SpoofedMac)
    );
}
