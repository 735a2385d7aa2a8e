//! Fragments: only the first has the ports, so it speaks for the others.

use crate::hook::Direction;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, ip, tcp, udp_of};
use crate::testing::world::{Service, World};
use crate::wire::addr::Family;

const DNS: Service = Service::Ports(17, 53, 53);

/// A datagram of each family to port 53.
fn datagrams() -> [Packet; 2] {
    [
        udp_of("192.0.2.1:4000", "10.0.0.5:53", 3000),
        udp_of("[2001:db8::1]:4000", "[2001:db8::5]:53", 3000),
    ]
}

fn world() -> World {
    World::new()
        .permit(Direction::Ingress, Family::V4, DNS)
        .permit(Direction::Ingress, Family::V6, DNS)
}

#[test]
fn the_first_fragment_speaks_for_the_later_ones() {
    for datagram in datagrams() {
        let mut world = world();
        assert_eq!(
            world.receive(&datagram.fragment(0..1480, 7)),
            Ok(Accept::New)
        );
        for part in [1480..2960, 2960..3008] {
            let later = datagram.fragment(part, 7);
            assert_eq!(world.receive(&later), Ok(Accept::Fragment));
        }
        assert_eq!(world.stored(), (0, 1, 1));
        let other = datagram.fragment(1480..2960, 8);
        assert_eq!(world.receive(&other), Err(DropReason::FragmentUnknown));
    }
}

#[test]
fn an_answer_may_come_in_fragments() {
    for datagram in datagrams() {
        let mut world = world().permit_egress();
        let question = match datagram.bytes()[0] >> 4 {
            4 => udp_of("10.0.0.5:53", "192.0.2.1:4000", 20),
            _ => udp_of("[2001:db8::5]:53", "[2001:db8::1]:4000", 20),
        };
        assert_eq!(world.send(&question), Ok(Accept::New));
        world.forbid(Direction::Ingress);
        let first = datagram.fragment(0..1480, 7);
        assert_eq!(world.receive(&first), Ok(Accept::Established));
        let later = datagram.fragment(1480..3008, 7);
        assert_eq!(world.receive(&later), Ok(Accept::Fragment));
    }
}

#[test]
fn a_refused_first_fragment_refuses_the_later_ones() {
    for datagram in datagrams() {
        let mut world = World::new();
        assert_eq!(
            world.receive(&datagram.fragment(0..1480, 7)),
            Err(DropReason::NoRule)
        );
        let later = world.receive(&datagram.fragment(1480..3008, 7));
        assert_eq!(later, Err(DropReason::FragmentUnknown));
        assert_eq!(world.stored(), (0, 0, 0));
    }
}

#[test]
fn a_later_fragment_that_comes_first_is_refused() {
    for datagram in datagrams() {
        let mut world = world();
        let later = datagram.fragment(1480..3008, 7);
        assert_eq!(world.receive(&later), Err(DropReason::FragmentUnknown));
        assert_eq!(
            world.receive(&datagram.fragment(0..1480, 7)),
            Ok(Accept::New)
        );
        assert_eq!(world.receive(&later), Ok(Accept::Fragment));
    }
}

#[test]
fn a_first_fragment_holds_the_transport_header() {
    let mut world = world().permit(Direction::Ingress, Family::V4, Service::Everything);
    let segment = tcp("192.0.2.1:1", "10.0.0.5:2").flags("S").data(100);
    for length in [8, 16] {
        let tiny = segment.fragment(0..length, 7);
        assert_eq!(world.receive(&tiny), Err(DropReason::FragmentTiny));
    }
    let enough = segment.fragment(0..24, 7);
    assert_eq!(world.receive(&enough), Ok(Accept::New));
}

#[test]
fn a_later_fragment_does_not_reach_into_the_transport_header() {
    let mut world = world().permit(Direction::Ingress, Family::V4, Service::Everything);
    let segment = tcp("192.0.2.1:1", "10.0.0.5:2").flags("S").data(100);
    assert_eq!(world.receive(&segment.fragment(0..24, 7)), Ok(Accept::New));
    for start in [8, 16] {
        let overlap = segment.fragment(start..120, 7);
        assert_eq!(world.receive(&overlap), Err(DropReason::FragmentOverlap));
    }
    assert_eq!(
        world.receive(&segment.fragment(24..120, 7)),
        Ok(Accept::Fragment)
    );
}

#[test]
fn a_datagram_is_forgotten_after_its_time() {
    for (datagram, seconds) in datagrams().iter().zip([30, 60]) {
        let mut world = world();
        assert_eq!(
            world.receive(&datagram.fragment(0..1480, 7)),
            Ok(Accept::New)
        );
        world.wait(seconds - 1);
        let later = datagram.fragment(1480..3008, 7);
        assert_eq!(world.receive(&later), Ok(Accept::Fragment));
        world.wait(2);
        assert_eq!(world.receive(&later), Err(DropReason::FragmentUnknown));
    }
}

#[test]
fn a_datagram_is_forgotten_when_the_rules_change() {
    let [datagram, _] = datagrams();
    let mut world = world();
    assert_eq!(
        world.receive(&datagram.fragment(0..1480, 7)),
        Ok(Accept::New)
    );
    world.port().generation += 1;
    let later = datagram.fragment(1480..3008, 7);
    assert_eq!(world.receive(&later), Err(DropReason::FragmentUnknown));
}

#[test]
fn a_datagram_in_one_direction_speaks_for_none_in_the_other() {
    let mut world = world();
    let datagram = udp_of("10.0.0.5:4000", "10.0.0.5:53", 3000);
    assert_eq!(
        world.receive(&datagram.fragment(0..1480, 7)),
        Ok(Accept::New)
    );
    let later = datagram.fragment(1480..3008, 7);
    assert_eq!(world.send(&later), Err(DropReason::FragmentUnknown));
}

#[test]
fn the_source_of_every_fragment_is_checked() {
    let mut world = World::new().permit_egress();
    let datagram = udp_of("10.0.0.5:4000", "192.0.2.1:53", 3000);
    assert_eq!(world.send(&datagram.fragment(0..1480, 7)), Ok(Accept::New));
    let later = datagram.fragment(1480..3008, 7);
    assert_eq!(world.send(&later), Ok(Accept::Fragment));
    world.memory.addresses.clear();
    assert_eq!(world.send(&later), Err(DropReason::SpoofedAddress));
}

#[test]
fn fragments_of_a_stateless_port_pass_by_their_first() {
    let mut world = world();
    world.port().flags |= crate::layout::port::flags::STATELESS;
    let [datagram, _] = datagrams();
    assert_eq!(
        world.receive(&datagram.fragment(0..1480, 7)),
        Ok(Accept::Stateless)
    );
    let later = datagram.fragment(1480..3008, 7);
    assert_eq!(world.receive(&later), Ok(Accept::Fragment));
}

#[test]
fn a_protocol_without_a_header_has_no_tiny_fragment() {
    let mut world = World::new().permit_egress();
    let packet = ip("10.0.0.5", "192.0.2.1", 47, &[0; 64]);
    assert_eq!(world.send(&packet.fragment(0..8, 7)), Ok(Accept::New));
    assert_eq!(world.send(&packet.fragment(8..64, 7)), Ok(Accept::Fragment));
}

#[test]
fn a_fragment_header_on_a_whole_packet_changes_nothing() {
    let mut world = world();
    let [_, datagram] = datagrams();
    assert_eq!(
        world.receive(&datagram.fragment(0..3008, 7)),
        Ok(Accept::New)
    );
    assert_eq!(world.stored(), (0, 1, 0));
}

#[test]
fn an_invalid_first_fragment_is_not_remembered() {
    let mut world = World::new().permit_egress();
    let datagram = udp_of("192.0.2.1:4000", "10.0.0.5:53", 3000)
        .with(4, 0)
        .with(5, 7);
    let first = world.receive(&datagram.fragment(0..1480, 7));
    assert_eq!(first, Err(DropReason::InvalidTransport));
}

#[test]
fn extension_headers_behind_the_fragment_header_belong_to_the_datagram() {
    let mut world = world();
    let [_, datagram] = datagrams();
    let datagram = datagram.inner_extension(60, 2);
    assert_eq!(
        world.receive(&datagram.fragment(0..1480, 7)),
        Ok(Accept::New)
    );
    let later = datagram.fragment(1480..3024, 7);
    assert_eq!(world.receive(&later), Ok(Accept::Fragment));
}

#[test]
fn a_later_fragment_does_not_replace_headers_that_were_judged() {
    let mut world = world();
    let [_, datagram] = datagrams();
    let datagram = datagram.inner_extension(60, 2);
    assert_eq!(
        world.receive(&datagram.fragment(0..1480, 7)),
        Ok(Accept::New)
    );
    // 16 bytes of destination options, 8 of UDP.
    for (start, verdict) in [
        (8, Err(DropReason::FragmentOverlap)),
        (16, Err(DropReason::FragmentOverlap)),
        (24, Ok(Accept::Fragment)),
    ] {
        let later = datagram.fragment(start..1480, 7);
        assert_eq!(world.receive(&later), verdict, "from {start}");
    }
}

#[test]
fn a_first_fragment_holds_its_chain_of_headers() {
    let [_, datagram] = datagrams();
    let datagram = datagram.inner_extension(60, 2);
    let verdict = world().receive(&datagram.fragment(0..16, 7));
    assert_eq!(verdict, Err(DropReason::FragmentTiny));
    let verdict = world().receive(&datagram.fragment(0..24, 7));
    assert_eq!(verdict, Ok(Accept::New));
}

#[test]
fn fragments_of_one_family_speak_for_none_of_the_other() {
    let mut world = world();
    let [four, _] = datagrams();
    assert_eq!(world.receive(&four.fragment(0..1480, 7)), Ok(Accept::New));
    // The addresses of the IPv4 datagram, mapped.
    let six = udp_of("[::ffff:192.0.2.1]:4000", "[::ffff:10.0.0.5]:53", 3000);
    let later = six.fragment(1480..3008, 7);
    assert_eq!(world.receive(&later), Err(DropReason::FragmentUnknown));
}
