//! What every filtered port may and may not do, whatever its groups say.

use crate::hook::Direction;
use crate::layout::port::{flags, kind};
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, icmp, link_local_of, neighbor, udp};
use crate::testing::world::{Service, VM, VM_MAC, VM6, World};
use crate::wire::addr::Family;

const DISCOVER: (&str, &str) = ("0.0.0.0:68", "255.255.255.255:67");

#[test]
fn a_dhcp_client_without_an_address_asks_everyone() {
    let mut world = World::new();
    let discover = udp(DISCOVER.0, DISCOVER.1);
    assert_eq!(world.send(&discover), Ok(Accept::Dhcp));
    let one_server = udp("0.0.0.0:68", "10.0.0.1:67");
    assert_eq!(world.send(&one_server), Err(DropReason::UnspecifiedSource));
    let foreign = discover.with_mac(PEER_MAC);
    assert_eq!(world.send(&foreign), Err(DropReason::SpoofedMac));
}

#[test]
fn a_dhcp_client_asks_again_after_the_rules_changed() {
    let mut world = World::new();
    assert_eq!(world.send(&udp(DISCOVER.0, DISCOVER.1)), Ok(Accept::Dhcp));
    world.port().generation += 1;
    let again = world.send(&udp(DISCOVER.0, DISCOVER.1));
    assert_eq!(again, Ok(Accept::Established));
}

#[test]
fn a_dhcp_client_renews_with_its_server() {
    let mut world = World::new();
    assert_eq!(
        world.send(&udp("10.0.0.5:68", "10.0.0.1:67")),
        Ok(Accept::Dhcp)
    );
    assert_eq!(
        world.receive(&udp("10.0.0.1:67", "10.0.0.5:68")),
        Ok(Accept::Established)
    );
    let six = udp(
        &format!("[{}]:546", link_local_of(VM_MAC)),
        "[ff02::1:2]:547",
    );
    assert_eq!(world.send(&six), Ok(Accept::Dhcp));
}

#[test]
fn dhcp_answers_reach_the_ports_fixed_addresses() {
    let mut world = World::new();
    for to in ["10.0.0.5:68", "255.255.255.255:68"] {
        assert_eq!(world.receive(&udp("192.0.2.1:67", to)), Ok(Accept::Dhcp));
    }
    assert_eq!(
        world.receive(&udp("10.0.0.1:67", "10.0.0.6:68")),
        Err(DropReason::NoRule)
    );
    for to in [VM6, "fe80::1234"] {
        let answer = udp("[2001:db8::1]:547", &format!("[{to}]:546"));
        assert_eq!(world.receive(&answer), Ok(Accept::Dhcp));
    }
    let other = udp("[2001:db8::1]:547", "[2001:db8::6]:546");
    assert_eq!(world.receive(&other), Err(DropReason::NoRule));
    // The answers' ports belong to their family.
    let mixed = udp("[2001:db8::1]:67", &format!("[{VM6}]:68"));
    assert_eq!(world.receive(&mixed), Err(DropReason::NoRule));
}

#[test]
fn dhcp_answers_do_not_reach_pairs() {
    let mut world = World::new();
    world.may_send(VM_MAC, "10.0.0.100", 128, kind::PAIR);
    let answer = udp("10.0.0.1:67", "10.0.0.100:68");
    assert_eq!(world.receive(&answer), Err(DropReason::NoRule));
}

#[test]
fn a_vm_is_no_dhcp_server_even_if_everything_may_leave() {
    let mut world =
        World::new()
            .permit_egress()
            .permit(Direction::Ingress, Family::V4, Service::Everything);
    let offer = udp("10.0.0.5:67", "10.0.0.9:68");
    assert_eq!(world.send(&offer), Err(DropReason::DhcpServer));
    let six = udp("[2001:db8::5]:547", "[2001:db8::9]:546");
    assert_eq!(world.send(&six), Err(DropReason::DhcpServer));
    // Not even in a connection.
    assert_eq!(
        world.receive(&udp("10.0.0.9:68", "10.0.0.5:67")),
        Ok(Accept::New)
    );
    assert_eq!(world.send(&offer), Err(DropReason::DhcpServer));
}

#[test]
fn a_vm_is_no_router() {
    let mut world = World::new().permit_egress();
    let own = link_local_of(VM_MAC);
    let advertisement = icmp(&own, "ff02::1", 134, 0, 0);
    assert_eq!(
        world.send(&advertisement),
        Err(DropReason::RouterAdvertisement)
    );
    for kind in [0, 60, 43] {
        let hidden = advertisement.clone().extension(kind, 2);
        assert_eq!(world.send(&hidden), Err(DropReason::RouterAdvertisement));
    }
    let in_parts = advertisement.fragment(0..8, 3);
    assert_eq!(world.send(&in_parts), Err(DropReason::RouterAdvertisement));
}

#[test]
fn all_other_icmpv6_may_leave() {
    let mut world = World::new();
    for kind in (0..=255).filter(|kind| ![134, 136].contains(kind)) {
        let packet = icmp(VM6, "2001:db8::1", kind, 0, 5);
        assert_eq!(world.send(&packet), Ok(Accept::Icmpv6), "type {kind}");
    }
    // The requests are tracked, so that the answers come back.
    assert_eq!(world.stored(), (0, 2, 0));
    let reply = icmp("2001:db8::1", VM6, 129, 0, 5);
    assert_eq!(world.receive(&reply), Ok(Accept::Established));
}

#[test]
fn icmp_of_ipv4_needs_a_rule() {
    let mut world = World::new();
    assert_eq!(
        world.send(&icmp(VM, "192.0.2.1", 8, 0, 1)),
        Err(DropReason::NoRule)
    );
}

#[test]
fn neighbor_discovery_and_multicast_queries_always_come_in() {
    let mut world = World::new();
    for kind in [130, 135, 136] {
        let packet = neighbor("fe80::1", VM6, kind, VM6);
        assert_eq!(world.receive(&packet), Ok(Accept::Icmpv6), "type {kind}");
    }
    for kind in [131, 132, 133, 143, 151, 152] {
        let packet = icmp("fe80::1", VM6, kind, 0, 0);
        assert_eq!(
            world.receive(&packet),
            Err(DropReason::NoRule),
            "type {kind}"
        );
    }
    assert_eq!(world.stored(), (0, 0, 0));
}

#[test]
fn router_advertisements_reach_ports_with_an_ipv6_address() {
    let mut world = World::new();
    let packet = icmp("fe80::1", "ff02::1", 134, 0, 0);
    assert_eq!(world.receive(&packet), Ok(Accept::Icmpv6));
    world.port().flags &= !flags::FIXED_V6;
    assert_eq!(world.receive(&packet), Err(DropReason::NoRule));
}

#[test]
fn what_nobody_tracks_still_meets_the_rules() {
    let any = Service::Protocol(58);
    let mut world = World::new().permit(Direction::Ingress, Family::V6, any);
    let packet = icmp("fe80::1", VM6, 131, 0, 0);
    assert_eq!(world.receive(&packet), Ok(Accept::Stateless));
}

#[test]
fn icmpv6_without_a_whole_header_falls_whatever_the_rules() {
    let mut world = World::new()
        .permit(Direction::Ingress, Family::V6, Service::Everything)
        .permit_egress();
    let cut = |source, destination| icmp(source, destination, 128, 0, 1).cut(7);
    let (sent, received) = (cut(VM6, "2001:db8::1"), cut("2001:db8::1", VM6));
    assert_eq!(world.send(&sent), Err(DropReason::InvalidTransport));
    assert_eq!(world.receive(&received), Err(DropReason::InvalidTransport));
}
