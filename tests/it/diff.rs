//! What an inventory would change, told before it is applied.

use std::fs;

use serde_json::Value;
use sg_tests::inventory::{Inventory, group};
use sg_tests::node::{Node, Output};
use sg_tests::streams::Pair;
use sg_tests::traffic::Outcome::Answered;

use crate::site::{HTTP, HTTPS, Site, client, site};

const ALT: &str = "ingress IPv4 tcp 8080 from 10.0.0.0/24";

fn diff(node: &Node, inventory: &Inventory, options: &str) -> Output {
    let file = node.directory().join("next.json");
    fs::write(&file, inventory.json().to_string()).unwrap();
    node.sgctl(&format!("{options} diff -f {}", file.display()))
}

fn json(node: &Node, inventory: &Inventory) -> Value {
    let output = diff(node, inventory, "-o json");
    output.expect(0);
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn rules_that_come_and_go_are_told_with_the_connections_that_would_be_cut_and_only_those_are_cut() {
    let mut site_ = Site::new("diff");
    site_.node.start(&site(&[HTTP, ALT]));
    let mut kept = Pair::open(site_.client.netns(), site_.web.netns(), "10.0.0.5:8080");
    assert_eq!(site_.ask(80), Answered);
    let node = &site_.node;

    let same = json(node, &site(&[HTTP, ALT]));
    assert_eq!(
        (&same["ports"], &same["cut"]),
        (&Value::from(Vec::<Value>::new()), &0.into()),
        "{same}"
    );

    // 8080 goes, 443 comes: the open connection is of the rule that goes.
    let told = json(node, &site(&[HTTP, HTTPS]));
    assert_eq!(told["cut"], 1, "{told}");
    let port = &told["ports"][0];
    assert_eq!(port["name"], "WEB1", "{told}");
    assert_eq!(port["change"], "changed");
    assert!(
        port["added"].to_string().contains("tcp 443 from 0.0.0.0/0"),
        "{told}"
    );
    assert!(
        port["removed"]
            .to_string()
            .contains("tcp 8080 from 10.0.0.0/24"),
        "{told}"
    );
    assert_eq!(told["by_group"][0]["name"], "WEB_SERVERS", "{told}");
    assert_eq!(told["by_remote"][0]["name"], "10.0.0.7", "{told}");
    assert_eq!(told["connections"][0]["local_port"], 8080, "{told}");

    // A rule that permits it otherwise cuts nothing.
    let wider = json(
        node,
        &site(&[HTTP, "ingress IPv4 tcp 8000-9000 from 0.0.0.0/0"]),
    );
    assert_eq!(wider["cut"], 0, "{wider}");

    // Nothing was changed by asking.
    kept.client_first("it goes on");
    let text = diff(node, &site(&[HTTP, HTTPS]), "").stdout;
    assert!(
        text.contains("- rule ingress IPv4 tcp 8080 from 10.0.0.0/24"),
        "{text}"
    );
    assert!(
        text.contains("1 ports change; 1 connections would be cut"),
        "{text}"
    );
}

#[test]
fn ports_that_come_and_go_are_told_and_what_is_not_understood_is_an_error_that_changes_nothing() {
    let mut site_ = Site::new("diff-ports");
    site_.node.start(&site(&[HTTP]));
    let node = &site_.node;
    let alone = Inventory::new()
        .port(client())
        .group(group("CLIENTS").default_egress());
    let told = json(node, &alone);
    let gone = &told["ports"];
    let of_web = gone
        .as_array()
        .unwrap()
        .iter()
        .find(|port| port["name"] == "WEB1");
    assert_eq!(
        of_web.unwrap_or_else(|| panic!("{told}"))["change"],
        "removed",
        "{told}"
    );

    let file = node.directory().join("broken.json");
    fs::write(&file, "{\"ports\": 7}").unwrap();
    node.sgctl(&format!("diff -f {}", file.display())).expect(3);
    assert_eq!(node.query("status")["inventory"]["revision"], 1);
}
