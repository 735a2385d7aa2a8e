//! What the kernel tells as it happens, to those who ask, and to nobody else.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sg_tests::crowd::wait_until;
use sg_tests::events::{Listener, asked};
use sg_tests::inventory::Port;
use sg_tests::node::Node;
use sg_tests::packet::{tcp, udp};
use sg_tests::traffic::Outcome::{Answered, Refused, Silence};
use sg_tests::traffic::{Connection, ask_udp};
use sg_tests::vm::{RawVm, Vm};

use crate::leak::{Leak, forged};
use crate::site::{HTTP, Site, client, site, web1};

/// How long something is waited for that is to come.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Time for an event to be read.
const SOON: Duration = Duration::from_secs(3);

/// Time without one.
const QUIET: Duration = Duration::from_millis(1500);

fn id(port: &Port) -> String {
    port.id().to_string()
}

/// Asks for these actions of WEB1.
fn of_web(actions: &[&str]) -> Value {
    json!({"ports": {id(&web1()): actions}})
}

/// The lines that are packets, and how many were lost.
fn packets(lines: &[Value], port: &Port) -> (Vec<Value>, u64) {
    let of_port = lines.iter().filter(|line| line["port"] == id(port));
    let (lost, packets): (Vec<_>, Vec<_>) = of_port
        .cloned()
        .partition(|line| line.get("lost").is_some());
    (
        packets,
        lost.iter().filter_map(|line| line["lost"].as_u64()).sum(),
    )
}

#[test]
fn a_new_connection_and_a_refused_packet_are_told_once_each_to_who_asked_for_the_port() {
    let mut site_ = Site::new("told");
    site_.node.start(&site(&[HTTP]));
    let mut listener = Listener::start(&site_.node, &of_web(&["accept", "drop"]));

    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);

    let lines = listener.all(QUIET);
    assert!(
        lines.iter().all(|line| line["port"] == id(&web1())),
        "{lines:?}"
    );
    let (accepted, dropped): (Vec<_>, Vec<_>) = lines
        .into_iter()
        .partition(|line| line["action"] == "ACCEPT");
    assert_eq!(accepted.len(), 1, "{accepted:?}");
    let syns = site_.count("ingress", "no_rule");
    assert_eq!(dropped.len() as u64, syns, "{dropped:?}");
    for (line, port, reason) in [(&accepted[0], 80, "new"), (&dropped[0], 443, "no_rule")] {
        assert_eq!(line["direction"], "ingress");
        assert_eq!(line["reason"], reason);
        assert_eq!(
            (&line["source"], &line["destination"]),
            (&json!("10.0.0.7"), &json!("10.0.0.5"))
        );
        assert_eq!(
            (&line["protocol"], &line["destination_port"]),
            (&json!(6), &json!(port))
        );
        assert_eq!(line["tcp_flags"], "SYN");
        let digits = line["frame"].as_str().unwrap().len() as u64;
        assert_eq!(digits, 2 * line["length"].as_u64().unwrap(), "{line}");
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
    }
}

#[test]
fn a_flood_at_one_port_loses_events_of_its_own_which_are_counted_and_none_of_another() {
    const FLOOD: u64 = 5_000;
    let mut leak = Leak::before_the_daemon("event-flood");
    let other = RawVm::new(&leak.node, &client());
    leak.node.start(&site(&[]));
    let mut listener = Listener::start(&leak.node, &json!({"all": ["drop"]}));

    for number in 0..FLOOD {
        leak.web.send(&forged());
        if number % 1000 == 0 {
            other.send(&forged());
        }
    }

    let lines = listener.all(QUIET);
    let (told, lost) = packets(&lines, &web1());
    assert_eq!(told.len() as u64 + lost, FLOOD);
    assert!((25..1000).contains(&told.len()), "{} are told", told.len());
    assert_eq!(told[0]["direction"], "egress");
    let (of_other, lost) = packets(&lines, &client());
    assert_eq!((of_other.len(), lost), (5, 0));
}

#[test]
fn what_is_refused_at_xdp_and_by_the_guard_is_told_too() {
    for mode in ["guard", "xdp"] {
        let mut leak = Leak::before_the_daemon(&format!("event-{mode}"));
        leak.node.write(&site(&[]));
        leak.node
            .start_with_settings(&format!("from_vm = '{mode}'"));
        let mut listener = Listener::start(&leak.node, &of_web(&["drop"]));

        leak.web.send(&forged());
        let long = udp("10.0.9.9:1", "10.0.0.9:2").payload(&[7; 300]).bytes();
        leak.web.send(&long);

        for frame in [forged(), long] {
            let line = listener
                .next(SOON)
                .unwrap_or_else(|| panic!("{mode}: it is not told"));
            assert_eq!(line["reason"], "spoofed_mac", "{mode}: {line}");
            assert_eq!(line["length"], frame.len(), "{mode}");
            let told = &frame[..frame.len().min(128)];
            let told: String = told.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(line["frame"], told, "{mode}");
        }
        assert_eq!(listener.next(QUIET), None, "{mode}: once each");
    }
}

#[test]
fn each_of_several_gets_what_it_asked_for_and_one_that_is_killed_leaves_nothing() {
    let mut site_ = Site::new("listeners");
    site_.node.start(&site(&[HTTP]));
    assert!(asked(&site_.node).is_empty());
    let mut accepts = Listener::start(&site_.node, &of_web(&["accept"]));
    let mut drops = Listener::start(&site_.node, &of_web(&["drop"]));
    assert_eq!(asked(&site_.node).len(), 1, "one port is asked for");

    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);
    let actions = |lines: Vec<Value>| -> Vec<Value> {
        lines.iter().map(|line| line["action"].clone()).collect()
    };
    assert_eq!(actions(accepts.all(QUIET)), ["ACCEPT"]);
    let dropped = actions(drops.all(QUIET));
    assert!(
        !dropped.is_empty() && dropped.iter().all(|action| action == "DROP"),
        "{dropped:?}"
    );

    drop(drops);
    drop(accepts);
    wait_until(PATIENCE, "the kernel goes on telling", || {
        asked(&site_.node).is_empty()
    });
}

#[test]
fn a_daemon_that_starts_again_tells_nobody_anything_until_somebody_asks() {
    let mut leak = Leak::before_the_daemon("event-restart");
    leak.node.start(&site(&[]));
    let listener = Listener::start(&leak.node, &of_web(&["drop"]));

    leak.node.kill();
    drop(listener);
    leak.web.send(&forged());
    assert_eq!(asked(&leak.node).len(), 1, "it could clear nothing");

    leak.node.start_again();
    assert!(asked(&leak.node).is_empty());
    leak.web.send(&forged());
    let mut listener = Listener::start(&leak.node, &of_web(&["drop"]));
    assert_eq!(listener.next(QUIET), None, "nothing from before");
    leak.web.send(&forged());
    assert!(listener.next(SOON).is_some());
}

#[test]
fn a_port_is_asked_for_before_it_is_there_and_when_it_is_plugged_again() {
    let mut node = Node::new("event-later");
    node.start(&site(&[]));
    let mut listener = Listener::start(&node, &of_web(&["drop"]));
    assert!(asked(&node).is_empty(), "it has no interface");
    for _ in 0..2 {
        let web = Vm::new(&node, &web1());
        wait_until(PATIENCE, "the port is not enforced", || {
            node.query("show port WEB1")["state"] == "enforcing"
        });
        web.send(&forged());
        let line = listener.next(SOON);
        assert!(line.is_some(), "it is not told");
        drop(web);
        sleep(Duration::from_millis(700));
        listener.all(Duration::from_millis(100));
    }
}

#[test]
fn a_request_that_is_not_understood_is_refused_with_field_and_value() {
    let mut node = Node::new("event-usage");
    node.start(&site(&[]));
    for (request, word) in [
        (json!({}), "nothing is asked for"),
        (json!({"ports": {"WEB1": ["drop"]}}), "WEB1"),
        (json!({"all": ["drop"], "rate": 0}), "rate: 0"),
        (json!({"all": ["refuse"]}), "refuse"),
    ] {
        let (status, answer) = node.request("POST", "/v1/events", &request.to_string());
        assert_eq!(status, 400, "{answer}");
        assert!(answer.contains(word), "{answer}");
    }
}

/// Lifetimes of a second, so that the sweep finds what is over.
const SHORT: &str = "timeouts.tcp_time_wait = 1\ntimeouts.tcp_established = 4\ntimeouts.udp = 1\n";

/// Longer than a round of the sweep through the tables of all ports takes.
const SWEPT: Duration = Duration::from_secs(60);

#[test]
fn the_end_of_a_connection_is_told_with_how_it_ended_and_how_long_it_has_lived() {
    let mut site_ = Site::new("event-end");
    let dns = "ingress IPv4 udp 53 from 0.0.0.0/0";
    site_.node.write(&site(&[HTTP, dns]));
    site_.node.start_with_settings(SHORT);
    let mut listener = Listener::start(&site_.node, &of_web(&["end"]));
    let mut others = Listener::start(&site_.node, &of_web(&["drop"]));

    assert_eq!(site_.ask(80), Answered);
    // Nobody serves it.
    assert_eq!(ask_udp(site_.client.netns(), site_.web.v4(), 53), Refused);
    let mut open = Connection::open(site_.client.netns(), site_.web.v4(), 80).unwrap();
    assert_eq!(open.ask(), Answered);
    site_.node.apply(&site(&[])).expect(0);
    assert_eq!(open.ask(), Silence);

    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + SWEPT;
    while seen.len() < 3 && Instant::now() < deadline {
        let Some(line) = listener.next(SOON) else {
            continue;
        };
        assert_eq!(line["action"], "END", "the openings were not asked for");
        let lived = line["lived_ms"].as_u64().expect("its opening was told");
        assert!((1_000..90_000).contains(&lived), "{line}");
        assert_eq!(line["direction"], "ingress", "{line}");
        assert_eq!(line["source"], "10.0.0.7", "{line}");
        assert!(line.get("frame").is_none(), "{line}");
        let word = |field: &str| line[field].to_string();
        seen.insert((word("protocol"), word("destination_port"), word("reason")));
    }
    let word = |text: &str| text.to_owned();
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [
            (word("17"), word("53"), word("\"timed_out\"")),
            (word("6"), word("80"), word("\"closed\"")),
            (word("6"), word("80"), word("\"revoked\"")),
        ]
    );
    let others = others.all(QUIET);
    assert!(
        others.iter().all(|line| line["action"] == "DROP"),
        "{others:?}"
    );
}

#[test]
fn a_reset_of_what_nobody_has_answered_ends_it_at_once() {
    let mut leak = Leak::before_the_daemon("event-reset");
    leak.node.start(&site(&[HTTP]));
    let mut listener = Listener::start(&leak.node, &of_web(&["accept", "end"]));
    let web = web1().mac_address();
    let segment = || tcp("10.0.0.99:40000", "10.0.0.5:80").to_mac(web);
    leak.send_to_web(&segment().syn().bytes());
    leak.send_to_web(&segment().rst().bytes());
    let lines = listener.all(QUIET);
    let actions: Vec<_> = lines
        .iter()
        .map(|line| (&line["action"], &line["reason"]))
        .collect();
    assert_eq!(
        actions,
        [
            (&json!("ACCEPT"), &json!("new")),
            (&json!("END"), &json!("reset"))
        ]
    );
    assert!(
        lines[1]["lived_ms"]
            .as_u64()
            .is_some_and(|lived| lived < 1_000),
        "{lines:?}"
    );
}
