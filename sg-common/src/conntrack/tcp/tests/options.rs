//! Options: window scales and selective acknowledgements, in enforced windows.

use crate::hook::Direction;
use crate::layout::settings::switch;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, tcp};
use crate::testing::world::{Service, World};
use crate::wire::addr::Family;

const VM: &str = "10.0.0.5:40000";
const PEER: &str = "192.0.2.1:80";
const SACK_PERMITTED: [u8; 2] = [4, 2];

fn out(flags: &str, sequence: u32, acknowledgement: u32) -> Packet {
    tcp(VM, PEER)
        .flags(flags)
        .numbers(sequence, acknowledgement)
        .window(1000)
}

fn back(flags: &str, sequence: u32, acknowledgement: u32) -> Packet {
    tcp(PEER, VM)
        .flags(flags)
        .numbers(sequence, acknowledgement)
        .window(1000)
}

const fn scale(shift: u8) -> [u8; 3] {
    [3, 3, shift]
}

/// After a handshake with these options, in which both sides announce 1000 bytes; the VM is at 101, the
/// peer at 501.
fn connected(offered: &[u8], answered: &[u8]) -> World {
    let service = Service::Protocol(6);
    let mut world = World::new().permit(Direction::Egress, Family::V4, service);
    world.memory.settings.switches |= switch::TCP_STRICT | switch::DROP_INVALID;
    let syn = out("S", 100, 0).options(offered);
    assert_eq!(world.send(&syn), Ok(Accept::New));
    let answer = back("SA", 500, 101).options(answered);
    assert_eq!(world.receive(&answer), Ok(Accept::Established));
    assert_eq!(world.send(&out("A", 101, 501)), Ok(Accept::Established));
    world
}

/// Whether the VM may send so far ahead after the peer has announced its window again.
fn reaches(mut world: World, ahead: u32) -> bool {
    assert_eq!(world.receive(&back("A", 501, 101)), Ok(Accept::Established));
    match world.send(&out("A", 101 + ahead, 501).data(10)) {
        Ok(Accept::Established) => true,
        Err(DropReason::InvalidTcpWindow) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn windows_are_scaled_if_both_sides_offer_it() {
    let scaled = || connected(&scale(2), &scale(7));
    assert!(reaches(scaled(), 128_000));
    assert!(!reaches(scaled(), 129_001 + 128_000));
    for (offered, answered) in [(&scale(7)[..], &[][..]), (&[], &scale(7)), (&[], &[])] {
        assert!(!reaches(connected(offered, answered), 128_000));
    }
}

#[test]
fn a_scale_is_at_most_fourteen() {
    let world = connected(&scale(0), &scale(200));
    assert!(reaches(world, 1000 << 14));
    let world = connected(&scale(0), &scale(200));
    assert!(!reaches(world, (1000 << 14) * 3));
}

#[test]
fn options_are_found_behind_others() {
    let many = [
        &[2, 4, 5, 0xb4][..],
        &SACK_PERMITTED,
        &[8, 10],
        &[0; 8],
        &[1],
        &scale(7),
    ]
    .concat();
    assert!(reaches(connected(&many, &many), 128_000));
    // Behind the end of the options, or in one that reaches beyond the header, there are none.
    for broken in [
        &[0, 3, 3, 7][..],
        &[2, 40, 3, 3, 7],
        &[2, 1, 3, 3, 7],
        &[2, 0, 3, 3, 7],
    ] {
        assert!(!reaches(connected(broken, broken), 128_000), "{broken:?}");
    }
}

/// An acknowledgement of 101, and selectively of up to so much.
fn selective(edge: u32) -> Packet {
    let [a, b, c, d] = edge.to_be_bytes();
    back("A", 501, 101).options(&[1, 1, 5, 10, 0, 0, 0, 102, a, b, c, d])
}

#[test]
fn a_selective_acknowledgement_is_of_what_was_sent() {
    let connected = || {
        let mut world = connected(&SACK_PERMITTED, &SACK_PERMITTED);
        let data = out("A", 101, 501).data(500);
        assert_eq!(world.send(&data), Ok(Accept::Established));
        world
    };
    assert_eq!(
        connected().receive(&selective(601)),
        Ok(Accept::Established)
    );
    assert_eq!(
        connected().receive(&selective(602)),
        Err(DropReason::InvalidTcpWindow)
    );
}

#[test]
fn where_nobody_permits_them_selective_acknowledgements_are_not_read() {
    let mut world = connected(&[], &[]);
    assert_eq!(world.receive(&selective(90_000)), Ok(Accept::Established));
}

#[test]
fn a_fragmented_segment_ends_the_enforcement() {
    // There is no telling how long it is, and so what acknowledges it.
    let mut world = connected(&[], &[]);
    let first = out("A", 101, 501).data(900).fragment(0..400, 1);
    assert_eq!(world.send(&first), Ok(Accept::Established));
    assert_eq!(
        world.receive(&back("A", 501, 1001)),
        Ok(Accept::Established)
    );
}
