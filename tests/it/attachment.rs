//! Whoever takes a filter off an interface finds it back there.

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sg_tests::node::Node;
use sg_tests::others::{FROM_VM, NEXT, Other, PASS, TO_VM};
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, Site, site, web1};

/// The daemon looks after its filters every five seconds.
const PATIENCE: Duration = Duration::from_secs(12);

#[test]
fn a_detached_link_is_put_back_counted_and_told() {
    let mut site_ = Site::new("link-off");
    site_.node.start(&site(&[HTTP]));
    detach_links(&site_.node);
    assert_eq!(site_.ask(443), Answered, "detached is open");

    wait_until_restored(&site_.node);

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
    let log = site_.node.log();
    assert!(log.contains("find out who took it off"), "{log}");
}

#[test]
fn a_removed_qdisc_is_put_back_at_once_with_its_filters() {
    let mut site_ = Site::new("qdisc-off");
    start_clsact(&mut site_.node);
    tc(
        &site_.node,
        &format!("qdisc del dev {} clsact", web1().interface()),
    );

    wait_until_restored(&site_.node);

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn a_filter_taken_off_while_no_daemon_ran_is_put_back_by_the_next() {
    let mut site_ = Site::new("off-between");
    site_.node.start(&site(&[HTTP]));
    site_.node.terminate();
    detach_links(&site_.node);
    assert_eq!(site_.ask(443), Answered, "detached is open");

    site_.node.start_again();

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(restored(&site_.node), 1);
}

#[test]
fn a_filter_whose_mark_was_lost_is_adopted_and_a_mark_without_a_filter_gets_one() {
    let mut site_ = Site::new("marks");
    start_clsact(&mut site_.node);
    site_.node.kill();
    for hook in ["from_vm", "to_vm"] {
        fs::remove_dir(link(&site_.node, hook, "-clsact")).unwrap();
    }
    start_clsact(&mut site_.node);
    assert_eq!(site_.ask(443), Silence);

    site_.node.kill();
    for direction in ["ingress", "egress"] {
        tc(
            &site_.node,
            &format!("filter del dev {} {direction}", web1().interface()),
        );
    }
    assert_eq!(site_.ask(443), Answered, "without its filter it is open");
    start_clsact(&mut site_.node);
    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn where_tcx_is_refused_clsact_is_used_and_that_is_said_once() {
    let mut site_ = Site::new("full-tcx");
    let interface = web1().interface();
    // The kernel runs no more programs than this at one hook (`bpf_mprog_max`).
    let _others: Vec<Other> = (0..63)
        .map(|_| Other::new(&site_.node, &interface, TO_VM, NEXT))
        .collect();

    site_.node.start(&site(&[HTTP]));

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
    let log = site_.node.log();
    assert_eq!(log.matches("clsact from now on").count(), 1, "{log}");
    assert_eq!(site_.node.query("status")["attach"], "clsact");
}

#[test]
fn the_filter_runs_before_a_program_that_lets_everything_pass() {
    let mut site_ = Site::new("first");
    let interface = web1().interface();
    let _others = [FROM_VM, TO_VM].map(|hook| Other::new(&site_.node, &interface, hook, PASS));

    site_.node.start(&site(&[HTTP]));

    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

#[test]
fn detach_takes_off_the_filters_of_another_layout_too() {
    let mut site_ = Site::new("old-layout");
    start_clsact(&mut site_.node);
    site_.node.terminate();
    let pins = site_.node.pins();
    let ours = pins.join(format!("v{}", sg_common::layout::maps::ABI));
    fs::rename(&ours, pins.join("v1")).unwrap();
    assert_eq!(site_.ask(443), Silence);

    site_.node.sgd("detach").expect(0);

    assert_eq!(site_.ask(443), Answered);
    assert!(!pins.exists(), "{pins:?} is still there");
}

#[test]
fn detach_names_the_filters_whose_pins_were_removed_by_hand() {
    let mut site_ = Site::new("no-pins");
    start_clsact(&mut site_.node);
    site_.node.terminate();
    fs::remove_dir_all(site_.node.pins()).unwrap();

    let detached = site_.node.sgd("detach");

    detached.expect(0);
    let command = format!("tc filter del dev {} ingress pref 1", web1().interface());
    assert!(detached.stderr.contains(&command), "{}", detached.stderr);
}

fn start_clsact(node: &mut Node) {
    let inventory = site(&[HTTP]).json().to_string();
    fs::write(node.inventory_path(), inventory).unwrap();
    node.start_with(&["--attach", "clsact"]);
}

/// The pin of WEB1 at a hook.
fn link(node: &Node, hook: &str, suffix: &str) -> String {
    let ifindex = node.netns().ifindex(&web1().interface());
    let version = format!("v{}/links", sg_common::layout::maps::ABI);
    let pin = node
        .pins()
        .join(version)
        .join(format!("{ifindex}-{hook}{suffix}"));
    pin.to_str().unwrap().to_owned()
}

fn detach_links(node: &Node) {
    for hook in ["from_vm", "to_vm"] {
        let mut command = Command::new("bpftool");
        command.args(["link", "detach", "pinned", &link(node, hook, "")]);
        node.output(command).expect(0);
    }
}

fn restored(node: &Node) -> u64 {
    node.query("status")["restored"].as_u64().expect("a count")
}

fn wait_until_restored(node: &Node) {
    let deadline = Instant::now() + PATIENCE;
    while restored(node) == 0 {
        assert!(Instant::now() < deadline, "not put back:\n{}", node.log());
        sleep(Duration::from_millis(100));
    }
}

fn tc(node: &Node, words: &str) {
    let mut command = Command::new("tc");
    command.args(words.split_whitespace());
    node.output(command).expect(0);
}
