//! The filter is the first at its hook, or the port is not called enforced.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sg_tests::bench::empty;
use sg_tests::node::Node;
use sg_tests::others::{FROM_VM, NEXT, Other, PASS, TO_VM};
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::leak::Leak;
use crate::site::{HTTP, Site, site, web1};

/// The daemon looks every five seconds, and at what netlink tells at once.
const PATIENCE: Duration = Duration::from_secs(12);

#[test]
fn a_program_put_before_the_filter_is_behind_it_again_at_the_next_look() {
    let leak = Leak::new("before", "tcx");
    leak.expect_filtered();
    let _other = Other::first(&leak.node, &web1().interface(), FROM_VM, PASS);
    assert!(leak.leaks() > 0, "what it lets pass bypasses the filter");

    wait_for(&leak.node, "retaken", 1);

    leak.expect_filtered();
    assert_eq!(leak.node.query("status")["ports"]["enforcing"], 1);
    let log = leak.node.log();
    assert!(
        log.contains("another program was before the filter"),
        "{log}"
    );
}

#[test]
fn the_place_before_a_program_towards_the_machine_is_taken_again_too() {
    let mut site_ = Site::new("before-to");
    site_.node.start(&site(&[HTTP]));
    let _other = Other::first(&site_.node, &web1().interface(), TO_VM, PASS);

    wait_for(&site_.node, "retaken", 1);

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn nothing_passes_while_the_filter_takes_its_place_again() {
    let leak = Leak::new("gapless", "tcx");
    // It passes nothing by itself, so each forged frame that comes out came through a gap of ours.
    let (leaked, others) = leak.during(|| {
        [1, 2].map(|times| {
            let other = Other::first(&leak.node, &web1().interface(), FROM_VM, NEXT);
            wait_for(&leak.node, "retaken", times);
            other
        })
    });
    assert_eq!(leaked, 0);
    drop(others);
    assert!(leak.passes());
}

#[test]
fn a_place_that_is_fought_for_is_told_as_such_and_not_called_enforced() {
    let leak = Leak::new("fight", "tcx");
    let _others: Vec<_> = (1..=3)
        .map(|times| {
            let other = Other::first(&leak.node, &web1().interface(), FROM_VM, PASS);
            wait_for(&leak.node, "retaken", times);
            other
        })
        .collect();

    wait_until(&leak.node, |status| {
        status["interfaces"].to_string().contains("contended")
    });

    let status = leak.node.query("status");
    assert_eq!(status["ports"]["open"], 1, "{status}");
    let list = leak.node.sgctl("list ports");
    assert!(list.stdout.contains("is contended"), "{}", list.stdout);
}

#[test]
fn a_filter_put_before_ours_at_clsact_is_behind_it_again_at_once() {
    let leak = Leak::new("before-tc", "clsact");
    leak.expect_filtered();
    add_filter(&leak.node, 9);

    wait_for(&leak.node, "retaken", 1);

    leak.expect_filtered();
}

#[test]
fn a_filter_that_was_first_before_the_daemon_came_is_got_before() {
    let leak = Leak::before_the_daemon("first-tc");
    tc(
        &leak.node,
        &format!("qdisc add dev {} clsact", web1().interface()),
    );
    add_filter(&leak.node, 1);
    leak.start("clsact").expect_filtered();
}

#[test]
fn with_clsact_a_program_of_tcx_is_told_for_as_long_as_it_is_there() {
    let leak = Leak::new("tcx-first", "clsact");
    let other = Other::first(&leak.node, &web1().interface(), FROM_VM, PASS);

    assert_eq!(kinds(&leak.node), ["not_first"]);
    let status = leak.node.query("status");
    assert_eq!(status["ports"]["open"], 1, "{status}");
    let port = leak.node.query("show port WEB1");
    assert_eq!(port["state"], "open", "{port}");
    let list = leak.node.sgctl("list ports").stdout;
    assert!(
        list.contains("by tcx at ingress) before our filter"),
        "{list}"
    );

    drop(other);
    assert!(kinds(&leak.node).is_empty());
    leak.expect_filtered();
    assert_eq!(leak.node.query("status")["ports"]["enforcing"], 1);
}

#[test]
fn where_an_ingress_qdisc_stands_clsact_says_how_to_go_on_and_goes_on_by_itself() {
    let mut site_ = Site::new("ingress");
    let interface = web1().interface();
    tc(&site_.node, &format!("qdisc add dev {interface} ingress"));
    fs::write(
        site_.node.inventory_path(),
        site(&[HTTP]).json().to_string(),
    )
    .unwrap();

    site_.node.start_with(&["--attach", "clsact"]);

    assert_eq!(kinds(&site_.node), ["ingress_qdisc"]);
    let status = site_.node.query("status");
    assert_eq!(status["ports"]["open"], 1, "{status}");
    let remedy = status["interfaces"][0]["remedy"].as_str().unwrap_or("");
    let command = format!("tc qdisc del dev {interface} ingress");
    assert!(remedy.contains(&format!("`{command}`")), "{remedy}");
    assert_eq!(site_.ask(80), Silence, "nothing comes from the machine");

    tc(&site_.node, command.strip_prefix("tc ").unwrap());
    wait_until(&site_.node, |status| status["ports"]["enforcing"] == 2);

    assert!(kinds(&site_.node).is_empty());
    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn an_ingress_qdisc_is_nothing_to_tcx() {
    let mut site_ = Site::new("ingress-tcx");
    tc(
        &site_.node,
        &format!("qdisc add dev {} ingress", web1().interface()),
    );
    site_.node.start(&site(&[HTTP]));
    assert!(kinds(&site_.node).is_empty());
    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

/// The kinds of trouble that the status tells of.
pub fn kinds(node: &Node) -> Vec<String> {
    let status = node.query("status");
    let troubles = status["interfaces"].as_array().cloned().unwrap_or_default();
    let kinds = troubles
        .iter()
        .map(|trouble| trouble["kind"].as_str().unwrap_or("?").to_owned());
    kinds.collect()
}

/// Waits for a count of the status.
#[track_caller]
pub fn wait_for(node: &Node, count: &str, at_least: u64) {
    wait_until(node, |status| status[count].as_u64() >= Some(at_least));
}

/// Waits for a status.
#[track_caller]
pub fn wait_until(node: &Node, is_met: impl Fn(&serde_json::Value) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let status = node.query("status");
        if is_met(&status) {
            return;
        }
        assert!(Instant::now() < deadline, "{status:#}\n{}", node.log());
        sleep(Duration::from_millis(100));
    }
}

/// Adds a filter that lets everything pass, of the priority of ours.
fn add_filter(node: &Node, handle: u32) {
    let pin = node.bpffs().join("pass");
    empty::pin_saying(&pin, PASS);
    let (interface, pin_) = (web1().interface(), pin.display());
    tc(
        node,
        &format!("filter add dev {interface} ingress pref 1 handle {handle} bpf da pinned {pin_}"),
    );
    fs::remove_file(&pin).unwrap();
}

#[track_caller]
fn tc(node: &Node, words: &str) {
    let mut command = Command::new("tc");
    command.args(words.split_whitespace());
    node.output(command).expect(0);
}
