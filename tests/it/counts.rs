//! Packets and bytes by connection, where somebody asks for them.

use std::time::Duration;

use serde_json::{Value, json};
use sg_common::layout::account::Account;
use sg_common::layout::flow::FlowKey;
use sg_tests::crowd::wait_until;
use sg_tests::events::Listener;
use sg_tests::node::Node;
use sg_tests::site::web1;
use sg_tests::streams::{datagram, datagrams};
use sg_tests::testrun::PinnedHash;

use crate::site::{Site, site};

const DNS: &str = "ingress IPv4 udp 53 from 0.0.0.0/0";

/// Longer than UDP is kept here, and the sweep takes to come by.
const PATIENCE: Duration = Duration::from_secs(60);

/// UDP is soon over.
const SETTINGS: &str = "timeouts.udp = 2\ntimeouts.udp_stream = 2\n";

fn start(label: &str) -> Site {
    let mut site_ = Site::new(label);
    site_.node.write(&site(&[DNS]));
    site_.node.start_with_settings(SETTINGS);
    site_
}

/// Tables of counts that the kernel has: what `accounts` holds.
fn tables(node: &Node) -> usize {
    const KEY: usize = size_of::<FlowKey>();
    PinnedHash::<KEY, { size_of::<Account>() }>::within(&node.map("accounts")).len()
}

fn ask_for_counts(node: &Node) -> Listener {
    let asked = json!({"ports": {web1().id().to_string(): ["end"]}, "counts": true});
    Listener::start(node, &asked)
}

fn exchange(site: &Site, times: usize) {
    let client = datagrams(site.client.netns(), "10.0.0.7:4000");
    let server = datagrams(site.web.netns(), "10.0.0.5:53");
    client.connect("10.0.0.5:53").unwrap();
    server.connect("10.0.0.7:4000").unwrap();
    for _ in 0..times {
        datagram(&client, &server);
        datagram(&server, &client);
    }
}

#[test]
fn the_end_of_a_connection_says_what_it_has_carried_each_way() {
    let site_ = start("counts");
    let mut listener = ask_for_counts(&site_.node);
    exchange(&site_, 10);
    let line: Value = listener.next(PATIENCE).expect("its end is told");
    assert_eq!(line["action"], "END", "{line}");
    let counted = &line["counted"];
    assert_eq!(counted["ingress"]["packets"], 10, "{line}");
    assert_eq!(counted["egress"]["packets"], 10, "{line}");
    let bytes = counted["ingress"]["bytes"].as_u64().unwrap();
    assert!(
        bytes >= 10 * 42 && bytes == counted["egress"]["bytes"],
        "{line}"
    );
}

#[test]
fn who_asked_for_counts_and_is_gone_leaves_no_table_and_others_get_no_counts() {
    let site_ = start("counts-gone");
    let mut plain = Listener::start(
        &site_.node,
        &json!({"ports": {web1().id().to_string(): ["end"]}}),
    );
    exchange(&site_, 2);
    let line = plain.next(PATIENCE).expect("its end is told");
    assert!(line.get("counted").is_none(), "{line}");
    drop(plain);

    assert_eq!(tables(&site_.node), 0);
    let listener = ask_for_counts(&site_.node);
    assert_eq!(tables(&site_.node), 1, "of one port");
    drop(listener);
    wait_until(PATIENCE, "the table stays", || tables(&site_.node) == 0);
}
