//! What is pinned is used only if it is exactly what the filter would make.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use sg_tests::node::Node;
use sg_tests::streams::Pair;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::gaps::wait_until_alone;
use crate::site::{HTTP, Site, site};

#[test]
fn tables_get_other_sizes_and_connections_go_on_in_them() {
    let mut site_ = Site::new("resized");
    fs::write(
        site_.node.inventory_path(),
        site(&[HTTP, "ingress IPv4 tcp 8080 from 0.0.0.0/0"])
            .json()
            .to_string(),
    )
    .unwrap();
    site_
        .node
        .start_with(&["--max-flows", "1000", "--max-unproven", "1000"]);
    let mut pair = Pair::open(site_.client.netns(), site_.web.netns(), "10.0.0.5:8080");
    let before = flows(&site_.node);
    assert!(!before.is_empty());
    for options in [
        &["--max-flows", "2000", "--max-unproven", "1000"] as &[&str],
        &["--max-flows", "2000", "--max-unproven", "4096"],
        &["--max-flows", "2000", "--max-ports", "64"],
        &["--max-flows", "2000", "--max-grants", "1000"],
        &[],
    ] {
        site_.node.terminate();
        site_.node.start_with(options);
        assert_eq!(flows(&site_.node), before, "{options:?}");
        pair.client_first("the client first");
        pair.server_first("and the server");
        assert_eq!(site_.ask(443), Silence);
        assert_eq!(site_.ask(80), Answered);
        wait_until_alone(&site_.node);
    }
}

#[test]
fn a_port_that_has_no_room_any_more_is_closed_and_told() {
    let mut site_ = Site::new("shrunk");
    let document = site(&[HTTP]).json().to_string();
    fs::write(site_.node.inventory_path(), document).unwrap();
    site_.node.start_with(&[]);
    assert_eq!(site_.ask(80), Answered);
    site_.node.terminate();
    site_.node.start_with(&["--max-ports", "1"]);
    let ports = &site_.node.query("status")["ports"];
    assert_eq!(
        (&ports["enforcing"], &ports["closed"]),
        (&1.into(), &1.into()),
        "{ports}"
    );
    assert_eq!(site_.ask(443), Silence);
}

#[test]
fn a_map_of_another_kind_under_our_name_is_not_used() {
    let node = Node::new("foreign-map");
    fs::write(node.inventory_path(), site(&[HTTP]).json().to_string()).unwrap();
    let ports = maps(&node).join("ports");
    fs::create_dir_all(maps(&node)).unwrap();
    let port = size_of::<sg_common::layout::port::Port>();
    let key = size_of::<sg_common::layout::port::PortKey>();
    // Only the kind of map is another: keys, values and room are those of ours.
    let create = format!(
        "map create {} type lru_hash key {key} value {port} entries 1024 name ports",
        ports.display()
    );
    bpftool(&node, &create);

    let refused = node.refused(node.netns(), &[]);

    refused.expect(6);
    for words in [
        "maps/ports",
        "BPF_MAP_TYPE_LRU_HASH",
        "BPF_MAP_TYPE_HASH",
        "sgd detach",
        "--bpffs",
    ] {
        assert!(
            refused.stderr.contains(words),
            "{words}: {}",
            refused.stderr
        );
    }
}

#[test]
fn tables_that_another_version_has_written_are_not_used() {
    let mut site_ = Site::new("other-abi");
    site_.node.start(&site(&[HTTP]));
    site_.node.terminate();
    let node = maps(&site_.node).join("node");
    let value = format!("99 0 0 0 1 0 0 0{}", " 0".repeat(24));
    let update = format!(
        "map update pinned {} key 0 0 0 0 value {value}",
        node.display()
    );
    bpftool(&site_.node, &update);

    let refused = site_.node.refused(site_.node.netns(), &[]);

    refused.expect(6);
    assert!(refused.stderr.contains("version 99"), "{}", refused.stderr);
    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
}

fn maps(node: &Node) -> PathBuf {
    let version = format!("v{}", sg_common::layout::maps::ABI);
    node.pins().join(version).join("maps")
}

/// The connection to port 8080, without what changes by itself.
fn flows(node: &Node) -> Vec<String> {
    let flows = node.query("flows list --port WEB1");
    let of = |flow: &serde_json::Value| {
        format!(
            "{} {} {}",
            flow["protocol"], flow["local"], flow["local_port"]
        )
    };
    let all = flows.as_array().expect("a list of connections");
    all.iter()
        .filter(|flow| flow["local_port"] == 8080)
        .map(of)
        .collect()
}

fn bpftool(node: &Node, words: &str) {
    let mut command = Command::new("bpftool");
    command.args(words.split_whitespace());
    node.output(command).expect(0);
}
