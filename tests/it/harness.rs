//! The harness itself: a test that cannot fail proves nothing.

use std::path::Path;
use std::time::Duration;

use sg_tests::inventory::port;
use sg_tests::netns::{NAMES, Netns};
use sg_tests::node::Node;
use sg_tests::packet::{arp_request, describe, udp};
use sg_tests::traffic::{EchoServer, Outcome, ask_tcp, ask_udp};
use sg_tests::vm::{RawVm, Vm};

const SOON: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_frame_crosses_the_bridge_of_a_node_without_a_filter() {
    let node = Node::new("frame");
    let (one, other) = (RawVm::on(&node, "tap-one"), RawVm::on(&node, "tap-other"));
    let packet = udp("10.0.0.1:1000", "10.0.0.2:2000").payload(b"across");

    one.send(&packet.bytes());

    let seen = other.find(SOON, |frame| frame == packet.bytes());
    assert!(seen.is_some(), "not seen: {packet}");
}

#[test]
fn a_frame_does_not_come_back_to_its_sender() {
    let node = Node::new("echo");
    let (one, other) = (RawVm::on(&node, "tap-one"), RawVm::on(&node, "tap-other"));
    let packet = arp_request("10.0.0.1", "10.0.0.2").bytes();

    one.send(&packet);

    assert!(other.find(SOON, |frame| frame == packet).is_some());
    let back = one.recv(SHORT);
    assert!(back.is_none(), "{}", describe(&back.unwrap()));
}

#[test]
fn the_node_says_nothing_by_itself() {
    let node = Node::new("quiet");
    let tap = RawVm::on(&node, "tap-one");
    let frame = tap.recv(SHORT);
    assert!(frame.is_none(), "{}", describe(&frame.unwrap()));
}

#[test]
fn two_machines_talk_over_a_node_without_a_filter() {
    let node = Node::new("pair");
    let web = Vm::new(&node, &port("WEB1").ip("10.0.0.5").ip("2001:db8::5"));
    let client = Vm::new(&node, &port("CLIENT").ip("10.0.0.7").ip("2001:db8::7"));
    let _server = EchoServer::start(web.netns(), 80);

    for address in [web.v4(), web.v6()] {
        assert_eq!(
            ask_tcp(client.netns(), address, 80),
            Outcome::Answered,
            "{address}"
        );
        assert_eq!(
            ask_udp(client.netns(), address, 80),
            Outcome::Answered,
            "{address}"
        );
        assert_eq!(
            ask_tcp(client.netns(), address, 81),
            Outcome::Refused,
            "{address}"
        );
        assert_eq!(
            ask_udp(client.netns(), address, 81),
            Outcome::Refused,
            "{address}"
        );
    }
}

#[test]
fn a_machine_that_is_not_there_is_silence() {
    let node = Node::new("silence");
    let client = Vm::new(&node, &port("CLIENT").ip("10.0.0.7"));
    let nobody = "10.0.0.9".parse().unwrap();
    assert_eq!(ask_udp(client.netns(), nobody, 80), Outcome::Silence);
}

#[test]
fn nothing_is_left_of_a_node_and_its_machines() {
    let node = Node::new("gone");
    let machine = Vm::new(&node, &port("GONE").ip("10.0.0.5"));
    let names = [
        node.netns().name().to_owned(),
        machine.netns().name().to_owned(),
    ];
    let directory = node.directory().to_owned();
    for name in &names {
        assert!(Path::new(NAMES).join(name).exists(), "{name} is not there");
    }

    drop((machine, node));

    for name in &names {
        assert!(
            !Path::new(NAMES).join(name).exists(),
            "{name} is still there"
        );
    }
    assert!(!directory.exists(), "{directory:?} is still there");
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(directory.to_str().unwrap()), "{mounts}");
}

#[test]
fn a_namespace_is_removed_when_its_test_panics() {
    let mut name = String::new();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let netns = Netns::new("panic");
        netns.name().clone_into(&mut name);
        netns.run(|| panic!("on purpose"));
    }));
    assert!(
        result.is_err(),
        "the panic inside the namespace goes on outside"
    );
    assert!(
        !Path::new(NAMES).join(&name).exists(),
        "{name} is still there"
    );
}
