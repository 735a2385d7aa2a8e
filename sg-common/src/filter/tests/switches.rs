//! What an operator can have otherwise: each switch changes what it says, and nothing else.

use crate::hook::{Direction, Hook};
use crate::layout::port::{PortKey, flags, kind};
use crate::layout::settings::switch;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, arp, icmp, ip, link_local_of, neighbor, tcp, udp, udp_of};
use crate::testing::world::{Service, VM, VM_MAC, World};
use crate::wire::addr::{Family, Mac};

const PAIR_MAC: Mac = Mac::new([0, 0, 0x5e, 0, 1, 0x33]);
const SPOOFED6: &str = "[2001:db8::66]:1";
const PEER6: &str = "[2001:db8::1]:2";

fn switched(world: World, switch: u32) -> World {
    let mut world = world;
    world.memory.settings.switch(switch, true);
    world
}

/// A port of IPv4 alone, as it is compiled.
fn single_family() -> World {
    let mut world = World::bare().permit_egress();
    world.may_send(VM_MAC, VM, 128, kind::FIXED);
    world.port().flags |= flags::WITHOUT_V6;
    world
}

#[test]
fn the_other_family_of_a_single_family_port_passes_unchecked_only_if_switched() {
    let spoofed = udp(SPOOFED6, PEER6);
    let mut world = single_family();
    assert_eq!(world.send(&spoofed), Err(DropReason::OtherFamilySource));

    let mut world = switched(single_family(), switch::OTHER_FAMILY);
    assert_eq!(world.send(&spoofed), Ok(Accept::New));
    // Its own family is checked as ever, and so is the MAC.
    let own_family = udp("10.0.0.6:1", "192.0.2.1:2");
    assert_eq!(world.send(&own_family), Err(DropReason::SpoofedAddress));
    let foreign = spoofed.with_mac(PEER_MAC);
    assert_eq!(world.send(&foreign), Err(DropReason::SpoofedMac));
}

#[test]
fn a_connection_from_an_unchecked_address_outlives_a_change_of_the_port() {
    let mut world = switched(single_family(), switch::OTHER_FAMILY);
    assert_eq!(world.send(&udp(SPOOFED6, PEER6)), Ok(Accept::New));
    world.port().generation += 1;
    assert_eq!(
        world.receive(&udp(PEER6, SPOOFED6)),
        Ok(Accept::Established)
    );
}

#[test]
fn a_port_of_both_families_is_checked_whatever_the_switch() {
    let mut world = switched(World::new().permit_egress(), switch::OTHER_FAMILY);
    let spoofed = udp(SPOOFED6, PEER6);
    assert_eq!(world.send(&spoofed), Err(DropReason::SpoofedAddress));
}

#[test]
fn the_other_family_still_meets_the_built_ins_and_the_rules() {
    let mut world = switched(single_family(), switch::OTHER_FAMILY);
    let refused = [
        (
            icmp("2001:db8::66", "ff02::1", 134, 0, 0),
            DropReason::RouterAdvertisement,
        ),
        (
            udp("[2001:db8::66]:547", "[2001:db8::1]:546"),
            DropReason::DhcpServer,
        ),
    ];
    for (packet, reason) in refused {
        assert_eq!(world.send(&packet), Err(reason));
    }
    // As under iptables, nobody asks for which address it advertises itself either.
    let advertisement = neighbor("2001:db8::66", "ff02::1", 136, "2001:db8::66");
    assert_eq!(world.send(&advertisement), Ok(Accept::Icmpv6));
    world.forbid(Direction::Egress);
    assert_eq!(
        world.send(&tcp("[2001:db8::66]:3", PEER6).flags("S")),
        Err(DropReason::NoRule)
    );
}

#[test]
fn icmpv6_from_the_vm_meets_the_rules_only_if_switched_and_what_ipv6_needs_never() {
    let from = link_local_of(VM_MAC);
    let echo = icmp("2001:db8::5", "2001:db8::1", 128, 0, 0);
    let needed = [130, 131, 132, 133, 143].map(|kind| icmp(&from, "ff02::2", kind, 0, 0));
    let mut world = World::new();
    world.forbid(Direction::Egress);
    assert_eq!(world.send(&echo), Ok(Accept::Icmpv6));

    let mut world = switched(World::new(), switch::ICMPV6_RULES);
    world.forbid(Direction::Egress);
    assert_eq!(world.send(&echo), Err(DropReason::NoRule));
    for packet in needed {
        assert_eq!(world.send(&packet), Ok(Accept::Icmpv6));
    }
    let asking = neighbor("2001:db8::5", "ff02::1", 135, "2001:db8::1");
    assert_eq!(world.send(&asking), Ok(Accept::Icmpv6));
    let advertised = icmp(&from, "ff02::1", 134, 0, 0);
    assert_eq!(
        world.send(&advertised),
        Err(DropReason::RouterAdvertisement)
    );
    let mut world = switched(World::new().permit_egress(), switch::ICMPV6_RULES);
    assert_eq!(world.send(&echo), Ok(Accept::New));
}

#[test]
fn arp_of_a_port_without_ipv4_is_checked_whatever_the_switch() {
    let mut world = switched(World::bare().permit_egress(), switch::OTHER_FAMILY);
    world.may_send(VM_MAC, "2001:db8::5", 128, kind::FIXED);
    world.port().flags |= flags::WITHOUT_V4;
    let sent = world.judge(Hook::FromVm, &arp(VM_MAC, VM_MAC, "10.0.0.66", "10.0.0.1"));
    assert_eq!(sent, Err(DropReason::SpoofedArp));
}

#[test]
fn tagged_frames_of_nobody_pass_only_if_switched_and_only_from_the_macs_of_the_port() {
    let packet = udp("10.9.9.9:1", "192.0.2.1:2");
    for tag in [0x8100, 0x88a8] {
        let mut world = switched(World::new(), switch::TAGGED);
        world.may_send(PAIR_MAC, "10.0.0.99", 128, kind::PAIR);
        for mac in [VM_MAC, PAIR_MAC] {
            let sent = world.judge(Hook::FromVm, &packet.tagged(mac, tag, 100));
            assert_eq!(sent, Ok(Accept::Tagged));
        }
        let foreign = packet.tagged(PEER_MAC, tag, 100);
        assert_eq!(
            world.judge(Hook::FromVm, &foreign),
            Err(DropReason::SpoofedMac)
        );
        assert_eq!(world.judge(Hook::ToVm, &foreign), Ok(Accept::Tagged));
        assert_eq!(world.stored(), (0, 0, 0));
    }
}

#[test]
fn tagged_frames_of_a_subport_are_its_own_whatever_the_switch() {
    let mut world = switched(World::new().permit_egress(), switch::TAGGED);
    let parent = *world.port();
    let key = PortKey {
        vlan: 100,
        ..parent.key
    };
    let policies = [0; 4];
    let subport = crate::layout::port::Port {
        key,
        policies,
        ..parent
    };
    world.memory.ports.insert(key, subport);
    let frame = udp("10.0.0.5:1", "192.0.2.1:2").tagged(VM_MAC, 0x8100, 100);
    assert_eq!(world.judge(Hook::FromVm, &frame), Err(DropReason::NoRule));
}

#[test]
fn a_priority_tag_is_no_way_around_the_filter_whatever_the_switch() {
    let mut world = switched(World::new().permit_egress(), switch::TAGGED);
    let frame = udp("10.0.0.6:1", "192.0.2.1:2").tagged(VM_MAC, 0x8100, 0);
    let spoofed = Err(DropReason::SpoofedAddress);
    assert_eq!(world.judge(Hook::FromVm, &frame), spoofed);
}

#[test]
fn an_interface_without_a_port_is_closed_to_tagged_frames_too() {
    let mut world = switched(World::new(), switch::TAGGED);
    world.memory.ports.clear();
    let frame = udp("10.0.0.5:1", "192.0.2.1:2").tagged(VM_MAC, 0x8100, 100);
    assert_eq!(world.judge(Hook::FromVm, &frame), Err(DropReason::Vlan));
}

#[test]
fn any_neighbor_may_be_advertised_only_if_switched() {
    let own = link_local_of(VM_MAC);
    let advertisement = neighbor(&own, "ff02::1", 136, "2001:db8::66");
    let mut world = World::new();
    let sent = world.send(&advertisement);
    assert_eq!(sent, Err(DropReason::SpoofedNeighbor));
    let mut world = switched(World::new(), switch::ANY_NEIGHBOR);
    assert_eq!(world.send(&advertisement), Ok(Accept::Icmpv6));
    // The source of the packet is another matter.
    let spoofed = neighbor("2001:db8::66", "ff02::1", 136, "2001:db8::66");
    assert_eq!(world.send(&spoofed), Err(DropReason::SpoofedAddress));
}

#[test]
fn any_address_may_be_announced_by_arp_only_if_switched() {
    let lie = arp(VM_MAC, VM_MAC, "10.0.0.66", "10.0.0.1");
    let verdict = World::new().judge(Hook::FromVm, &lie);
    assert_eq!(verdict, Err(DropReason::SpoofedArp));
    let mut world = switched(World::new(), switch::ANY_ARP);
    assert_eq!(world.judge(Hook::FromVm, &lie), Ok(Accept::Arp));
    let foreign = arp(PEER_MAC, PEER_MAC, VM, "10.0.0.1");
    let verdict = world.judge(Hook::FromVm, &foreign);
    assert_eq!(verdict, Err(DropReason::SpoofedMac));
}

#[test]
fn a_later_fragment_before_its_first_passes_if_its_whole_protocol_may() {
    let datagrams = [
        (Family::V4, udp_of("192.0.2.1:4000", "10.0.0.5:53", 3000)),
        (
            Family::V6,
            udp_of("[2001:db8::1]:4000", "[2001:db8::5]:53", 3000),
        ),
    ];
    for (family, datagram) in datagrams {
        let later = datagram.fragment(1480..3008, 7);
        let first = datagram.fragment(0..1480, 7);
        for (service, expected) in [
            (Service::Everything, Ok(Accept::Fragment)),
            (Service::Protocol(17), Ok(Accept::Fragment)),
            (Service::Protocol(6), Err(DropReason::NoRule)),
            (Service::Ports(17, 53, 53), Err(DropReason::NoRule)),
        ] {
            let world = World::new().permit(Direction::Ingress, family, service);
            let mut world = switched(world, switch::FRAGMENTS_UNORDERED);
            assert_eq!(world.receive(&later), expected);
            assert_eq!(world.stored(), (0, 0, 0), "it opens nothing");
            // In order they pass as ever.
            if world.receive(&first).is_ok() {
                assert_eq!(world.receive(&later), Ok(Accept::Fragment));
            }
        }
    }
}

#[test]
fn a_member_of_a_group_may_send_its_whole_protocol_out_of_order_too() {
    let later = udp_of("192.0.2.1:4000", "10.0.0.5:53", 3000).fragment(1480..3008, 7);
    let world = World::new().permit_member(Direction::Ingress, "192.0.2.1", Service::Protocol(17));
    let mut world = switched(world, switch::FRAGMENTS_UNORDERED);
    assert_eq!(world.receive(&later), Ok(Accept::Fragment));
    let others = udp_of("192.0.2.2:4000", "10.0.0.5:53", 3000).fragment(1480..3008, 7);
    assert_eq!(world.receive(&others), Err(DropReason::NoRule));
}

#[test]
fn a_fragment_out_of_order_does_not_reach_into_the_header_nor_lie_about_its_source() {
    let world = World::new().permit_egress();
    let mut world = switched(world, switch::FRAGMENTS_UNORDERED);
    let segment = ip("10.0.0.5", "192.0.2.1", 6, &[0; 64]);
    let overlap = world.send(&segment.fragment(8..64, 7));
    assert_eq!(overlap, Err(DropReason::FragmentOverlap));
    let spoofed = ip("10.0.0.6", "192.0.2.1", 6, &[0; 64]);
    let sent = world.send(&spoofed.fragment(24..64, 7));
    assert_eq!(sent, Err(DropReason::SpoofedAddress));
    assert_eq!(
        world.send(&segment.fragment(24..64, 7)),
        Ok(Accept::Fragment)
    );
}
