//! What a VM sends is filtered at XDP where the operator or a switch in user space wants it.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use sg_tests::bench::empty;
use sg_tests::capture::Capture;
use sg_tests::inventory::{Inventory, group};
use sg_tests::node::Node;
use sg_tests::packet::{DOT1AD, udp};

use crate::leak::{Leak, forged};
use crate::order::{kinds, wait_until};
use crate::site::{site, web1};

const SOON: Duration = Duration::from_secs(1);

/// The ways of the programs of a tap with a guard.
const GUARDED: [&str; 3] = ["from_vm tcx", "from_vm xdp", "to_vm tcx"];

/// `XDP_PASS`.
const PASS: i32 = 2;

#[test]
fn at_xdp_a_forged_frame_reaches_no_packet_socket_and_an_honest_one_passes() {
    let leak = Leak::before_the_daemon("xdp").start_with_settings("from_vm = 'xdp'");
    let socket = Capture::of(leak.node.netns(), &web1().interface());

    leak.web.send(&forged());

    assert!(!socket.sees(SOON, &forged()), "it is dropped too late");
    leak.expect_filtered();
    assert_eq!(ways(&leak.node), ["from_vm xdp", "to_vm tcx"]);
    let text = leak.node.sgctl("show port WEB1").stdout;
    assert!(
        text.contains("; xdp link ") && text.contains("(native)"),
        "{text}"
    );
    let status = leak.node.sgctl("status").stdout;
    assert!(status.contains("set from_vm = \"xdp\""), "{status}");
    leak.node.sgctl("status").expect(0);
}

#[test]
fn nothing_passes_while_the_filter_moves_between_tc_xdp_and_guard() {
    let leak = Leak::before_the_daemon("xdp-moves").start_with_settings("from_vm = 'tc'");
    let (leaked, ()) = leak.during(|| {
        for mode in ["xdp", "tc", "guard", "xdp", "guard", "tc", "xdp", "tc"] {
            leak.node.set(&format!("from_vm = '{mode}'"));
            match mode {
                "guard" => wait_until(&leak.node, |_| ways(&leak.node) == GUARDED),
                "xdp" => wait_for_way(&leak.node, "xdp"),
                _ => wait_for_way(&leak.node, "tcx"),
            }
        }
    });
    assert_eq!(leaked, 0);
    leak.expect_filtered();
    let log = leak.node.log();
    assert!(!log.contains("find out who"), "{log}");
}

#[test]
fn a_guard_drops_forged_frames_before_packet_sockets_and_what_no_rule_permits_while_it_floods() {
    const MANY: usize = 4_000;
    let mut leak = Leak::before_the_daemon("xdp-guard");
    leak.node.write(&site_without_egress());
    leak.node.start_with_settings("from_vm = 'guard'");
    assert_eq!(ways(&leak.node), GUARDED);
    let socket = Capture::of(leak.node.netns(), &web1().interface());
    let refused = udp("10.0.0.5:1000", "10.0.0.9:2000").bytes();

    leak.web.send(&forged());
    leak.web.send(&refused);

    assert!(socket.sees(SOON, &refused), "it is left to tc");
    assert!(!socket.sees(SOON, &forged()), "it is dropped too late");
    for _ in 0..MANY {
        leak.web.send(&refused);
    }
    let counted = counted(&leak.node);
    assert_eq!(counted["no_rule"][0], MANY as u64 + 1, "{counted:?}");
    assert_eq!(counted["spoofed_mac"][0], 1, "{counted:?}");
    let after_tc = std::iter::from_fn(|| socket.sees(SOON, &refused).then_some(())).count();
    assert!(after_tc < MANY, "all of them came to tc");
    // What a port may do passes while it floods.
    leak.node.apply(&site(&[]));
    assert!(leak.passes());
}

#[test]
fn a_guard_outlives_the_daemon_and_is_taken_over_as_one() {
    let mut leak = Leak::before_the_daemon("xdp-guarded").start_with_settings("from_vm = 'guard'");
    let [_, after] = start_again(&mut leak, "from_vm = 'guard'");
    assert_eq!(after["program"]["name"], "guard");
    assert_eq!(ways(&leak.node), GUARDED);
}

#[test]
fn one_port_may_be_filtered_at_xdp_and_the_others_at_tc() {
    let settings = format!("from_vm = 'tc'\n[ports.{}]\nfrom_vm = 'xdp'", web1().id());
    let leak = Leak::before_the_daemon("xdp-port").start_with_settings(&settings);
    leak.expect_filtered();
    assert_eq!(ways(&leak.node), ["from_vm xdp", "to_vm tcx"]);
    let changed = leak.node.query("status")["settings"]["settings"].to_string();
    assert!(
        changed.contains(&format!("ports.{}.from_vm", web1().id())),
        "{changed}"
    );
}

#[test]
fn the_filter_at_xdp_outlives_the_daemon_and_is_taken_over_by_the_next() {
    let mut leak = Leak::before_the_daemon("xdp-restart").start_with_settings("from_vm = 'xdp'");
    let [before, after] = start_again(&mut leak, "from_vm = 'xdp'");
    let program = |hook: &Value| hook["program"]["id"].clone();
    assert_eq!(program(&before), program(&after), "used as it is");
}

#[test]
fn a_link_of_xdp_that_is_taken_off_is_put_back_and_its_pin_too() {
    let leak = Leak::before_the_daemon("xdp-off").start_with_settings("from_vm = 'xdp'");
    bpftool(
        &leak.node,
        &[
            "link",
            "detach",
            "pinned",
            pin(&leak.node).to_str().unwrap(),
        ],
    );
    wait_until(&leak.node, |status| status["restored"] == 1);
    leak.expect_filtered();

    fs::remove_file(pin(&leak.node)).unwrap();
    wait_until(&leak.node, |status| status["pinned_again"] == 1);
    assert!(pin(&leak.node).exists());
    leak.expect_filtered();
    assert_eq!(ways(&leak.node), ["from_vm xdp", "to_vm tcx"]);
}

#[test]
fn detach_takes_the_filter_off_xdp() {
    let mut leak = Leak::before_the_daemon("xdp-detach").start_with_settings("from_vm = 'xdp'");
    leak.node.terminate();
    leak.expect_filtered();
    leak.node.sgd("detach").expect(0);
    assert!(leak.leaks() > 0);
}

#[test]
fn where_another_program_is_at_xdp_that_is_told_and_the_filter_is_at_tc() {
    let leak = Leak::before_the_daemon("xdp-taken");
    let interface = web1().interface();
    let other = leak.node.bpffs().join("other");
    empty::pin_xdp(&other, PASS);
    ip(
        &leak.node,
        &format!("link set dev {interface} xdpdrv pinned {}", other.display()),
    );
    let leak = leak.start_with_settings("from_vm = 'xdp'");

    assert_eq!(kinds(&leak.node), ["xdp_taken"]);
    leak.expect_filtered();
    assert_eq!(ways(&leak.node), ["from_vm tcx", "to_vm tcx"]);
    leak.node.sgctl("status").expect(0);
    let status = leak.node.query("status");
    let remedy = status["interfaces"][0]["remedy"].as_str().unwrap();
    let command = remedy
        .split('`')
        .find_map(|quoted| quoted.strip_prefix("ip "));
    ip(&leak.node, command.unwrap_or_else(|| panic!("{remedy}")));

    wait_until(&leak.node, |_| kinds(&leak.node).is_empty());
    wait_for_way(&leak.node, "xdp");
    leak.expect_filtered();
}

#[test]
fn a_tap_that_a_packet_socket_carries_on_is_filtered_at_xdp_by_itself_and_enforcing() {
    let leak = Leak::before_the_daemon("xdp-auto").start_with_settings("");
    let interface = web1().interface();
    assert_eq!(ways(&leak.node), ["from_vm tcx", "to_vm tcx"]);
    leak.node
        .netns()
        .ip(&format!("link set {interface} nomaster"));
    let switch = Capture::of(leak.node.netns(), &interface);

    wait_for_way(&leak.node, "xdp");

    leak.web.send(&forged());
    assert!(!switch.sees(SOON, &forged()), "it is dropped too late");
    assert_eq!(leak.node.query("show port WEB1")["state"], "enforcing");
    assert!(kinds(&leak.node).is_empty());
    drop(switch);
    wait_for_way(&leak.node, "tcx");
}

#[test]
fn where_the_driver_has_no_place_for_it_the_filter_is_at_xdp_of_the_network_stack() {
    let mut node = Node::new("xdp-generic");
    let interface = web1().interface();
    node.netns()
        .ip(&format!("link add {interface} type bridge"));
    node.write(&site(&[]));
    node.start_with_settings("from_vm = 'xdp'");
    assert_eq!(ways(&node), ["from_vm xdp", "to_vm tcx"]);
    assert_eq!(link(&node)["link"]["native"], false);
    let text = node.sgctl("show port WEB1").stdout;
    assert!(text.contains("(generic), pinned at "), "{text}");
    assert!(kinds(&node).is_empty());
}

#[test]
fn real_frames_with_tags_and_without_leave_the_same_in_every_mode_however_they_are_written() {
    let settings = |mode: &str| format!("from_vm = '{mode}'\ntagged = 'pass'");
    let leak = Leak::before_the_daemon("xdp-same").start_with_settings(&settings("tc"));
    let at_tc = leave(&leak);
    // Else this says nothing.
    let passed = |left: &(Vec<_>, BTreeMap<_, _>)| (left.0.len(), left.1.clone());
    assert_eq!(at_tc.0.len(), 8, "{:?}", at_tc.1);
    for mode in ["xdp", "guard"] {
        leak.node.set(&settings(mode));
        wait_until(&leak.node, |_| {
            ways(&leak.node).contains(&"from_vm xdp".into())
                && ways(&leak.node).len() == if mode == "guard" { 3 } else { 2 }
        });
        for blocking in [false, true] {
            leak.web.set_blocking(blocking);
            let left = leave(&leak);
            assert_eq!(passed(&left), passed(&at_tc), "{mode}, {blocking}");
            assert!(left.0 == at_tc.0, "{mode}, {blocking}: other bytes");
        }
    }
}

/// Kills the daemon and starts it again; what judged before and what judges after, by the same link. Nothing forged
/// passes meanwhile.
fn start_again(leak: &mut Leak, settings: &str) -> [Value; 2] {
    let before = link(&leak.node);
    let (leaked, ()) = leak.during_with(|node| {
        node.kill();
        sleep(Duration::from_millis(300));
        node.start_with_settings(settings);
    });
    assert_eq!(leaked, 0);
    leak.expect_filtered();
    let after = link(&leak.node);
    assert_eq!(before["link"], after["link"], "the same link");
    [before, after]
}

/// The site, in which WEB1 may send nothing.
fn site_without_egress() -> Inventory {
    Inventory::new().port(web1()).group(group("WEB_SERVERS"))
}

/// What comes out of frames from WEB1, and what is counted.
fn leave(leak: &Leak) -> (Vec<Vec<u8>>, BTreeMap<String, [u64; 2]>) {
    let honest = |port: u16| {
        udp("10.0.0.5:1000", &format!("10.0.0.9:{port}"))
            .from_mac(web1().mac_address())
            .payload(b"with a payload of some length")
    };
    let passing = [
        honest(1),
        honest(2).vlan(0),
        honest(3).vlan(100),
        honest(4).vlan(0x0fff),
        honest(5).tag(DOT1AD, 100),
        honest(6).payload(&[7; 1400]).vlan(100),
        honest(7).vlan(200).vlan(100),
        honest(8).vlan(200).tag(DOT1AD, 100),
    ];
    let forged = || udp("10.0.9.9:1000", "10.0.0.9:2000");
    let falling = [
        forged().from_mac(web1().mac_address()),
        forged().from_mac(web1().mac_address()).vlan(0),
        forged().vlan(100),
        forged().vlan(200).vlan(0),
    ];
    let before = counted(&leak.node);
    let packets = falling.iter().chain(&passing);
    packets.for_each(|packet| leak.web.send(&packet.bytes()));
    let seen = leak.arrived();
    let after = counted(&leak.node);
    let moved = after.into_iter().map(|(name, [packets, bytes])| {
        let [packets_before, bytes_before] = before.get(&name).copied().unwrap_or_default();
        (name, [packets - packets_before, bytes - bytes_before])
    });
    (seen, moved.filter(|(_, count)| *count != [0, 0]).collect())
}

/// Packets and bytes of what WEB1 has sent, by their verdicts. Whether a connection is new or known depends
/// on what was sent before.
fn counted(node: &Node) -> BTreeMap<String, [u64; 2]> {
    let counters = node.query("counters WEB1");
    let egress = counters[0]["egress"].as_object().expect("counters");
    let mut counted = BTreeMap::<_, [u64; 2]>::new();
    for (name, count) in egress {
        let name = match name.as_str() {
            "new" | "established" => "passed",
            name => name,
        };
        let sum = counted.entry(name.to_owned()).or_default();
        for (sum, field) in sum.iter_mut().zip(["packets", "bytes"]) {
            *sum += count[field].as_u64().expect("a count");
        }
    }
    counted
}

/// The programs of WEB1: hook, and how they hang there.
fn ways(node: &Node) -> Vec<String> {
    let detail = node.query("show port WEB1");
    let hooks = detail["hooks"].as_array().expect("a list of hooks");
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut ways: Vec<_> = hooks
        .iter()
        .map(|hook| text(&hook["hook"]) + " " + &text(&hook["link"]["way"]))
        .collect();
    ways.sort();
    ways
}

/// What judges what WEB1 sends.
fn link(node: &Node) -> Value {
    let detail = node.query("show port WEB1");
    let mut hooks = detail["hooks"].as_array().into_iter().flatten();
    let found = hooks.find(|hook| hook["hook"] == "from_vm");
    found.cloned().unwrap_or_else(|| panic!("{detail}"))
}

#[track_caller]
fn wait_for_way(node: &Node, way: &str) {
    let wanted = [format!("from_vm {way}"), "to_vm tcx".into()];
    wait_until(node, |_| ways(node) == wanted);
}

fn pin(node: &Node) -> PathBuf {
    let ifindex = node.netns().ifindex(&web1().interface());
    let version = format!("v{}/links", sg_common::layout::maps::ABI);
    node.pins()
        .join(version)
        .join(format!("{ifindex}-from_vm-xdp"))
}

fn bpftool(node: &Node, words: &[&str]) {
    let mut command = Command::new("bpftool");
    command.args(words);
    node.output(command).expect(0);
}

fn ip(node: &Node, words: &str) {
    let mut command = Command::new("ip");
    command.args(words.split_whitespace());
    node.output(command).expect(0);
}
