//! ICMP: queries by their identifier, errors by the packet they quote.

use crate::hook::Direction;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, error, icmp, ip, redirect, tcp, udp};
use crate::testing::world::{Service, VM, VM6, World};
use crate::wire::addr::Family;

const PEER: &str = "192.0.2.1";
const PEER6: &str = "2001:db8::1";
const ROUTER: &str = "198.51.100.1";

fn open() -> World {
    World::new().permit_egress().permit(
        Direction::Ingress,
        Family::V4,
        Service::Ports(1, 8 << 8, 8 << 8 | 255),
    )
}

#[test]
fn each_request_is_answered_by_its_reply() {
    for (vm, peer, request, reply) in [
        (VM, PEER, 8, 0),
        (VM, PEER, 13, 14),
        (VM, PEER, 15, 16),
        (VM, PEER, 17, 18),
        (VM6, PEER6, 128, 129),
        (VM6, PEER6, 139, 140),
    ] {
        let mut world = World::new().permit_egress();
        let asked = world.send(&icmp(vm, peer, request, 0, 9));
        assert!(
            matches!(asked, Ok(Accept::New | Accept::Icmpv6)),
            "{request}"
        );
        for (kind, code, id) in [(reply, 0, 8), (reply, 1, 9)] {
            let wrong = world.receive(&icmp(peer, vm, kind, code, id));
            assert_eq!(wrong, Err(DropReason::InvalidIcmp), "{request}");
        }
        for _ in 0..2 {
            let right = world.receive(&icmp(peer, vm, reply, 0, 9));
            assert_eq!(right, Ok(Accept::Established), "{request}");
        }
        assert_eq!(
            (world.stored(), world.lifetime()),
            ((0, 1, 0), 30),
            "never assured"
        );
    }
}

#[test]
fn a_reply_of_another_type_answers_nothing() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&icmp(VM, PEER, 13, 0, 9)), Ok(Accept::New));
    let echo_reply = icmp(PEER, VM, 0, 0, 9);
    assert_eq!(world.receive(&echo_reply), Err(DropReason::InvalidIcmp));
}

#[test]
fn both_sides_may_ask_with_the_same_identifier() {
    let mut world = open();
    assert_eq!(world.send(&icmp(VM, PEER, 8, 0, 9)), Ok(Accept::New));
    assert_eq!(world.receive(&icmp(PEER, VM, 8, 0, 9)), Ok(Accept::New));
    assert_eq!(world.stored(), (0, 2, 0));
    assert_eq!(
        world.receive(&icmp(PEER, VM, 0, 0, 9)),
        Ok(Accept::Established)
    );
    assert_eq!(
        world.send(&icmp(VM, PEER, 0, 0, 9)),
        Ok(Accept::Established)
    );
}

#[test]
fn a_request_of_the_peer_is_no_answer() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&icmp(VM, PEER, 8, 0, 9)), Ok(Accept::New));
    assert_eq!(
        world.receive(&icmp(PEER, VM, 8, 0, 9)),
        Err(DropReason::NoRule)
    );
}

#[test]
fn what_nobody_asked_for_is_invalid() {
    for kind in [0, 1, 2, 6, 7, 9, 10, 14, 16, 18, 30, 40, 42, 43, 255] {
        let verdict = World::new().receive(&icmp(PEER, VM, kind, 0, 1));
        assert_eq!(verdict, Err(DropReason::InvalidIcmp), "type {kind}");
    }
    for kind in [129, 137, 138, 140, 141, 142, 144, 150, 153, 255] {
        let verdict = World::new().receive(&icmp(PEER6, VM6, kind, 0, 1));
        assert_eq!(verdict, Err(DropReason::InvalidIcmp), "type {kind}");
    }
}

/// What the VM has sent, with the error types and an on-path router of the family.
fn sent() -> Vec<(Packet, &'static str, &'static [u8], &'static str)> {
    const ERRORS: &[u8] = &[3, 4, 5, 11, 12];
    const ERRORS6: &[u8] = &[1, 2, 3, 4, 100, 127];
    vec![
        (udp("10.0.0.5:1", "192.0.2.1:2"), VM, ERRORS, ROUTER),
        (
            tcp("10.0.0.5:1", "192.0.2.1:2").flags("S"),
            VM,
            ERRORS,
            ROUTER,
        ),
        (icmp(VM, PEER, 8, 0, 3), VM, ERRORS, ROUTER),
        (ip(VM, PEER, 47, &[0; 8]), VM, ERRORS, ROUTER),
        (
            udp("[2001:db8::5]:1", "[2001:db8::1]:2"),
            VM6,
            ERRORS6,
            "2001:db8:9::1",
        ),
        (icmp(VM6, PEER6, 128, 0, 3), VM6, ERRORS6, "2001:db8:9::1"),
    ]
}

#[test]
fn an_error_about_a_connection_is_related_whoever_sends_it() {
    for (packet, vm, kinds, router) in sent() {
        let mut world = World::new().permit_egress();
        assert!(world.send(&packet).is_ok());
        let before = world.flow();
        for kind in kinds {
            let related = error(router, vm, *kind, &packet.bytes());
            assert_eq!(world.receive(&related), Ok(Accept::Related), "type {kind}");
        }
        assert_eq!(world.flow(), before, "neither refreshed nor answered");
    }
}

#[test]
fn an_error_about_nothing_is_invalid() {
    for (packet, vm, kinds, router) in sent() {
        let mut world = World::new();
        for kind in kinds {
            let unrelated = error(router, vm, *kind, &packet.bytes());
            let verdict = world.receive(&unrelated);
            assert_eq!(verdict, Err(DropReason::InvalidIcmp), "type {kind}");
        }
    }
}

#[test]
fn an_error_goes_to_the_sender_of_what_it_quotes() {
    let mut world = World::new().permit_egress();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    let elsewhere = error(ROUTER, "10.0.0.6", 3, &packet.bytes());
    assert_eq!(world.receive(&elsewhere), Err(DropReason::InvalidIcmp));
}

#[test]
fn an_error_quotes_what_went_the_other_way() {
    let mut world = World::new().permit_egress();
    assert_eq!(
        world.send(&udp("10.0.0.5:1", "192.0.2.1:2")),
        Ok(Accept::New)
    );
    let backwards = udp("192.0.2.1:2", "10.0.0.5:1");
    let wrong = error(ROUTER, VM, 3, &backwards.bytes());
    assert_eq!(world.receive(&wrong), Err(DropReason::InvalidIcmp));
}

#[test]
fn the_vm_sends_errors_about_what_it_received() {
    let mut world = World::new().permit(Direction::Ingress, Family::V4, Service::Protocol(17));
    let query = udp("192.0.2.1:2", "10.0.0.5:1");
    assert_eq!(world.receive(&query), Ok(Accept::New));
    let unreachable = error(VM, PEER, 3, &query.bytes());
    assert_eq!(world.send(&unreachable), Ok(Accept::Related));
    let spoofed = error("10.0.0.6", PEER, 3, &query.bytes());
    assert_eq!(world.send(&spoofed), Err(DropReason::SpoofedAddress));
    let other = error(VM, PEER, 3, &udp("192.0.2.1:3", "10.0.0.5:1").bytes());
    assert_eq!(world.send(&other), Err(DropReason::InvalidIcmp));
}

#[test]
fn the_opener_sends_errors_about_the_answers_too() {
    let mut world = World::new().permit(Direction::Egress, Family::V4, Service::Protocol(17));
    assert_eq!(
        world.send(&udp("10.0.0.5:1", "192.0.2.1:2")),
        Ok(Accept::New)
    );
    let answer = udp("192.0.2.1:2", "10.0.0.5:1");
    assert_eq!(world.receive(&answer), Ok(Accept::Established));
    let unreachable = error(VM, PEER, 3, &answer.bytes());
    assert_eq!(world.send(&unreachable), Ok(Accept::Related));
}

#[test]
fn a_quotation_holds_the_header_and_the_ports() {
    let mut world = World::new().permit_egress();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    let bytes = packet.bytes();
    for length in [0, 19, 20, 23] {
        let cut = error(ROUTER, VM, 3, &bytes[..length]);
        assert_eq!(
            world.receive(&cut),
            Err(DropReason::InvalidIcmp),
            "{length} bytes"
        );
    }
    let enough = error(ROUTER, VM, 3, &bytes[..24]);
    assert_eq!(world.receive(&enough), Ok(Accept::Related));
}

#[test]
fn a_quotation_may_have_another_total_length() {
    // Some routers and old BSD stacks quote the header as their kernel changed it.
    let mut world = World::new().permit_egress();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    for length in [[0, 0], [0, 12], [0xff, 0xff]] {
        let mut bytes = packet.bytes();
        bytes[2..4].copy_from_slice(&length);
        let related = error(ROUTER, VM, 3, &bytes);
        assert_eq!(world.receive(&related), Ok(Accept::Related), "{length:?}");
    }
}

#[test]
fn a_quoted_later_fragment_tells_no_connection() {
    let mut world = World::new().permit_egress();
    let packet = ip(VM, PEER, 47, &[0; 64]);
    assert_eq!(world.send(&packet), Ok(Accept::New));
    let first = error(ROUTER, VM, 3, &packet.fragment(0..32, 1).bytes());
    assert_eq!(world.receive(&first), Ok(Accept::Related));
    let later = error(ROUTER, VM, 3, &packet.fragment(32..64, 1).bytes());
    assert_eq!(world.receive(&later), Err(DropReason::InvalidIcmp));
}

#[test]
fn an_error_about_an_error_is_invalid() {
    let mut world = World::new().permit_egress();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    let inner = error(VM, ROUTER, 3, &packet.bytes());
    let outer = error(ROUTER, VM, 3, &inner.bytes());
    assert_eq!(world.receive(&outer), Err(DropReason::InvalidIcmp));
}

#[test]
fn an_error_about_an_expired_connection_is_invalid() {
    let mut world = World::new().permit_egress();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    world.wait(31);
    let late = error(ROUTER, VM, 3, &packet.bytes());
    assert_eq!(world.receive(&late), Err(DropReason::InvalidIcmp));
}

#[test]
fn a_quotation_ends_where_the_error_ends() {
    let mut world = World::new().permit_egress();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    let cut = error(ROUTER, VM, 3, &packet.bytes()[..20]);
    let mut frame = cut.frame(crate::testing::packet::PEER_MAC);
    // Behind the packet, but in the frame.
    frame.extend(&packet.bytes()[20..28]);
    let verdict = world.judge(crate::hook::Hook::ToVm, &frame);
    assert_eq!(verdict, Err(DropReason::InvalidIcmp));
}

/// A router of the VM's link.
const NEIGHBOR: &str = "fe80::1";
const REDIRECTED_HEADER: u8 = 4;
const TARGET_ADDRESS: u8 = 2;

/// A world in which the VM has sent a datagram, and that.
fn sent_six() -> (World, Vec<u8>) {
    let mut world = World::new().permit_egress();
    let packet = udp("[2001:db8::5]:1", "[2001:db8::1]:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    (world, packet.bytes())
}

#[test]
fn a_redirect_of_a_router_of_the_link_is_related() {
    let (mut world, quoted) = sent_six();
    let related = redirect(NEIGHBOR, VM6, REDIRECTED_HEADER, &quoted);
    assert_eq!(world.receive(&related), Ok(Accept::Related));
    let from_far = redirect("2001:db8::9", VM6, REDIRECTED_HEADER, &quoted);
    let routed = related.clone().hops(254);
    let with_code = related.clone().with(1, 1);
    let of_no_length = related.clone().with(41, 0);
    let to_another = redirect(NEIGHBOR, "2001:db8::6", REDIRECTED_HEADER, &quoted);
    let about_nothing = udp("[2001:db8::5]:1", "[2001:db8::1]:3").bytes();
    let about_nothing = redirect(NEIGHBOR, VM6, REDIRECTED_HEADER, &about_nothing);
    let without_quotation = related.clone().cut(48);
    let without_option = related.cut(40);
    let other_option_first = redirect(NEIGHBOR, VM6, TARGET_ADDRESS, &quoted);
    for invalid in [
        from_far,
        routed,
        with_code,
        of_no_length,
        to_another,
        about_nothing,
        without_quotation,
        without_option,
        other_option_first,
    ] {
        let verdict = world.receive(&invalid);
        assert_eq!(verdict, Err(DropReason::InvalidIcmp), "{invalid:?}");
    }
}
