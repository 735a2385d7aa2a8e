//! ARP: a VM speaks only for its own addresses.

use crate::hook::Hook;
use crate::layout::port::{flags, kind};
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, arp, ethernet};
use crate::testing::world::{VM, VM_MAC, World, v4};
use crate::wire::addr::Mac;

const OTHER_MAC: Mac = Mac::new([0, 0, 0x5e, 0, 1, 0x33]);

#[test]
fn the_sender_is_an_address_of_the_port() {
    let mut world = World::new();
    let own = arp(VM_MAC, VM_MAC, VM, "10.0.0.1");
    assert_eq!(world.judge(Hook::FromVm, &own), Ok(Accept::Arp));
    let spoofed = arp(VM_MAC, VM_MAC, "10.0.0.1", VM);
    assert_eq!(
        world.judge(Hook::FromVm, &spoofed),
        Err(DropReason::SpoofedArp)
    );
}

#[test]
fn the_sender_mac_is_that_of_the_frame() {
    let mut world = World::new();
    let forged = arp(VM_MAC, PEER_MAC, VM, "10.0.0.1");
    assert_eq!(
        world.judge(Hook::FromVm, &forged),
        Err(DropReason::SpoofedArp)
    );
    let foreign = arp(PEER_MAC, PEER_MAC, VM, "10.0.0.1");
    assert_eq!(
        world.judge(Hook::FromVm, &foreign),
        Err(DropReason::SpoofedMac)
    );
}

#[test]
fn a_probe_is_for_an_own_address() {
    let mut world = World::new();
    let own = arp(VM_MAC, VM_MAC, "0.0.0.0", VM);
    assert_eq!(world.judge(Hook::FromVm, &own), Ok(Accept::Arp));
    let others = arp(VM_MAC, VM_MAC, "0.0.0.0", "10.0.0.1");
    assert_eq!(
        world.judge(Hook::FromVm, &others),
        Err(DropReason::SpoofedArp)
    );
}

#[test]
fn pairs_count_with_their_mac() {
    let mut world = World::new();
    world.may_send(OTHER_MAC, "10.0.0.100", 128, kind::PAIR);
    world.may_send(VM_MAC, "172.16.0.0", v4(12), kind::PAIR);
    let mut judge = |mac, sender| world.judge(Hook::FromVm, &arp(mac, mac, sender, "10.0.0.1"));
    assert_eq!(judge(OTHER_MAC, "10.0.0.100"), Ok(Accept::Arp));
    assert_eq!(judge(VM_MAC, "10.0.0.100"), Err(DropReason::SpoofedArp));
    assert_eq!(judge(OTHER_MAC, VM), Err(DropReason::SpoofedArp));
    assert_eq!(judge(VM_MAC, "172.20.1.1"), Ok(Accept::Arp));
}

#[test]
fn a_pair_of_all_addresses_ends_the_check_of_senders_but_not_of_macs() {
    let mut world = World::new();
    world.port().flags |= flags::ARP_UNCHECKED;
    let any = arp(VM_MAC, VM_MAC, "203.0.113.1", "10.0.0.1");
    assert_eq!(world.judge(Hook::FromVm, &any), Ok(Accept::Arp));
    let foreign = arp(PEER_MAC, VM_MAC, VM, "10.0.0.1");
    assert_eq!(
        world.judge(Hook::FromVm, &foreign),
        Err(DropReason::SpoofedMac)
    );
}

#[test]
fn whatever_comes_in_passes() {
    let mut world = World::new();
    let frame = arp(PEER_MAC, PEER_MAC, "10.0.0.1", VM);
    assert_eq!(world.judge(Hook::ToVm, &frame), Ok(Accept::Arp));
    let short = ethernet(PEER_MAC, 0x0806, &frame[14..30]);
    assert_eq!(world.judge(Hook::ToVm, &short), Ok(Accept::Arp));
    let mut of_ieee_802 = frame;
    of_ieee_802[15] = 6;
    assert_eq!(world.judge(Hook::ToVm, &of_ieee_802), Ok(Accept::Arp));
}

#[test]
fn what_is_not_ipv4_over_ethernet_is_malformed() {
    let mut world = World::new();
    let sound = arp(VM_MAC, VM_MAC, VM, "10.0.0.1");
    for (at, byte) in [(15, 6), (16, 0x86), (18, 8), (19, 16)] {
        let mut frame = sound.clone();
        frame[at] = byte;
        let verdict = world.judge(Hook::FromVm, &frame);
        assert_eq!(verdict, Err(DropReason::MalformedArp), "byte {at}");
    }
    let short = ethernet(VM_MAC, 0x0806, &sound[14..41]);
    assert_eq!(
        world.judge(Hook::FromVm, &short),
        Err(DropReason::MalformedArp)
    );
}
