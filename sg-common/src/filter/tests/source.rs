//! A VM sends only from its own MACs and addresses.

use crate::hook::Hook;
use crate::layout::maps::name;
use crate::layout::port::{flags, kind};
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, icmp, ip, link_local_of, neighbor, udp};
use crate::testing::world::{VM_MAC, World, v4};
use crate::wire::addr::{Address, Mac, V6_UNSPECIFIED, from_ip};

const OTHER_MAC: Mac = Mac::new([0, 0, 0x5e, 0, 1, 0x33]);

#[test]
fn the_fixed_addresses_may_send() {
    let mut world = World::new().permit_egress();
    assert_eq!(
        world.send(&udp("10.0.0.5:1", "192.0.2.1:2")),
        Ok(Accept::New)
    );
    let six = udp("[2001:db8::5]:1", "[2001:db8::1]:2");
    assert_eq!(world.send(&six), Ok(Accept::New));
    assert_eq!(world.stored(), (0, 2, 0));
}

#[test]
fn the_link_local_address_of_the_mac_may_send() {
    let mut world = World::new().permit_egress();
    let own = format!("[{}]:1", link_local_of(VM_MAC));
    assert_eq!(world.send(&udp(&own, "[fe80::1]:2")), Ok(Accept::New));
    let others = format!("[{}]:1", link_local_of(OTHER_MAC));
    let spoofed = udp(&others, "[fe80::1]:2");
    assert_eq!(world.send(&spoofed), Err(DropReason::LinkLocalSource));
}

#[test]
fn another_address_is_spoofed() {
    let mut world = World::new().permit_egress();
    for packet in [
        udp("10.0.0.6:1", "192.0.2.1:2"),
        udp("169.253.255.255:1", "192.0.2.1:2"),
        udp("[2001:db8::6]:1", "[2001:db8::1]:2"),
        udp("[fec0::1]:1", "[2001:db8::1]:2"),
        udp("[::1]:1", "[2001:db8::1]:2"),
        // What an IPv4 address would be in IPv6 is sent by nobody.
        udp("[::ffff:10.0.0.5]:1", "[2001:db8::1]:2"),
        udp("[::ffff:0.0.0.0]:1", "[2001:db8::1]:2"),
        udp("[::ffff:169.254.0.1]:1", "[2001:db8::1]:2"),
    ] {
        assert_eq!(
            world.send(&packet),
            Err(DropReason::SpoofedAddress),
            "{packet:?}"
        );
    }
}

#[test]
fn sources_of_honest_guests_have_reasons_of_their_own() {
    let unspecified = [
        // A firmware that looks for routers before it has an address, and one that joins a group.
        icmp("::", "ff02::2", 133, 0, 0),
        ip("0.0.0.0", "224.0.0.22", 2, &[0x22, 0, 0, 0, 0, 0, 0, 0]),
        udp("0.0.0.0:68", "10.0.0.1:67"),
    ];
    let link_local = [
        // Interface identifiers of RFC 7217, and addresses of RFC 3927.
        icmp("fe80::14bb:d2ff:fe01:203", "ff02::16", 143, 0, 0),
        icmp("fe80::1", "ff02::2", 133, 0, 0),
        udp("[febf::1]:5353", "[ff02::fb]:5353"),
        udp("169.254.7.9:5353", "224.0.0.251:5353"),
    ];
    for (packets, reason) in [
        (&unspecified[..], DropReason::UnspecifiedSource),
        (&link_local, DropReason::LinkLocalSource),
    ] {
        for packet in packets {
            let mut world = World::new().permit_egress();
            assert_eq!(world.send(packet), Err(reason), "{packet:?}");
            let foreign = packet.clone().with_mac(PEER_MAC);
            assert_eq!(world.send(&foreign), Err(DropReason::SpoofedMac));
        }
    }
}

#[test]
fn a_port_without_an_address_of_the_family_has_a_reason_for_all_of_it() {
    for (fixed, flag, packets) in [
        (
            "10.0.0.5",
            flags::WITHOUT_V6,
            [
                icmp(&link_local_of(VM_MAC), "ff02::16", 143, 0, 0),
                icmp("::", "ff02::2", 133, 0, 0),
                udp("[2001:db8::5]:1", "[2001:db8::1]:2"),
            ],
        ),
        (
            "2001:db8::5",
            flags::WITHOUT_V4,
            [
                udp("10.0.0.5:1", "192.0.2.1:2"),
                ip("0.0.0.0", "224.0.0.22", 2, &[0; 8]),
                udp("169.254.7.9:1", "192.0.2.1:2"),
            ],
        ),
    ] {
        let mut world = World::bare().permit_egress();
        world.may_send(VM_MAC, fixed, 128, kind::FIXED);
        world.port().flags |= flag;
        for packet in packets {
            let verdict = world.send(&packet);
            assert_eq!(verdict, Err(DropReason::OtherFamilySource), "{packet:?}");
        }
    }
}

#[test]
fn another_mac_is_spoofed_even_with_the_right_address() {
    let mut world = World::new().permit_egress();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(
        world.send(&packet.clone().with_mac(PEER_MAC)),
        Err(DropReason::SpoofedMac)
    );
    // Nor when a connection from the right one is known.
    assert_eq!(world.send(&packet), Ok(Accept::New));
    assert_eq!(
        world.send(&packet.with_mac(PEER_MAC)),
        Err(DropReason::SpoofedMac)
    );
}

#[test]
fn a_pair_may_be_a_cidr() {
    let mut world = World::new().permit_egress();
    world.may_send(VM_MAC, "172.16.0.0", v4(12), kind::PAIR);
    assert_eq!(
        world.send(&udp("172.31.255.255:1", "192.0.2.1:2")),
        Ok(Accept::New)
    );
    let outside = udp("172.32.0.0:1", "192.0.2.1:2");
    assert_eq!(world.send(&outside), Err(DropReason::SpoofedAddress));
}

#[test]
fn a_pair_with_a_mac_goes_only_with_that_mac() {
    let mut world = World::new().permit_egress();
    world.may_send(OTHER_MAC, "10.0.0.100", 128, kind::PAIR);
    let shared = udp("10.0.0.100:1", "192.0.2.1:2");
    let own = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(
        world.send(&shared.clone().with_mac(OTHER_MAC)),
        Ok(Accept::New)
    );
    assert_eq!(world.send(&shared), Err(DropReason::SpoofedAddress));
    assert_eq!(
        world.send(&own.with_mac(OTHER_MAC)),
        Err(DropReason::SpoofedAddress)
    );
}

#[test]
fn a_connection_from_one_mac_vouches_for_no_other() {
    let mut world = World::new().permit_egress();
    world.may_send(OTHER_MAC, "10.0.0.100", 128, kind::PAIR);
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    let foreign = packet.with_mac(OTHER_MAC);
    assert_eq!(world.send(&foreign), Err(DropReason::SpoofedAddress));
}

#[test]
fn a_port_without_fixed_addresses_may_send_from_any() {
    let mut world = World::bare().permit_egress();
    world.may_send(VM_MAC, "0.0.0.0", v4(0), kind::ANY);
    let packet = udp("203.0.113.7:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Ok(Accept::New));
    assert_eq!(
        world.send(&packet.with_mac(OTHER_MAC)),
        Err(DropReason::SpoofedMac)
    );
    // The other family has no rows.
    let six = udp("[2001:db8::5]:1", "[2001:db8::1]:2");
    assert_eq!(world.send(&six), Err(DropReason::SpoofedAddress));
}

#[test]
fn nothing_checks_the_source_of_what_comes_in() {
    let mut world = World::new();
    let packet = udp("10.0.0.5:1", "10.0.0.5:2");
    assert_eq!(world.receive(&packet), Err(DropReason::NoRule));
}

#[test]
fn duplicate_address_detection_begins_without_an_address() {
    let mut world = World::new();
    for kind in [131, 135, 143] {
        let packet = icmp("::", "ff02::1:ff00:5", kind, 0, 0);
        assert_eq!(world.send(&packet), Ok(Accept::Icmpv6), "type {kind}");
        let elsewhere = icmp("::", "2001:db8::1", kind, 0, 0);
        assert_eq!(world.send(&elsewhere), Err(DropReason::UnspecifiedSource));
        let foreign = packet.with_mac(PEER_MAC);
        assert_eq!(world.send(&foreign), Err(DropReason::SpoofedMac));
    }
    for kind in [128, 130, 133, 134] {
        let packet = icmp("::", "ff02::2", kind, 0, 0);
        assert_eq!(
            world.send(&packet),
            Err(DropReason::UnspecifiedSource),
            "type {kind}"
        );
    }
    assert_eq!(world.stored(), (0, 0, 0));
}

#[test]
fn a_neighbor_advertisement_is_for_an_own_address() {
    let mut world = World::new();
    let advertise = |target: &str| neighbor("2001:db8::5", "ff02::1", 136, target);
    assert_eq!(world.send(&advertise("2001:db8::5")), Ok(Accept::Icmpv6));
    assert_eq!(
        world.send(&advertise(&link_local_of(VM_MAC))),
        Ok(Accept::Icmpv6)
    );
    for target in ["2001:db8::1", "fe80::1"] {
        assert_eq!(
            world.send(&advertise(target)),
            Err(DropReason::SpoofedNeighbor)
        );
    }
    let solicitation = neighbor("2001:db8::5", "ff02::1", 135, "2001:db8::1");
    assert_eq!(world.send(&solicitation), Ok(Accept::Icmpv6));
    // What comes in may be about anyone.
    let from_peer = neighbor("2001:db8::1", "2001:db8::5", 136, "2001:db8::1");
    assert_eq!(world.receive(&from_peer), Ok(Accept::Icmpv6));
}

#[test]
fn a_neighbor_advertisement_without_its_target_is_spoofed() {
    let mut world = World::new();
    let whole = neighbor("2001:db8::5", "ff02::1", 136, "2001:db8::5");
    assert_eq!(
        world.send(&whole.clone().cut(20)),
        Err(DropReason::SpoofedNeighbor)
    );
    // A target behind the end of the packet is not its target.
    let mut frame = whole.clone().cut(8).frame(VM_MAC);
    frame.extend(from_ip(&"2001:db8::5".parse().unwrap()).octets());
    let verdict = world.judge(Hook::FromVm, &frame);
    assert_eq!(verdict, Err(DropReason::SpoofedNeighbor));
    // Nor may it come in a second fragment, where nobody sees it.
    let mut first = whole.data(8).fragment(0..8, 9).frame(VM_MAC);
    first.extend(from_ip(&"2001:db8::5".parse().unwrap()).octets());
    let verdict = world.judge(Hook::FromVm, &first);
    assert_eq!(verdict, Err(DropReason::SpoofedNeighbor));
}

fn of(address: &str) -> Address {
    from_ip(&address.parse().unwrap())
}

/// As most ports are: an address of each family and the link-local one of the MAC, and nothing else.
fn with_own_row() -> World {
    let mut world = World::new().permit_egress();
    let port = world.port();
    port.own = [
        [of("10.0.0.5"), V6_UNSPECIFIED],
        [of("2001:db8::5"), of(&link_local_of(VM_MAC))],
    ];
    let [fixed, link_local] = [kind::FIXED, kind::LINK_LOCAL].map(|kind| kind as u8);
    port.own_kinds = [[fixed, 0], [fixed, link_local]];
    port.flags |= flags::ONLY_OWN_V4 | flags::ONLY_OWN_V6;
    world
}

#[test]
fn a_port_with_few_addresses_has_them_in_its_own_row_and_none_is_looked_up() {
    let mut world = with_own_row();
    let link_local = format!("[{}]:1", link_local_of(VM_MAC));
    for (packet, verdict) in [
        (udp("10.0.0.5:1", "192.0.2.1:2"), Ok(Accept::New)),
        (udp("[2001:db8::5]:1", "[2001:db8::1]:2"), Ok(Accept::New)),
        (udp(&link_local, "[fe80::1]:2"), Ok(Accept::New)),
        (
            udp("10.0.0.6:1", "192.0.2.1:2"),
            Err(DropReason::SpoofedAddress),
        ),
        (
            udp("[2001:db8::6]:1", "[2001:db8::1]:2"),
            Err(DropReason::SpoofedAddress),
        ),
        (
            udp("[::ffff:10.0.0.5]:1", "[2001:db8::1]:2"),
            Err(DropReason::SpoofedAddress),
        ),
        // The place of no address is not the address of no host.
        (
            udp("0.0.0.0:1", "192.0.2.1:2"),
            Err(DropReason::UnspecifiedSource),
        ),
        (
            udp("[::]:1", "[2001:db8::1]:2"),
            Err(DropReason::UnspecifiedSource),
        ),
    ] {
        assert_eq!(world.send(&packet), verdict, "{packet:?}");
        let looked_up = world.memory.looked_up.take();
        assert!(!looked_up.contains(&name::ADDRESSES), "{packet:?}");
    }
}

#[test]
fn what_the_own_row_does_not_hold_is_looked_up_unless_it_holds_all() {
    let mut world = with_own_row();
    world.port().flags &= !(flags::ONLY_OWN_V4 | flags::ONLY_OWN_V6);
    world.may_send(VM_MAC, "203.0.113.0", v4(24), kind::PAIR);
    let pair = udp("203.0.113.77:1", "192.0.2.1:2");
    assert_eq!(world.send(&pair), Ok(Accept::New));
    let other = udp("203.0.114.77:1", "192.0.2.1:2");
    assert_eq!(world.send(&other), Err(DropReason::SpoofedAddress));
}

#[test]
fn the_own_row_is_for_the_own_mac_only() {
    let mut world = with_own_row();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    let sent = world.judge(Hook::FromVm, &packet.frame(OTHER_MAC));
    assert_eq!(sent, Err(DropReason::SpoofedMac));
}
