//! Whatever the bytes: the filter answers.

use proptest::collection::vec;
use proptest::prelude::{any, prop_oneof, proptest};
use proptest::prop_assert;
use proptest::sample::select;
use proptest::strategy::Strategy;

use crate::hook::{Direction, Hook};
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{
    arp, behind_llc, error, icmp, ip, neighbor, ported, redirect, sctp, tcp, udp,
};
use crate::testing::world::{Service, VM, VM_MAC, VM6, World};
use crate::wire::addr::Family;

/// Whole frames of every kind.
pub(super) fn frames() -> Vec<Vec<u8>> {
    let six = udp("[2001:db8::5]:1", "[2001:db8::1]:2").data(64);
    let four = udp("10.0.0.5:1", "192.0.2.1:2").data(64);
    let mut frames: Vec<_> = [
        tcp("10.0.0.5:1", "192.0.2.1:2").flags("S"),
        tcp("192.0.2.1:2", "10.0.0.5:1").flags("SA"),
        ported(132, "10.0.0.5:1", "192.0.2.1:2"),
        sctp("10.0.0.5:1", "192.0.2.1:2", 0, &[(1, 0, &[1; 16])]),
        sctp(
            "192.0.2.1:2",
            "10.0.0.5:1",
            0x0101_0101,
            &[(2, 0, &[1; 16])],
        ),
        sctp(
            "10.0.0.5:1",
            "192.0.2.1:2",
            0x0101_0101,
            &[(10, 0, &[1; 8]), (0, 3, &[0; 16])],
        ),
        sctp(
            "192.0.2.1:2",
            "10.0.0.5:1",
            0x0101_0101,
            &[(11, 0, &[]), (4, 0, &[0; 8])],
        ),
        tcp("10.0.0.5:1", "192.0.2.1:2")
            .flags("S")
            .options(&[2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7]),
        tcp("192.0.2.1:2", "10.0.0.5:1")
            .flags("A")
            .options(&[1, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0, 1]),
        redirect("fe80::1", VM6, 4, &six.bytes()),
        icmp(VM, "192.0.2.1", 8, 0, 1),
        error("192.0.2.9", VM, 3, &four.bytes()),
        error("2001:db8::9", VM6, 1, &six.clone().extension(60, 2).bytes()),
        neighbor(VM6, "ff02::1", 136, VM6),
        ip(VM, "192.0.2.1", 47, &[0; 9]),
        four.fragment(0..32, 1),
        four.fragment(32..76, 1),
        six.clone().extension(0, 1).extension(60, 4),
        six.fragment(0..32, 1),
        six.fragment(32..76, 1),
        four,
        six,
    ]
    .iter()
    .map(|packet| packet.frame(VM_MAC))
    .collect();
    frames.push(arp(VM_MAC, VM_MAC, VM, "10.0.0.1"));
    frames
}

/// Arbitrary bytes, and frames that were whole once.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let broken = (
        select(frames()),
        any::<usize>(),
        vec((any::<usize>(), any::<u8>()), 0..4),
    );
    let broken = broken.prop_map(|(mut frame, length, changes)| {
        for (at, byte) in changes {
            let at = at % frame.len();
            frame[at] = byte;
        }
        frame.truncate(length % (frame.len() * 2));
        frame
    });
    let typed = (
        select(vec![0x0800u16, 0x86dd, 0x0806, 0x8100, 0x8870, 46]),
        vec(any::<u8>(), 0..200),
    );
    let typed =
        typed.prop_map(|(kind, body)| crate::testing::packet::ethernet(VM_MAC, kind, &body));
    prop_oneof![vec(any::<u8>(), 0..200), broken, typed]
}

pub(super) fn world() -> World {
    World::new()
        .permit_egress()
        .permit(Direction::Ingress, Family::V4, Service::Ports(17, 0, 1000))
        .permit(Direction::Ingress, Family::V6, Service::Protocol(17))
}

proptest! {
    // `World::judge` checks that each frame is counted once and that a refused one leaves nothing.
    #[test]
    fn any_frames_in_any_order_are_judged(frames in vec((any::<bool>(), bytes(), 0u64..40), 1..12)) {
        let mut world = world();
        for (from_vm, frame, seconds) in frames {
            world.wait(seconds);
            let _ = world.judge(if from_vm { Hook::FromVm } else { Hook::ToVm }, &frame);
        }
    }

    #[test]
    fn without_rules_nothing_comes_in_but_built_ins(frame in bytes()) {
        use crate::reason::Accept::{Arp, Dhcp, Ethertype, Icmpv6};
        let verdict = World::new().judge(Hook::ToVm, &frame);
        prop_assert!(matches!(verdict, Err(_) | Ok(Arp | Dhcp | Ethertype | Icmpv6)), "{verdict:?}");
    }

    // RFC 1042 and IEEE 802.1H, whatever receivers may overlook.
    #[test]
    fn no_packet_hides_behind_llc(
        frame in select(frames()),
        length in prop_oneof![0u16..0x0600, select(vec![0x8870u16])],
        (dsap, ssap, control) in (select(vec![0xaa, 0xab]), any::<u8>(), any::<u8>()),
        last in select(vec![0, 0xf8]),
        priority in any::<bool>(),
        from_vm in any::<bool>(),
    ) {
        let mut frame = behind_llc(&frame, 12, &[dsap, ssap, control, 0, 0, last]);
        frame[12..14].copy_from_slice(&length.to_be_bytes());
        if priority {
            frame.splice(12..12, [0x81, 0, 0xe0, 0]);
        }
        let verdict = world().judge(if from_vm { Hook::FromVm } else { Hook::ToVm }, &frame);
        prop_assert!(verdict == Err(DropReason::Encapsulated), "{verdict:?}");
    }

    #[test]
    fn a_vm_never_sends_from_another_mac(mut frame in bytes(), mac in any::<[u8; 6]>()) {
        if mac != VM_MAC.octets() && frame.len() >= 14 {
            frame[6..12].copy_from_slice(&mac);
            let verdict = world().judge(Hook::FromVm, &frame);
            prop_assert!(verdict.is_err(), "{verdict:?}");
        }
    }
}

#[test]
fn every_frame_may_end_anywhere() {
    for frame in frames() {
        for length in 0..=frame.len() {
            for hook in Hook::ALL {
                let whole = world().judge(hook, &frame[..length]);
                // ARP to the VM is nobody's business.
                let unread = hook == Hook::ToVm && whole == Ok(Accept::Arp);
                assert!(
                    length == frame.len() || unread || whole.is_err(),
                    "{length} of {frame:x?}"
                );
            }
        }
    }
}
