use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, ported, udp};
use crate::testing::world::World;

const VM: &str = "10.0.0.5:5353";
const PEER: &str = "192.0.2.1:53";

/// A connection that the VM has opened.
fn opened() -> World {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&udp(VM, PEER)), Ok(Accept::New));
    world
}

fn answer(world: &mut World) {
    assert_eq!(world.receive(&udp(PEER, VM)), Ok(Accept::Established));
}

fn ask(world: &mut World) {
    assert_eq!(world.send(&udp(VM, PEER)), Ok(Accept::Established));
}

#[test]
fn a_question_waits_thirty_seconds() {
    let mut world = opened();
    assert_eq!(world.lifetime(), 30);
    world.wait(10);
    ask(&mut world);
    assert_eq!((world.lifetime(), world.stored()), (30, (0, 1, 0)));
}

#[test]
fn the_first_answer_refreshes_but_makes_no_stream() {
    let mut world = opened();
    world.wait(10);
    answer(&mut world);
    assert_eq!((world.lifetime(), world.stored()), (30, (0, 1, 0)));
}

#[test]
fn a_young_exchange_is_no_stream() {
    let mut world = opened();
    answer(&mut world);
    world.wait(1);
    ask(&mut world);
    answer(&mut world);
    assert!(world.lifetime() < 31);
    assert_eq!(world.stored(), (0, 1, 0));
}

#[test]
fn an_exchange_longer_than_two_seconds_is_an_assured_stream() {
    let mut world = opened();
    answer(&mut world);
    world.wait(3);
    ask(&mut world);
    assert_eq!((world.lifetime(), world.stored()), (120, (1, 0, 0)));
    world.wait(60);
    answer(&mut world);
    assert_eq!(world.lifetime(), 120);
}

#[test]
fn a_late_first_answer_is_followed_by_a_stream() {
    let mut world = opened();
    world.wait(20);
    answer(&mut world);
    assert_eq!(world.stored(), (0, 1, 0));
    answer(&mut world);
    assert_eq!((world.lifetime(), world.stored()), (120, (1, 0, 0)));
}

#[test]
fn questions_alone_make_no_stream() {
    let mut world = opened();
    for _ in 0..5 {
        world.wait(5);
        ask(&mut world);
    }
    assert_eq!((world.lifetime(), world.stored()), (30, (0, 1, 0)));
}

#[test]
fn a_datagram_that_contradicts_itself_answers_nothing() {
    let mut world = opened();
    let before = world.flow();
    for length in [0, 7, 13] {
        let answer = udp(PEER, VM).with(5, length);
        assert_eq!(world.receive(&answer), Err(DropReason::InvalidTransport));
    }
    assert_eq!(world.flow(), before);
    // A shorter length than the packet's is sound.
    assert_eq!(
        world.receive(&udp(PEER, VM).with(5, 8)),
        Ok(Accept::Established)
    );
}

#[test]
fn port_zero_is_a_port() {
    let mut world = World::new().permit_egress();
    assert_eq!(
        world.send(&udp("10.0.0.5:0", "192.0.2.1:0")),
        Ok(Accept::New)
    );
    assert_eq!(
        world.receive(&udp("192.0.2.1:0", "10.0.0.5:0")),
        Ok(Accept::Established)
    );
}

/// A datagram of UDP-Lite with 16 bytes, whose checksum covers so many of them.
fn lite(from: &str, to: &str, coverage: u8) -> Packet {
    ported(136, from, to).with(5, coverage).with(7, 1)
}

#[test]
fn udp_lite_has_a_coverage_where_udp_has_its_length() {
    for (coverage, sound) in [
        (0, true),
        (1, false),
        (7, false),
        (8, true),
        (16, true),
        (17, false),
    ] {
        let mut world = World::new();
        let reason = match sound {
            true => DropReason::NoRule,
            false => DropReason::InvalidTransport,
        };
        let packet = lite("192.0.2.1:4000", "10.0.0.5:53", coverage);
        assert_eq!(world.receive(&packet), Err(reason), "coverage {coverage}");
    }
    let without = lite("192.0.2.1:4000", "10.0.0.5:53", 8).with(7, 0);
    assert_eq!(
        World::new().receive(&without),
        Err(DropReason::InvalidTransport),
        "its checksum is not optional"
    );
}

#[test]
fn udp_lite_is_a_stream_once_it_is_answered() {
    let mut world = World::new().permit_egress();
    assert_eq!(world.send(&lite(VM, PEER, 8)), Ok(Accept::New));
    assert_eq!(world.receive(&lite(PEER, VM, 8)), Ok(Accept::Established));
    assert_eq!((world.lifetime(), world.stored()), (30, (0, 1, 0)));
    assert_eq!(world.send(&lite(VM, PEER, 8)), Ok(Accept::Established));
    assert_eq!((world.lifetime(), world.stored()), (120, (1, 0, 0)));
}
