//! What rules have permitted, as the kernel counts it.

use serde_json::Value;
use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, HTTPS, Site, site};

const OTHER: &str = "ingress IPv4 tcp 8000-9000 from 0.0.0.0/0";

/// Hits of WEB1's rule that has this in its words, and whether it was ever hit.
fn hits(node: &Node, words: &str) -> (u64, bool) {
    let rules = node.query("list rules");
    let rules = rules.as_array().expect("a list of rules");
    let rule = rules
        .iter()
        .find(|rule| {
            rule["text"]
                .as_str()
                .is_some_and(|text| text.contains(words))
        })
        .unwrap_or_else(|| panic!("no rule says {words}: {rules:?}"));
    let port = &rule["ports"][0];
    assert_eq!(port["name"], "WEB1", "{rule}");
    (port["hits"].as_u64().unwrap(), port["last_hit"].is_string())
}

/// The rules of WEB1 that are listed as unused.
fn unused(node: &Node, options: &str) -> Vec<String> {
    let view = node.query(&format!("unused --port WEB1 {options}"));
    let rules = view["rules"].as_array().expect("rules").iter();
    let text = |rule: &Value| rule["text"].as_str().unwrap().to_owned();
    rules.map(text).collect()
}

#[test]
fn each_new_connection_is_a_hit_of_the_rule_that_permits_it_and_the_others_are_unused() {
    let mut site_ = Site::new("usage");
    site_.node.start(&site(&[HTTP, HTTPS, OTHER]));
    let node = &site_.node;
    assert_eq!(hits(node, "tcp 80 "), (0, false));

    for _ in 0..3 {
        assert_eq!(site_.ask(80), Answered);
    }
    assert_eq!(site_.ask(81), Silence);
    assert_eq!(hits(node, "tcp 80 "), (3, true));
    assert_eq!(hits(node, "tcp 443 "), (0, false));

    let unused_ = unused(node, "");
    assert!(
        unused_.iter().any(|rule| rule.contains("tcp 443 ")),
        "{unused_:?}"
    );
    assert!(
        unused_.iter().any(|rule| rule.contains("tcp 8000-9000 ")),
        "{unused_:?}"
    );
    assert!(
        !unused_.iter().any(|rule| rule.contains("tcp 80 ")),
        "{unused_:?}"
    );

    let shown = node.sgctl("show port WEB1").stdout;
    let of = |words: &str| {
        shown
            .lines()
            .find(|line| line.contains(words))
            .unwrap()
            .to_owned()
    };
    assert!(of("tcp 443 from").contains("last hit never"), "{shown}");
    assert!(of("tcp 80 from").contains("last hit 2"), "{shown}");
}

#[test]
fn what_was_counted_survives_the_daemon_also_what_was_permitted_while_none_ran() {
    let mut site_ = Site::new("usage-restart");
    site_.node.start(&site(&[HTTP, HTTPS]));
    assert_eq!(site_.ask(80), Answered);
    assert_eq!(hits(&site_.node, "tcp 80 ").0, 1);
    site_.node.terminate();
    assert_eq!(site_.ask(80), Answered);
    site_.node.start_again();
    assert_eq!(hits(&site_.node, "tcp 80 ").0, 2);

    // Killed, it loses what it had taken out of the kernel since it wrote last: half a minute at most.
    site_.node.kill();
    assert_eq!(site_.ask(443), Answered);
    site_.node.start_again();
    assert_eq!(hits(&site_.node, "tcp 443 ").0, 1);
}

#[test]
fn a_rule_that_comes_is_not_called_unused_since_a_time_in_which_it_was_not_there() {
    let mut site_ = Site::new("usage-young");
    site_.node.start(&site(&[HTTP]));
    let said = site_
        .node
        .sgctl("unused --since 30d")
        .expect(0)
        .stdout
        .clone();
    assert!(
        said.starts_with("no rule is unused; counted here since 20"),
        "{said}"
    );
    assert!(said.contains("not known yet"), "{said}");

    for (options, expected) in [
        ("unused --since yesterday", "neither a date"),
        ("unused --since 2999-01-01", "still to come"),
    ] {
        let refused = site_.node.sgctl(options);
        assert!(
            refused.expect(2).stderr.contains(expected),
            "{}",
            refused.stderr
        );
    }
    let refused = site_.node.sgctl("unused --group NOBODY");
    assert!(
        refused.expect(7).stderr.contains("NOBODY"),
        "{}",
        refused.stderr
    );
}
