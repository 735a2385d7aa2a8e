//! Connections that have expired leave the tables, with a daemon or without.

use std::fs;
use std::time::Duration;

use serde_json::Value;
use sg_tests::crowd::{Crowd, Unproven, assured, wait_until};
use sg_tests::node::Node;
use sg_tests::tap::Tap;

use crate::site::{HTTP, site, web1};

const SERVER: &str = "10.0.0.5:80";

/// Longer than a timeout of these tests, a round of the sweep, and a slow machine take.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn without_a_daemon_expired_connections_go_and_live_ones_stay() {
    let (mut node, _tap) = node("expiry-kernel", &[]);
    let sweep = &node.query("status")["sweep"];
    assert_eq!(
        (&sweep["by"], &sweep["refused"]),
        (&"kernel".into(), &Value::Null)
    );
    node.kill();
    live_ones_stay(&node);
}

#[test]
fn where_the_daemon_sweeps_expired_connections_go_and_it_says_who_does_it() {
    let (node, _tap) = node("expiry-daemon", &["--sweep", "daemon"]);
    assert!(
        node.log().contains("only while this daemon runs"),
        "{}",
        node.log()
    );
    assert_eq!(node.query("status")["sweep"]["by"], "daemon");
    live_ones_stay(&node);
}

/// A node with WEB1, whose connections expire after three seconds.
fn node(label: &str, options: &[&str]) -> (Node, Tap) {
    let mut node = Node::new(label);
    let tap = node.tap(&web1().interface());
    fs::write(node.inventory_path(), site(&[HTTP]).json().to_string()).unwrap();
    let settings = node.directory().join("settings.toml");
    fs::write(
        &settings,
        "timeouts.tcp_established = 3\ntimeouts.tcp_syn_sent = 1\n",
    )
    .unwrap();
    node.start_with(&[&["--settings", settings.to_str().unwrap()], options].concat());
    (node, tap)
}

fn live_ones_stay(node: &Node) {
    let crowd = Crowd::of(node, &web1().interface(), SERVER);
    let unproven = Unproven::of(node);
    assert_eq!(crowd.connect(0..300), 900);
    assert_eq!(crowd.syn(300..400), 100);
    assert_eq!(assured(node), 300);

    wait_until(SOON, "only the ten that still speak are there", || {
        crowd.acknowledge(0..10);
        assured(node) == 10
    });
    wait_until(SOON, "the half-open ones are gone", || {
        crowd.acknowledge(0..10);
        unproven.count().values().all(|unproven| *unproven == 0)
    });
    assert_eq!(assured(node), 10);
}
