//! Frames before IP: length, tags, ports, ethertypes.

use bytemuck::AnyBitPattern;

use crate::filter::filter;
use crate::hook::{Direction, Hook};
use crate::layout::port::{PortKey, flags};
use crate::reason::{Accept, DropReason};
use crate::scratch::Run;
use crate::testing::packet::{PEER_MAC, ethernet, icmp, ip, udp};
use crate::testing::world::{Service, VM, VM_MAC, World};
use crate::wire::addr::Family;
use crate::wire::frame::Frame;

#[test]
fn a_frame_shorter_than_its_header_is_malformed() {
    let mut world = World::new().permit_egress();
    for length in 0..14 {
        let frame = vec![0; length];
        for hook in Hook::ALL {
            assert_eq!(
                world.judge(hook, &frame),
                Err(DropReason::MalformedEthernet)
            );
        }
    }
    let cut_in_the_tag = ethernet(VM_MAC, 0x8100, &[0, 100, 8]);
    assert_eq!(
        world.judge(Hook::FromVm, &cut_in_the_tag),
        Err(DropReason::MalformedEthernet)
    );
}

#[test]
fn an_interface_without_a_port_is_closed() {
    let mut world = World::new().permit_egress();
    world.memory.ports.clear();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Err(DropReason::NoPort));
    assert_eq!(world.receive(&packet), Err(DropReason::NoPort));
    let none = world
        .memory
        .counter(0, Direction::Egress, &Err(DropReason::NoPort));
    assert_eq!(none.packets, 1);
}

#[test]
fn the_row_of_another_port_is_no_port() {
    let mut world = World::new().permit_egress();
    world.port().key.ifindex = 8;
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&packet), Err(DropReason::NoPort));
}

#[test]
fn a_tagged_frame_without_a_subport_is_dropped() {
    let mut world = World::new().permit_egress();
    world.port().flags |= flags::ARP_UNCHECKED;
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    for tag in [0x8100, 0x88a8] {
        let frame = packet.tagged(VM_MAC, tag, 100);
        for hook in Hook::ALL {
            assert_eq!(world.judge(hook, &frame), Err(DropReason::Vlan));
        }
    }
}

#[test]
fn a_tagged_frame_is_judged_as_its_subports() {
    let mut world = World::new().permit_egress();
    let parent = *world.port();
    let key = PortKey {
        vlan: 100,
        ..parent.key
    };
    let subport = crate::layout::port::Port {
        key,
        slot: 2,
        flags: flags::UNFILTERED,
        ..parent
    };
    world.memory.ports.insert(key, subport);
    let frame = udp("10.9.9.9:1", "192.0.2.1:2").tagged(PEER_MAC, 0x8100, 100);
    assert_eq!(world.judge(Hook::FromVm, &frame), Ok(Accept::Unfiltered));
    let counter = world
        .memory
        .counter(2, Direction::Egress, &Ok(Accept::Unfiltered));
    assert_eq!(counter.packets, 1);
}

#[test]
fn priority_and_drop_eligibility_are_not_part_of_the_vlan() {
    let mut world = World::new().permit_egress();
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    let frame = packet.tagged(VM_MAC, 0x8100, 0xe000);
    assert_eq!(world.judge(Hook::FromVm, &frame), Ok(Accept::New));
    let spoofed = udp("10.0.0.6:1", "192.0.2.1:2").tagged(VM_MAC, 0x8100, 0xe000);
    assert_eq!(
        world.judge(Hook::FromVm, &spoofed),
        Err(DropReason::SpoofedAddress)
    );
}

#[test]
fn a_second_tag_is_dropped() {
    let mut world = World::new().permit_egress();
    let inner = udp("10.0.0.5:1", "192.0.2.1:2").tagged(VM_MAC, 0x8100, 0);
    let mut frame = inner.clone();
    frame.splice(12..12, [0x88, 0xa8, 0, 0]);
    assert_eq!(world.judge(Hook::FromVm, &frame), Err(DropReason::Vlan));
}

#[test]
fn other_ethertypes_need_only_the_right_mac() {
    let mut world = World::new();
    for ethertype in [0x88cc, 0x8035, 0x888e, 0x0042] {
        let frame = |mac| ethernet(mac, ethertype, &[0; 46]);
        assert_eq!(
            world.judge(Hook::FromVm, &frame(VM_MAC)),
            Ok(Accept::Ethertype)
        );
        assert_eq!(
            world.judge(Hook::FromVm, &frame(PEER_MAC)),
            Err(DropReason::SpoofedMac)
        );
        assert_eq!(
            world.judge(Hook::ToVm, &frame(PEER_MAC)),
            Ok(Accept::Ethertype)
        );
    }
}

#[test]
fn without_port_security_everything_passes() {
    let mut world = World::new();
    world.port().flags |= flags::UNFILTERED;
    let spoofed = udp("203.0.113.9:67", "192.0.2.1:68").with_mac(PEER_MAC);
    for hook in Hook::ALL {
        assert_eq!(
            world.judge(hook, &spoofed.frame(PEER_MAC)),
            Ok(Accept::Unfiltered)
        );
        let malformed = ethernet(PEER_MAC, 0x0800, &[0; 3]);
        assert_eq!(world.judge(hook, &malformed), Ok(Accept::Unfiltered));
    }
    assert_eq!(world.stored(), (0, 0, 0));
}

#[test]
fn a_malformed_ipv4_header_is_dropped() {
    let mut world = World::new().permit_egress();
    let sound = udp("10.0.0.5:1", "192.0.2.1:2").frame(VM_MAC);
    assert_eq!(world.judge(Hook::FromVm, &sound), Ok(Accept::New));
    let mut refused = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = sound.clone();
        change(&mut frame);
        let verdict = world.judge(Hook::FromVm, &frame);
        assert_eq!(verdict, Err(DropReason::MalformedIpv4), "{what}");
    };
    refused("version", &|frame| frame[14] = 0x65);
    refused("header length below 5", &|frame| frame[14] = 0x44);
    refused("header longer than the packet", &|frame| frame[14] = 0x4f);
    refused("total length beyond the frame", &|frame| frame[17] += 1);
    refused("total length below the header", &|frame| frame[17] = 19);
    refused("no total length", &|frame| frame[17] = 0);
    refused("cut in the header", &|frame| frame.truncate(33));
}

#[test]
fn bytes_behind_the_packet_are_not_part_of_it() {
    let mut world = World::new().permit(Direction::Ingress, Family::V4, Service::Ports(17, 53, 53));
    let cut = udp("192.0.2.1:4000", "10.0.0.5:53").cut(3);
    let mut frame = cut.frame(PEER_MAC);
    frame.extend([53; 20]);
    assert_eq!(
        world.judge(Hook::ToVm, &frame),
        Err(DropReason::InvalidTransport)
    );
    let echo = Service::Ports(1, 8 << 8, 8 << 8);
    let mut world = World::new().permit(Direction::Ingress, Family::V4, echo);
    let mut frame = icmp("192.0.2.1", VM, 8, 0, 1).cut(4).frame(PEER_MAC);
    frame.extend([0; 20]);
    assert_eq!(
        world.judge(Hook::ToVm, &frame),
        Err(DropReason::InvalidTransport)
    );
}

#[test]
fn ipv4_options_are_skipped() {
    let mut world = World::new().permit(Direction::Ingress, Family::V4, Service::Ports(17, 53, 53));
    let mut frame = udp("192.0.2.1:4000", "10.0.0.5:53").frame(PEER_MAC);
    frame[14] = 0x46;
    frame[17] += 4;
    frame.splice(34..34, [1, 1, 1, 0]);
    assert_eq!(world.judge(Hook::ToVm, &frame), Ok(Accept::New));
}

#[test]
fn a_big_tcp_packet_has_no_length_in_its_header() {
    let mut world = World::new().permit_egress();
    let header = crate::testing::packet::tcp("10.0.0.5:1", "192.0.2.1:2").flags("A");
    let mut frame = header.frame(VM_MAC);
    frame[16..18].fill(0);
    frame.resize(14 + 66_000, 0);
    assert_eq!(world.judge(Hook::FromVm, &frame), Ok(Accept::New));
}

#[test]
fn a_protocol_without_ports_is_judged_by_its_number() {
    let mut world = World::new().permit(Direction::Ingress, Family::V4, Service::Protocol(112));
    assert_eq!(
        world.receive(&ip("192.0.2.1", VM, 112, &[1; 20])),
        Ok(Accept::New)
    );
    assert_eq!(
        world.receive(&ip("192.0.2.1", VM, 113, &[1; 20])),
        Err(DropReason::NoRule)
    );
}

/// A frame whose tag the kernel keeps beside it.
struct Accelerated<'a>(&'a [u8], u16);

impl Frame for Accelerated<'_> {
    fn len(&self) -> u32 {
        Frame::len(self.0)
    }

    fn vlan(&self) -> Option<u16> {
        Some(self.1)
    }

    fn read<T: AnyBitPattern>(&self, offset: u32) -> Option<T> {
        self.0.read(offset)
    }
}

#[test]
fn a_tag_beside_the_frame_is_a_tag() {
    let world = World::new().permit_egress();
    let judge = |frame: &[u8], tci| {
        let frame = Accelerated(frame, tci);
        filter(
            Hook::FromVm,
            7,
            &frame,
            &world.memory,
            &mut Run::EMPTY.clone(),
        )
    };
    let packet = udp("10.0.0.5:1", "192.0.2.1:2");
    let frame = packet.frame(VM_MAC);
    assert_eq!(judge(&frame, 100), Err(DropReason::Vlan));
    assert_eq!(judge(&frame, 0xe000), Ok(Accept::New), "a priority only");
    let twice = packet.tagged(VM_MAC, 0x8100, 0);
    assert_eq!(judge(&twice, 0), Err(DropReason::Vlan));
}
