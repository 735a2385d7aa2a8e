//! Text that tenants chose, on the operator's terminal and in the log.

use std::fs;

use serde_json::{Value, json};
use sg_tests::inventory::port_id;
use sg_tests::node::{Node, Output};
use sg_tests::vm::Vm;

use crate::site::{HTTP, client, ingress, site, site_with_rule, web1};

/// A name that looks like the end of a report, and colours it.
const EVIL: &str = "evil\n\u{1b}[31mchecked: 9 ports, 0 faults\u{1b}[0m\u{7}\u{202e}";

/// The same, as it may be shown.
const SHOWN: &str = r"evil\n\u{1b}[31mchecked: 9 ports, 0 faults\u{1b}[0m\u{7}\u{202e}";

/// The site, and every object of it named so; with a rule that has a fault.
fn document() -> Value {
    let bad = ingress(json!({"protocol": EVIL}));
    let mut document = site_with_rule(bad).json();
    for list in ["ports", "security_groups"] {
        for object in document[list].as_array_mut().unwrap() {
            object["name"] = EVIL.into();
        }
    }
    document
}

#[track_caller]
fn assert_plain(what: &str, output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(acts), "{what}: {text:?}");
        let is_forged = |line: &str| line.starts_with("[31m") || line.starts_with("\u{1b}[31m");
        assert!(!text.lines().any(is_forged), "{what}: {text:?}");
    }
}

#[test]
fn no_verb_shows_a_tenants_name_but_escaped() {
    let mut node = Node::new("foreign");
    let web = Vm::new(&node, &web1());
    let sender = Vm::new(&node, &client());
    let _servers = sg_tests::traffic::EchoServer::start(web.netns(), 80);
    node.start(&site(&[HTTP]));
    let file = node.directory().join("evil.json");
    fs::write(&file, document().to_string()).unwrap();
    let file = file.to_str().unwrap();
    let web1 = port_id("WEB1").to_string();

    // Those that name a port, a group or a fault show what they are called.
    let named: &[&[&str]] = &[
        &["check", "-f", file],
        &["apply", "-f", file],
        &["list", "ports"],
        &["list", "groups"],
        &["show", "port", &web1],
        &[
            "explain",
            "--port",
            &web1,
            "--ingress",
            "tcp",
            "10.0.0.7:40000",
            "10.0.0.5:80",
        ],
        &["counters"],
        &["status"],
        &["show", "port", EVIL],
    ];
    let asked = || sg_tests::traffic::ask_tcp(sender.netns(), web.v4(), 80);
    for arguments in named {
        assert_eq!(asked(), sg_tests::traffic::Outcome::Answered);
        let output = node.sgctl_args(arguments);
        assert_plain(&format!("{arguments:?}"), &output);
        let said = output.stdout + &output.stderr;
        // An error quotes what was asked for, and names the candidates.
        assert!(said.contains(SHOWN), "{arguments:?}: {said}");
    }
    let others: &[&[&str]] = &[
        &["list", "flows"],
        &["flows", "list", "--port", &web1],
        &["flows", "list", "--port", &web1, "-o", "conntrack"],
        &["flows", "list", "--state", EVIL],
        &["flows", "delete", "--port", &web1, "--dry-run"],
        &["flows", "export", "--port", &web1],
        &["settings"],
        &["check", "-f", EVIL],
        &["settings", "-f", EVIL],
        &["flows", "import", "-f", EVIL],
    ];
    for arguments in others {
        assert_plain(&format!("{arguments:?}"), &node.sgctl_args(arguments));
    }
    let log = node.log();
    assert!(log.contains(SHOWN), "{log}");
    let log = Output {
        code: 0,
        stdout: log,
        stderr: String::new(),
    };
    assert_plain("the log", &log);
}

#[test]
fn an_export_or_settings_that_quote_nonsense_are_quoted_escaped() {
    let mut node = Node::new("quoted");
    node.start(&site(&[HTTP]));
    let file = node.directory().join("given");
    let quoted = serde_json::to_string(EVIL).unwrap();
    for (content, verb) in [
        (format!("{{{quoted}: 1}}"), "flows import -f"),
        (format!("tcp = {quoted}\n"), "settings -f"),
        (format!("{quoted} = 1\n"), "settings -f"),
        (format!("{{{quoted}: 1, \"ports\": 1}}"), "check -f"),
        (
            format!("{{\"ports\": [{{{quoted}: 1, \"rules\": []}}]}}"),
            "apply -f",
        ),
    ] {
        fs::write(&file, content).unwrap();
        let output = node.sgctl(&format!("{verb} {}", file.display()));
        output.expect(3);
        assert_plain(verb, &output);
    }
}

#[test]
fn json_has_a_name_as_it_is() {
    let mut node = Node::new("json");
    node.start(&site(&[HTTP]));
    fs::write(node.directory().join("evil.json"), document().to_string()).unwrap();
    let file = node.directory().join("evil.json");
    let output = node.sgctl(&format!("-o json apply -f {}", file.display()));
    output.expect(4);
    for port in node.query("list ports").as_array().unwrap() {
        assert_eq!(port["name"], EVIL);
    }
}
