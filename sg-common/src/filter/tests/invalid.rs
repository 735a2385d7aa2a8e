//! Packets that fit no connection meet the rules first, unless the operator wants them dropped.

use crate::hook::Direction;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, icmp, ip, tcp, udp};
use crate::testing::world::{Service, VM, VM6, World};
use crate::wire::addr::Family;

/// Each invalid packet from a peer, and why it is.
fn invalid() -> Vec<(Packet, DropReason)> {
    let (from, to) = ("192.0.2.1:40000", "10.0.0.5:80");
    let mut packets = vec![
        (
            tcp(from, to).flags("S").cut(19),
            DropReason::InvalidTransport,
        ),
        (
            tcp(from, to).flags("S").with(12, 0x40),
            DropReason::InvalidTransport,
        ),
        (
            tcp(from, to).flags("S").with(12, 0x60),
            DropReason::InvalidTransport,
        ),
        (udp(from, to).with(5, 7), DropReason::InvalidTransport),
        (udp(from, to).with(5, 13), DropReason::InvalidTransport),
        (udp(from, to).cut(7), DropReason::InvalidTransport),
        (icmp("192.0.2.1", VM, 0, 0, 1), DropReason::InvalidIcmp),
        (icmp("2001:db8::1", VM6, 129, 0, 1), DropReason::InvalidIcmp),
        (
            icmp("192.0.2.1", VM, 8, 0, 1).cut(7),
            DropReason::InvalidTransport,
        ),
    ];
    for flags in ["", "F", "SF", "SR", "SFA", "FPU", "U", "P", "SAF"] {
        packets.push((tcp(from, to).flags(flags), DropReason::InvalidTcpFlags));
    }
    for flags in ["SA", "FA", "R", "RA"] {
        packets.push((tcp(from, to).flags(flags), DropReason::InvalidTcpState));
    }
    packets
}

#[test]
fn without_a_rule_they_are_dropped_as_what_they_are() {
    for (packet, reason) in invalid() {
        let mut world = World::new();
        assert_eq!(world.receive(&packet), Err(reason), "{packet:?}");
    }
}

#[test]
fn with_a_rule_they_pass_and_open_nothing() {
    for (packet, _) in invalid() {
        let mut world = World::new()
            .permit(Direction::Ingress, Family::V4, Service::Everything)
            .permit(Direction::Ingress, Family::V6, Service::Everything);
        assert_eq!(
            world.receive(&packet),
            Ok(Accept::InvalidPermitted),
            "{packet:?}"
        );
        assert_eq!(world.stored(), (0, 0, 0));
    }
}

#[test]
fn an_operator_may_have_them_dropped_at_once() {
    for (packet, reason) in invalid() {
        let mut world = World::new()
            .permit(Direction::Ingress, Family::V4, Service::Everything)
            .permit(Direction::Ingress, Family::V6, Service::Everything);
        world.memory.settings.switches |= crate::layout::settings::switch::DROP_INVALID;
        assert_eq!(world.receive(&packet), Err(reason), "{packet:?}");
    }
}

#[test]
fn a_header_that_is_cut_short_fits_no_rule_with_ports() {
    let mut world = World::new()
        .permit(Direction::Ingress, Family::V4, Service::Ports(6, 0, 65_535))
        .permit(Direction::Ingress, Family::V4, Service::Ports(1, 0, 65_535));
    for packet in [
        tcp("192.0.2.1:40000", "10.0.0.5:80").cut(3),
        icmp("192.0.2.1", VM, 8, 0, 1).cut(7),
    ] {
        assert_eq!(world.receive(&packet), Err(DropReason::InvalidTransport));
    }
}

#[test]
fn an_invalid_packet_of_a_connection_meets_the_rules_too() {
    let web = Service::Ports(6, 80, 80);
    let mut world = World::new().permit(Direction::Ingress, Family::V4, web);
    let (client, server) = ("192.0.2.1:40000", "10.0.0.5:80");
    assert_eq!(
        world.receive(&tcp(client, server).flags("S")),
        Ok(Accept::New)
    );
    let before = world.flow();
    // An ACK before any answer.
    let early = tcp(client, server).flags("A").numbers(1, 1);
    assert_eq!(world.receive(&early), Ok(Accept::InvalidPermitted));
    let nothing = tcp(client, server).flags("");
    assert_eq!(world.receive(&nothing), Ok(Accept::InvalidPermitted));
    let answer = tcp(server, client).flags("FA");
    assert_eq!(world.send(&answer), Err(DropReason::InvalidTcpState));
    assert_eq!(world.flow(), before, "nothing has changed");
}

#[test]
fn a_datagram_with_flags_of_congestion_control_is_valid() {
    let mut world = World::new().permit_egress();
    for flags in ["SEC", "SU", "SP", "AU", "APUEC"] {
        let packet = tcp("10.0.0.5:40000", "192.0.2.1:80").flags(flags);
        assert_eq!(world.send(&packet), Ok(Accept::New), "{flags}");
        world.memory.embryos.borrow_mut().clear();
    }
}

#[test]
fn without_loose_pick_up_an_ack_is_invalid() {
    let mut world = World::new();
    let packet = tcp("10.0.0.5:40000", "192.0.2.1:80").flags("A");
    assert_eq!(world.send(&packet), Err(DropReason::NoRule));
    world.memory.settings.switches &= !crate::layout::settings::switch::TCP_LOOSE;
    assert_eq!(world.send(&packet), Err(DropReason::InvalidTcpState));
}

#[test]
fn what_nobody_tracks_is_never_invalid() {
    let mut world = World::new();
    world.memory.settings.switches |= crate::layout::settings::switch::DROP_INVALID;
    for kind in [130, 131, 132, 133, 135, 143, 151, 152] {
        let packet = icmp(VM6, "ff02::1", kind, 0, 0);
        assert_eq!(world.send(&packet), Ok(Accept::Icmpv6), "type {kind}");
    }
    for kind in [130, 134, 135, 136] {
        let packet = icmp("fe80::1", VM6, kind, 0, 0);
        assert_eq!(world.receive(&packet), Ok(Accept::Icmpv6), "type {kind}");
    }
    let discover = udp("0.0.0.0:68", "255.255.255.255:67");
    assert_eq!(world.send(&discover), Ok(Accept::Dhcp));
}

#[test]
fn what_has_no_next_header_belongs_to_no_connection() {
    let mut world = World::new().permit(Direction::Egress, Family::V6, Service::Everything);
    let asked = world.send(&ip(VM6, "2001:db8::1", 59, &[0; 8]));
    assert_eq!(asked, Ok(Accept::InvalidPermitted));
    let answered = world.receive(&ip("2001:db8::1", VM6, 59, &[0; 8]));
    assert_eq!(answered, Err(DropReason::InvalidTransport));
}
