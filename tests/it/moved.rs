//! A tap that is moved to another network namespace lives on, and so does its filter.

use std::thread::sleep;
use std::time::{Duration, Instant};

use sg_tests::inventory::Inventory;
use sg_tests::netns::Netns;
use sg_tests::node::Node;
use sg_tests::vm::RawVm;

use crate::leak::{Leak, forged};
use crate::order::{kinds, wait_until};
use crate::site::web1;

/// Time for the daemon to see what netlink tells.
const NOTICE: Duration = Duration::from_millis(700);

#[test]
fn a_moved_tap_stays_closed_where_it_is_and_is_enforced_when_it_is_back() {
    moves(&Leak::new("moved", "tcx"));
    moves(&Leak::before_the_daemon("moved-xdp").start_with_settings("from_vm = 'xdp'"));
}

#[track_caller]
fn moves(leak: &Leak) {
    let elsewhere = Node::new("elsewhere");
    let witness = RawVm::on(&elsewhere, "tap-elsewhere");
    let interface = web1().interface();

    let (leaked, ()) = leak.during(|| {
        give(leak.node.netns(), elsewhere.netns());
        sleep(NOTICE);
        assert_eq!(kinds(&leak.node), ["moved"]);
        let status = leak.node.query("status");
        assert_eq!(status["interfaces"][0]["interface"], interface, "{status}");
        assert_eq!(status["ports"]["elsewhere"], 2, "{status}");
    });
    let frame = witness.find(NOTICE, |frame| frame == forged());
    assert!(frame.is_none(), "it is open where it is now");

    let (leaked_back, ()) = leak.during(|| {
        give(elsewhere.netns(), leak.node.netns());
        wait_until(&leak.node, |status| status["ports"]["enforcing"] == 1);
    });
    assert_eq!((leaked, leaked_back), (0, 0));
    leak.expect_filtered();
    assert!(kinds(&leak.node).is_empty());
    assert_eq!(leak.node.query("status")["restored"], 0);
}

#[test]
fn a_restarted_daemon_knows_the_filter_of_a_tap_that_is_away() {
    restarts(Leak::new("moved-restart", "tcx"), "");
    let at_xdp = "from_vm = 'xdp'";
    restarts(
        Leak::before_the_daemon("moved-again").start_with_settings(at_xdp),
        at_xdp,
    );
}

#[track_caller]
fn restarts(leak: Leak, settings: &str) {
    let (mut leak, elsewhere) = away(leak);
    leak.node.terminate();
    leak.node.start_with_settings(settings);
    assert_eq!(kinds(&leak.node), ["moved"]);
    let pinned_again = leak.node.query("status")["pinned_again"].clone();
    assert_eq!(pinned_again, 0, "its pins were never away");

    let (leaked, ()) = leak.during(|| {
        give(elsewhere.netns(), leak.node.netns());
        wait_until(&leak.node, |status| status["ports"]["enforcing"] == 1);
    });

    assert_eq!(leaked, 0);
    leak.expect_filtered();
}

#[test]
fn a_moved_tap_that_is_deleted_there_is_forgotten_and_detach_opens_one_that_lives() {
    let (mut leak, elsewhere) = moved("moved-end", "tcx");
    elsewhere
        .netns()
        .ip(&format!("link del {}", web1().interface()));
    assert!(kinds(&leak.node).is_empty());

    leak.web = RawVm::new(&leak.node, &web1());
    wait_until(&leak.node, |status| status["ports"]["enforcing"] == 1);
    leak.expect_filtered();
    give(leak.node.netns(), elsewhere.netns());
    wait_until(&leak.node, |status| status["ports"]["enforcing"] == 0);
    leak.node.terminate();
    leak.node.sgd("detach").expect(0);
    give(elsewhere.netns(), leak.node.netns());
    assert!(leak.leaks() > 0, "detached is open");
}

#[test]
fn the_tap_of_a_dhcp_server_that_gets_to_its_namespace_is_open_there() {
    // As of a bridge of Open vSwitch: made where the daemon is, and moved as soon as it is there.
    let leak = Leak::before_the_daemon("moved-dhcp");
    let server = web1().with("device_owner", "network:dhcp");
    let leak = leak.start_as(&Inventory::new().port(server.groups(&[])), "tcx");
    let elsewhere = Node::new("elsewhere");
    let witness = RawVm::on(&elsewhere, "tap-elsewhere");
    give(leak.node.netns(), elsewhere.netns());
    wait_until(&leak.node, |status| status["ports"]["elsewhere"] == 1);
    assert!(kinds(&leak.node).is_empty());

    leak.during(|| sleep(NOTICE));

    let frame = witness.find(NOTICE, |frame| frame == forged());
    assert!(frame.is_some(), "it is closed:\n{}", leak.node.log());
    give(elsewhere.netns(), leak.node.netns());
    wait_until(&leak.node, |status| status["ports"]["unfiltered"] == 1);
}

#[test]
fn a_tap_that_moved_before_a_restart_is_open_there_when_its_port_is_no_longer_filtered() {
    let (mut leak, _elsewhere) = moved("moved-freed", "tcx");
    leak.node.terminate();
    leak.node.start_again();
    assert_eq!(kinds(&leak.node), ["moved"]);

    let server = web1().with("device_owner", "network:dhcp").groups(&[]);
    leak.node.apply(&Inventory::new().port(server)).expect(0);

    let deadline = Instant::now() + NOTICE * 20;
    while !kinds(&leak.node).is_empty() {
        assert!(Instant::now() < deadline, "{:?}", kinds(&leak.node));
        sleep(NOTICE / 10);
    }
}

#[test]
fn with_clsact_a_tap_is_filtered_again_as_soon_as_it_is_back() {
    let (leak, elsewhere) = moved("moved-tc", "clsact");
    give(elsewhere.netns(), leak.node.netns());
    wait_until(&leak.node, |status| status["ports"]["enforcing"] == 1);
    leak.expect_filtered();
}

/// A filtered tap that was moved, and where it is now.
fn moved(label: &str, way: &str) -> (Leak, Node) {
    away(Leak::new(label, way))
}

fn away(leak: Leak) -> (Leak, Node) {
    let elsewhere = Node::new("elsewhere");
    give(leak.node.netns(), elsewhere.netns());
    wait_until(&leak.node, |status| status["ports"]["enforcing"] == 0);
    (leak, elsewhere)
}

/// Moves the tap of WEB1 and plugs it into the bridge there.
fn give(from: &Netns, to: &Netns) {
    let interface = web1().interface();
    from.ip(&format!("link set {interface} netns {}", to.name()));
    to.ip(&format!("link set {interface} master br0"));
    to.ip(&format!("link set {interface} up"));
}
