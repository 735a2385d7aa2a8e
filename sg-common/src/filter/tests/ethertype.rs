//! Neither IP nor ARP: what passes, and what only looks like it.

use crate::hook::Hook;
use crate::layout::port::{Port, PortKey, flags};
use crate::layout::settings::{ethertypes, switch};
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, arp, behind_llc, ethernet, icmp, udp};
use crate::testing::world::{VM, VM_MAC, World};
use crate::wire::frame::Frame;
use crate::wire::llc::hides_ip;

const RFC_1042: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];
const BRIDGE_TUNNEL: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0xf8];

/// Harmless frames: an echo to the own address, ARP for it.
fn harmless() -> [Vec<u8>; 3] {
    [
        icmp(VM, VM, 8, 0, 1).frame(VM_MAC),
        icmp("2001:db8::5", "2001:db8::5", 128, 0, 1).frame(VM_MAC),
        arp(VM_MAC, VM_MAC, VM, VM),
    ]
}

fn assert_refused(frame: &[u8]) {
    let mut world = World::new().permit_egress();
    for hook in Hook::ALL {
        let verdict = world.judge(hook, frame);
        assert_eq!(
            verdict,
            Err(DropReason::Encapsulated),
            "{hook:?} {frame:x?}"
        );
    }
}

#[test]
fn ip_and_arp_behind_llc_fall_both_ways() {
    for frame in harmless() {
        for llc in [RFC_1042, BRIDGE_TUNNEL] {
            assert_refused(&behind_llc(&frame, 12, &llc));
            // As some receivers do not look at them: SSAP, command, and the bit for groups.
            let odd = [0xab, 0x42, 0x13, llc[3], llc[4], llc[5]];
            assert_refused(&behind_llc(&frame, 12, &odd));
        }
    }
    // So does any ethertype: on Ethernet it has a place of its own.
    let tag = udp("10.0.0.5:1", "192.0.2.1:2").tagged(VM_MAC, 0x8100, 0);
    assert_refused(&behind_llc(&tag, 12, &RFC_1042));
    let ipx = ethernet(VM_MAC, 0x8137, &[0; 46]);
    assert_refused(&behind_llc(&ipx, 12, &RFC_1042));
}

#[test]
fn the_length_before_llc_need_not_be_right() {
    let frame = behind_llc(&icmp(VM, VM, 8, 0, 1).frame(VM_MAC), 12, &RFC_1042);
    for length in [0, 3, 46, 1500, 1501, 1535, ethertypes::LENGTH, 0x8870] {
        let mut frame = frame.clone();
        frame[12..14].copy_from_slice(&u16::to_be_bytes(length));
        assert_refused(&frame);
    }
}

#[test]
fn ip_and_arp_have_sap_numbers_of_their_own() {
    for (sap, frame) in [(0x06, &harmless()[0]), (0x98, &harmless()[2])] {
        let [high, low] = (frame.len() as u16 - 11).to_be_bytes();
        let mut llc = frame.clone();
        llc.splice(12..14, [high, low, sap, sap, 3]);
        assert_refused(&llc);
    }
}

#[test]
fn ip_behind_llc_falls_in_a_tag_too() {
    let packet = icmp(VM, VM, 8, 0, 1);
    let priority = behind_llc(&packet.tagged(VM_MAC, 0x8100, 0), 16, &RFC_1042);
    assert_refused(&priority);

    let mut world = World::new().permit_egress();
    let parent = *world.port();
    let key = PortKey {
        vlan: 100,
        ..parent.key
    };
    world.memory.ports.insert(key, Port { key, ..parent });
    let subport = behind_llc(&packet.tagged(VM_MAC, 0x8100, 100), 16, &RFC_1042);
    for hook in Hook::ALL {
        let verdict = world.judge(hook, &subport);
        assert_eq!(verdict, Err(DropReason::Encapsulated));
    }
}

#[test]
fn ip_behind_llc_passes_where_all_that_carries_it_passes() {
    let frame = behind_llc(&icmp(VM, VM, 8, 0, 1).frame(VM_MAC), 12, &RFC_1042);
    let mut world = World::new();
    world.port().flags |= flags::UNFILTERED;
    let tagged = icmp(VM, VM, 8, 0, 1).tagged(VM_MAC, 0x8100, 100);
    let tagged = behind_llc(&tagged, 16, &RFC_1042);
    let mut switched = World::new();
    switched.memory.settings.switch(switch::TAGGED, true);
    for hook in Hook::ALL {
        assert_eq!(world.judge(hook, &frame), Ok(Accept::Unfiltered));
        assert_eq!(switched.judge(hook, &tagged), Ok(Accept::Tagged));
    }
}

#[test]
fn llc_that_carries_neither_is_an_ethertype_like_any() {
    let mut world = World::new();
    for llc in [
        &[0x42, 0x42, 3, 0, 0, 0, 0, 0][..],      // spanning tree
        &[0xfe, 0xfe, 3, 0x83, 27, 1, 0, 15],     // IS-IS
        &[0xf0, 0xf0, 3, 0x2c, 0, 0xff, 0xef, 8], // NetBIOS
        &[0xe0, 0xe0, 3, 0xff, 0xff, 0, 34, 0],   // IPX
        &[0xff, 0xff, 0, 34, 0, 17, 0, 0],        // IPX without LLC
        &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0],    // CDP
        &[0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, 1],    // IEEE's own
        &[0, 0, 0xf3, 0, 0, 0, 0, 0],             // a test without address
        &[0xaa, 0xaa, 0xe3],                      // a test, not padded
        &[],
    ] {
        for kind in [llc.len() as u16, 0x8870] {
            let frame = |mac| ethernet(mac, kind, llc);
            let spoofed = world.judge(Hook::FromVm, &frame(PEER_MAC));
            assert_eq!(spoofed, Err(DropReason::SpoofedMac));
            for (hook, mac) in [(Hook::FromVm, VM_MAC), (Hook::ToVm, PEER_MAC)] {
                let verdict = world.judge(hook, &frame(mac));
                assert_eq!(verdict, Ok(Accept::Ethertype), "{llc:x?}");
            }
        }
    }
}

/// A frame of which only the Ethernet header can be read.
struct Unreadable<'a>(&'a [u8]);

impl Frame for Unreadable<'_> {
    fn len(&self) -> u32 {
        Frame::len(self.0)
    }

    fn vlan(&self) -> Option<u16> {
        None
    }

    fn read<T: bytemuck::AnyBitPattern>(&self, offset: u32) -> Option<T> {
        self.0[..14].read(offset)
    }
}

#[test]
fn what_cannot_be_read_is_not_let_through_unread() {
    let spanning_tree = ethernet(VM_MAC, 38, &[0x42; 38]);
    assert!(hides_ip(&Unreadable(&spanning_tree), 14));
    assert!(!hides_ip(&spanning_tree[..], 14));
}

fn permitting(list: &[u16]) -> World {
    let mut world = World::new().permit_egress();
    world.memory.settings.ethertypes = [0; ethertypes::MOST];
    world.memory.settings.ethertypes[..list.len()].copy_from_slice(list);
    world
}

#[test]
fn only_the_ethertypes_of_the_settings_pass() {
    const RARP: u16 = 0x8035;
    let frame = |ethertype| ethernet(VM_MAC, ethertype, &[0; 46]);
    let most: Vec<_> = (0x9001..)
        .take(ethertypes::MOST - 1)
        .chain([RARP])
        .collect();
    for list in [&[RARP][..], &[0x888e, RARP], &most] {
        let mut world = permitting(list);
        for hook in Hook::ALL {
            for passes in list {
                let verdict = world.judge(hook, &frame(*passes));
                assert_eq!(verdict, Ok(Accept::Ethertype), "{passes:x}");
            }
            for falls in [0x88cc, 0x8864, 0x05ff, 0, 46, 0xffff] {
                let verdict = world.judge(hook, &frame(falls));
                assert_eq!(verdict, Err(DropReason::RefusedEthertype), "{falls:x}");
            }
        }
        let foreign = ethernet(PEER_MAC, RARP, &[0; 46]);
        assert_eq!(
            world.judge(Hook::FromVm, &foreign),
            Err(DropReason::SpoofedMac)
        );
    }
}

#[test]
fn without_any_ethertype_there_is_ip_and_arp() {
    let mut world = permitting(&[]);
    for ethertype in [0x8035, 0x88cc, 0, 46] {
        let verdict = world.judge(Hook::ToVm, &ethernet(PEER_MAC, ethertype, &[0; 46]));
        assert_eq!(verdict, Err(DropReason::RefusedEthertype));
    }
    assert_eq!(
        world.send(&udp("10.0.0.5:1", "192.0.2.1:2")),
        Ok(Accept::New)
    );
    let request = arp(VM_MAC, VM_MAC, VM, "10.0.0.1");
    assert_eq!(world.judge(Hook::FromVm, &request), Ok(Accept::Arp));
}

#[test]
fn frames_with_a_length_are_one_ethertype() {
    let mut world = permitting(&[ethertypes::LENGTH]);
    for length in [0, 38, 1500, 0x05ff] {
        let frame = ethernet(PEER_MAC, length, &[0x42; 38]);
        assert_eq!(world.judge(Hook::ToVm, &frame), Ok(Accept::Ethertype));
    }
    let other = ethernet(PEER_MAC, 0x0600, &[0x42; 38]);
    assert_eq!(
        world.judge(Hook::ToVm, &other),
        Err(DropReason::RefusedEthertype)
    );
    // Permitted or not, they hide no IP.
    let frame = behind_llc(&icmp(VM, VM, 8, 0, 1).frame(VM_MAC), 12, &RFC_1042);
    assert_eq!(
        world.judge(Hook::ToVm, &frame),
        Err(DropReason::Encapsulated)
    );
}
