//! What is pinned is used only if it is exactly what the filter would make.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, Site, site};

#[test]
fn a_table_keeps_its_size_and_whoever_asks_for_another_is_told_what_to_do() {
    let mut site_ = Site::new("resized");
    fs::write(
        site_.node.inventory_path(),
        site(&[HTTP]).json().to_string(),
    )
    .unwrap();
    site_.node.start_with(&["--max-flows", "1000"]);
    site_.node.terminate();

    let refused = site_
        .node
        .refused(site_.node.netns(), &["--max-flows", "2000"]);

    refused.expect(6);
    for words in ["flows4", "1000", "2000", "--max-flows", "sgd detach"] {
        assert!(
            refused.stderr.contains(words),
            "{words}: {}",
            refused.stderr
        );
    }
    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
    site_.node.start_with(&["--max-flows", "1000"]);
    assert_eq!(site_.ask(443), Silence);
}

#[test]
fn the_tables_of_each_port_keep_their_size_too() {
    let mut site_ = Site::new("resized-port");
    let document = site(&[HTTP]).json().to_string();
    fs::write(site_.node.inventory_path(), document).unwrap();
    let options = ["--max-unproven", "1000", "--max-fragments", "128"];
    site_.node.start_with(&options);
    site_.node.terminate();

    for (map, option, found, wanted) in [
        ("embryos4", "--max-unproven", "1024", "4096"),
        ("fragments", "--max-fragments", "128", "256"),
    ] {
        let mut others = options;
        let value = others.iter().position(|word| *word == option).unwrap() + 1;
        others[value] = wanted;
        let refused = site_.node.refused(site_.node.netns(), &others);
        refused.expect(6);
        for words in [map, option, found, wanted, "sgd detach"] {
            assert!(
                refused.stderr.contains(words),
                "{words}: {}",
                refused.stderr
            );
        }
    }
    site_.node.start_with(&options);
    assert_eq!(site_.ask(80), Answered);
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
    let value = "99 0 0 0 1 0 0 0 0 0 0 0 0 0 0 0";
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

fn bpftool(node: &Node, words: &str) {
    let mut command = Command::new("bpftool");
    command.args(words.split_whitespace());
    node.output(command).expect(0);
}
