//! Connections are judged again when something changed that could refuse them.

use crate::hook::Direction;
use crate::layout::port::kind;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, error, tcp, udp};
use crate::testing::world::{Service, VM_MAC, World};
use crate::wire::addr::{Family, NO_MAC};

const OUT: (&str, &str) = ("10.0.0.5:5353", "192.0.2.1:53");
const CLIENT: &str = "192.0.2.1:40000";
const SERVER: &str = "10.0.0.5:22";

/// The connection `192.0.2.1:40000 > 10.0.0.5:22`, established.
fn ssh(world: &mut World) {
    let syn = tcp(CLIENT, SERVER).flags("S").numbers(100, 0);
    let answer = tcp(SERVER, CLIENT).flags("SA").numbers(500, 101);
    let ack = tcp(CLIENT, SERVER).flags("A").numbers(101, 501);
    assert_eq!(world.receive(&syn), Ok(Accept::New));
    assert_eq!(world.send(&answer), Ok(Accept::Established));
    assert_eq!(world.receive(&ack), Ok(Accept::Established));
}

fn segment(to_server: bool) -> crate::testing::packet::Packet {
    match to_server {
        true => tcp(CLIENT, SERVER).flags("A").numbers(101, 501),
        false => tcp(SERVER, CLIENT).flags("A").numbers(501, 101),
    }
}

#[test]
fn a_connection_that_is_still_permitted_goes_on() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::New));
    world.port().generation += 1;
    assert_eq!(world.receive(&udp(OUT.1, OUT.0)), Ok(Accept::Established));
    assert_eq!(world.flow().unwrap().generation, 2);
    world.port().generation += 1;
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::Established));
    assert_eq!(world.flow().unwrap().generation, 3);
}

#[test]
fn a_connection_of_the_vm_ends_in_both_directions_with_its_rule() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::New));
    world.forbid(Direction::Egress);
    for _ in 0..2 {
        assert_eq!(world.receive(&udp(OUT.1, OUT.0)), Err(DropReason::Revoked));
        assert_eq!(world.send(&udp(OUT.0, OUT.1)), Err(DropReason::Revoked));
    }
    assert_eq!(
        world.stored(),
        (0, 1, 0),
        "kept, so that nobody opens it anew"
    );
}

#[test]
fn a_connection_to_the_vm_ends_in_both_directions_with_its_rule() {
    let mut world = World::new().permit_egress().permit(
        Direction::Ingress,
        Family::V4,
        Service::Ports(6, 22, 22),
    );
    ssh(&mut world);
    world.forbid(Direction::Ingress);
    for _ in 0..2 {
        // The server speaks first, and everything may leave: still it must not pick it up.
        assert_eq!(world.send(&segment(false)), Err(DropReason::Revoked));
        assert_eq!(world.receive(&segment(true)), Err(DropReason::Revoked));
    }
}

#[test]
fn a_revoked_connection_lives_again_with_its_rule() {
    let web = Service::Ports(6, 22, 22);
    let mut world = World::new().permit(Direction::Ingress, Family::V4, web);
    ssh(&mut world);
    world.forbid(Direction::Ingress);
    assert_eq!(world.receive(&segment(true)), Err(DropReason::Revoked));
    // A rule that is added changes no generation.
    let mut world = world.permit(Direction::Ingress, Family::V4, web);
    assert_eq!(world.send(&segment(false)), Ok(Accept::Established));
    assert_eq!(world.receive(&segment(true)), Ok(Accept::Established));
    assert!(!world.flow().unwrap().word().revoked());
}

#[test]
fn a_revoked_connection_is_not_refreshed() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::New));
    world.forbid(Direction::Egress);
    world.wait(20);
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Err(DropReason::Revoked));
    assert_eq!(world.lifetime(), 10);
    world.wait(11);
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Err(DropReason::NoRule));
}

#[test]
fn errors_about_a_revoked_connection_are_dropped() {
    let mut world = World::new().permit_egress();
    let query = udp(OUT.0, OUT.1);
    assert_eq!(world.send(&query), Ok(Accept::New));
    world.forbid(Direction::Egress);
    let unreachable = error("192.0.2.254", "10.0.0.5", 3, &query.bytes());
    for _ in 0..2 {
        assert_eq!(world.receive(&unreachable), Err(DropReason::Revoked));
    }
}

#[test]
fn a_connection_ends_when_its_peer_leaves_the_group() {
    let peer = "192.0.2.1";
    let mut world = World::new().permit_member(Direction::Egress, peer, Service::Everything);
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::New));
    world.memory.members.clear();
    world.port().generation += 1;
    assert_eq!(world.receive(&udp(OUT.1, OUT.0)), Err(DropReason::Revoked));
}

#[test]
fn a_connection_ends_when_its_address_leaves_the_port() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::New));
    world.may_not_send("10.0.0.5");
    for _ in 0..3 {
        assert_eq!(world.receive(&udp(OUT.1, OUT.0)), Err(DropReason::Revoked));
        assert_eq!(
            world.send(&udp(OUT.0, OUT.1)),
            Err(DropReason::SpoofedAddress)
        );
    }
    world.may_send(VM_MAC, "10.0.0.5", 128, kind::FIXED);
    assert_eq!(world.receive(&udp(OUT.1, OUT.0)), Ok(Accept::Established));
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::Established));
}

#[test]
fn a_vm_does_not_send_from_a_lost_address_when_a_rule_comes_back() {
    let mut world = World::new().permit_egress().permit(
        Direction::Ingress,
        Family::V4,
        Service::Ports(6, 22, 22),
    );
    ssh(&mut world);
    world.may_not_send("10.0.0.5");
    world.forbid(Direction::Ingress);
    assert_eq!(world.receive(&segment(true)), Err(DropReason::Revoked));
    let mut world = world.permit(Direction::Ingress, Family::V4, Service::Ports(6, 22, 22));
    assert_eq!(world.send(&segment(false)), Err(DropReason::SpoofedAddress));
    assert_eq!(
        world.receive(&segment(true)),
        Ok(Accept::Established),
        "as a rule permits"
    );
    assert_eq!(world.send(&segment(false)), Err(DropReason::SpoofedAddress));
}

#[test]
fn an_address_that_moves_to_another_mac_keeps_its_connections() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::New));
    world.may_not_send("10.0.0.5");
    world.may_send(PEER_MAC, "10.0.0.5", 128, kind::PAIR);
    let moved = udp(OUT.0, OUT.1).with_mac(PEER_MAC);
    assert_eq!(world.send(&moved), Ok(Accept::Established));
    assert_eq!(world.receive(&udp(OUT.1, OUT.0)), Ok(Accept::Established));
    assert_eq!(
        world.send(&udp(OUT.0, OUT.1)),
        Err(DropReason::SpoofedAddress)
    );
}

#[test]
fn a_vm_does_not_go_on_sending_from_a_lost_address() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::New));
    assert_eq!(world.send(&udp(OUT.0, OUT.1)), Ok(Accept::Established));
    world.may_not_send("10.0.0.5");
    for _ in 0..2 {
        let verdict = world.send(&udp(OUT.0, OUT.1));
        assert_eq!(verdict, Err(DropReason::SpoofedAddress));
    }
}

#[test]
fn a_connection_from_a_pair_with_a_mac_of_its_own_ends_with_the_pair() {
    let mut world = World::new().permit_egress();
    world.may_send(PEER_MAC, "10.0.0.99", 128, kind::PAIR);
    let (out, back) = (
        || udp("10.0.0.99:5353", OUT.1).with_mac(PEER_MAC),
        || udp(OUT.1, "10.0.0.99:5353"),
    );
    assert_eq!(world.send(&out()), Ok(Accept::New));
    world.port().generation += 1;
    assert_eq!(world.receive(&back()), Ok(Accept::Established), "it stays");
    world.may_not_send("10.0.0.99");
    for _ in 0..2 {
        assert_eq!(world.receive(&back()), Err(DropReason::Revoked));
        world
            .send(&out())
            .expect_err("its source is not the port's");
    }
    world.may_send(PEER_MAC, "10.0.0.99", 128, kind::PAIR);
    assert_eq!(world.receive(&back()), Ok(Accept::Established));
    assert_eq!(world.send(&out()), Ok(Accept::Established));
}

#[test]
fn the_row_of_a_pair_for_any_mac_lets_no_other_mac_send() {
    let mut world = World::new().permit_egress();
    world.may_send(PEER_MAC, "10.0.0.99", 128, kind::PAIR);
    let from = |mac| udp("10.0.0.99:5353", OUT.1).with_mac(mac);
    assert_eq!(world.send(&from(NO_MAC)), Err(DropReason::SpoofedMac));
    assert_eq!(world.send(&from(VM_MAC)), Err(DropReason::SpoofedAddress));
}
