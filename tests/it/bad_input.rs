//! Wrong input is named, left out towards less access, and stops nothing else.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use sg_tests::inventory::port;
use sg_tests::node::{Node, Output};
use sg_tests::traffic::Outcome::{Answered, Silence};
use sg_tests::vm::Vm;

use crate::site::{HTTP, HTTPS, Site, client, ingress, site, site_with_rule, web1};

/// `sgctl check` of a document, which needs no daemon.
fn check(node: &Node, document: &str) -> Output {
    let file = node.directory().join("checked.json");
    fs::write(&file, document).unwrap();
    node.sgctl(&format!("check -f {}", file.display()))
}

#[test]
fn a_bad_rule_is_named_with_field_and_value() {
    let node = Node::new("rules");
    let cases: [(&str, Value, &[&str]); 15] = [
        (
            "an unknown protocol",
            json!({"protocol": "tpc"}),
            &["protocol", "tpc"],
        ),
        (
            "an unknown ethertype",
            json!({"ethertype": "IPv5"}),
            &["ethertype", "IPv5"],
        ),
        (
            "an unknown direction",
            json!({"direction": "inward"}),
            &["direction", "inward"],
        ),
        (
            "an inverted range",
            json!({"protocol": "tcp", "port_range_min": 90, "port_range_max": 80}),
            &["port_range", "90", "80"],
        ),
        (
            "half a range",
            json!({"protocol": "tcp", "port_range_min": 80}),
            &["port_range_max"],
        ),
        (
            "a port of the wrong type",
            json!({"protocol": "tcp", "port_range_min": "eighty", "port_range_max": 80}),
            &["port_range_min", "eighty"],
        ),
        (
            "half a range of source ports",
            json!({"protocol": "udp", "source_port_range_min": 67}),
            &["source_port_range_max", "missing"],
        ),
        (
            "source ports on a protocol without ports",
            json!({"protocol": "vrrp", "source_port_range_min": 67, "source_port_range_max": 67}),
            &["source_port_range_min", "67", "without ports"],
        ),
        (
            "ports on a protocol without ports",
            json!({"protocol": "vrrp", "port_range_min": 80, "port_range_max": 80}),
            &["port_range_min", "80", "without ports"],
        ),
        (
            "a CIDR of the other family",
            json!({"remote_ip_prefix": "2001:db8::/32"}),
            &["remote_ip_prefix", "2001:db8::/32"],
        ),
        (
            "a CIDR that is none",
            json!({"remote_ip_prefix": "10.0.0.0/33"}),
            &["remote_ip_prefix", "10.0.0.0/33"],
        ),
        (
            "a group that does not exist",
            json!({"remote_group_id": "99999999-9999-4999-8999-999999999999"}),
            &["remote_group_id", "99999999-9999-4999-8999-999999999999"],
        ),
        (
            "two remotes",
            json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "99999999-9999-4999-8999-999999999999"}),
            &["remote"],
        ),
        (
            "a field that no rule has",
            json!({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22, "remote_ip_prefx": "10.0.0.0/8"}),
            &["remote_ip_prefx", "10.0.0.0/8", "write remote_ip_prefix"],
        ),
        (
            "ports that Terraform has not set",
            json!({"protocol": "tcp", "port_range_min": 0, "port_range_max": 0}),
            &["port_range_min", "Terraform"],
        ),
    ];
    for (what, fields, said) in cases {
        let output = check(&node, &site_with_rule(ingress(fields)).json().to_string());
        assert_eq!(output.code, 4, "{what}: {}{}", output.stdout, output.stderr);
        for word in ["WEB_SERVERS"].iter().chain(said) {
            assert!(
                output.stdout.contains(word),
                "{what}: no {word:?} in {}",
                output.stdout
            );
        }
    }
    check(&node, &site(&[HTTP]).json().to_string()).expect(0);
}

#[test]
fn a_document_that_is_no_inventory_is_malformed() {
    let node = Node::new("malformed");
    for document in [
        "{",
        "[]",
        "{\"ports\": 7}",
        "",
        "{\"ports\": [], \"security_groups\": {}}",
        "{\"ports\": [], \"security_groups\": []} {\"ports\": [], \"security_groups\": []}",
        "\u{feff}{\"ports\": [], \"security_groups\": []}",
        "{\"ports\": [], \"ports\": [], \"security_groups\": []}",
        "{\"ports\": [{\"security_group_ids\": []}], \"security_groups\": []}",
    ] {
        let output = check(&node, document);
        assert_eq!(
            output.code, 3,
            "{document:?}: {}{}",
            output.stdout, output.stderr
        );
    }
    let missing = node.sgctl("check -f /nonexistent/inventory.json");
    missing.expect(1);
    assert!(
        missing.stderr.contains("/nonexistent/inventory.json"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_bad_rule_is_left_out_and_the_rest_is_enforced() {
    let mut site_ = Site::new("left-out");
    site_.node.start(&site(&[]));
    let bad = ingress(json!({"protocol": "tcp", "port_range_min": 443, "port_range_max": 80}));
    let output = site_.node.apply(&site_with_rule(bad));
    output.expect(4);
    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);
}

#[test]
fn a_malformed_document_changes_nothing() {
    let mut site_ = Site::new("unchanged");
    site_.node.start(&site(&[HTTP]));
    let file = site_.node.directory().join("broken.json");
    fs::write(&file, "{\"ports\": [").unwrap();

    site_
        .node
        .sgctl(&format!("apply -f {}", file.display()))
        .expect(3);
    assert_eq!(site_.ask(80), Answered);

    fs::write(site_.node.inventory_path(), "not an inventory").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert_eq!(site_.ask(80), Answered);
    let status = site_.node.query("status");
    assert!(status.to_string().contains("inventory"), "{status}");
    assert!(site_.node.log().contains("WARN"), "{}", site_.node.log());
}

#[test]
fn a_port_with_a_fault_is_closed_and_the_others_are_not() {
    let mut site_ = Site::new("closed");
    site_.node.start(&site(&[HTTP]));
    let mut document = site(&[HTTP]).json();
    document["ports"][0]["fixed_ips"] = json!([{"ip_address": "10.0.0.500"}]);
    let file = site_.node.directory().join("new.json");
    fs::write(&file, document.to_string()).unwrap();

    let output = site_.node.sgctl(&format!("apply -f {}", file.display()));
    output.expect(4);
    let said = format!("{}{}", output.stdout, output.stderr);
    for word in ["WEB1", "fixed_ips", "10.0.0.500"] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    assert_eq!(site_.ask(80), Silence);
    let ports = site_.node.query("list ports").to_string();
    assert!(
        ports.contains("closed") && ports.contains("enforcing"),
        "{ports}"
    );
}

#[test]
fn two_ports_on_one_interface_close_it() {
    let mut site_ = Site::new("shared");
    site_.node.start(&site(&[HTTP]));
    assert_eq!(site_.ask(80), Answered);
    let twin = port("TWIN")
        .ip("10.0.0.9")
        .with("device", web1().interface());

    site_.node.apply(&site(&[HTTP]).port(twin)).expect(4);

    assert_eq!(site_.ask(80), Silence);
}

#[test]
fn an_interface_that_is_not_there_yet_is_filtered_when_it_comes() {
    let mut node = Node::new("late");
    let sender = Vm::new(&node, &client());
    node.start(&site(&[HTTP]));
    let before = node.query("show port WEB1").to_string();
    assert!(before.contains("elsewhere"), "{before}");

    let web = Vm::new(&node, &web1());
    let _servers = [80, 443].map(|port| sg_tests::traffic::EchoServer::start(web.netns(), port));
    std::thread::sleep(std::time::Duration::from_millis(300));

    assert_eq!(
        sg_tests::traffic::ask_tcp(sender.netns(), web.v4(), 80),
        Answered
    );
    assert_eq!(
        sg_tests::traffic::ask_tcp(sender.netns(), web.v4(), 443),
        Silence
    );
}

#[test]
fn an_unknown_port_and_an_absent_daemon_have_codes_of_their_own() {
    let mut node = Node::new("codes");
    let absent = node.sgctl("status");
    absent.expect(5);
    assert!(absent.stderr.contains("sgd run"), "{}", absent.stderr);
    node.start(&site(&[HTTPS]));
    let unknown = node.sgctl("show port NOBODY");
    unknown.expect(7);
    assert!(unknown.stderr.contains("NOBODY"), "{}", unknown.stderr);
}

#[test]
fn sgd_says_what_the_host_lacks() {
    let node = Node::new("host");
    let inventory = node.inventory_path();
    fs::write(&inventory, site(&[HTTP]).json().to_string()).unwrap();
    let sgd = |bpffs: &str| {
        let mut command = Command::new(sg_tests::node::program("sgd"));
        command
            .args(["run", "--bpffs", bpffs, "--inventory"])
            .arg(&inventory);
        command
            .arg("--socket")
            .arg(node.directory().join("other.sock"));
        command
    };

    let elsewhere = node.directory().join("ordinary");
    let output = node.output(sgd(elsewhere.to_str().unwrap()));
    output.expect(6);
    assert!(output.stderr.contains("mount -t bpf"), "{}", output.stderr);

    let mut nobody = sgd(node.pins().to_str().unwrap());
    drop_capabilities(&mut nobody);
    let output = node.output(nobody);
    output.expect(6);
    assert!(output.stderr.contains("CAP_SYS_ADMIN"), "{}", output.stderr);
}

/// Runs the command without the capabilities that the daemon needs.
fn drop_capabilities(command: &mut Command) {
    let program = command.get_program().to_owned();
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    *command = Command::new("setpriv");
    command.args(["--bounding-set", "-all", "--inh-caps", "-all", "--"]);
    command.arg(program).args(arguments);
}

#[test]
fn a_second_daemon_is_refused() {
    let mut node = Node::new("second");
    node.start(&site(&[HTTP]));
    let mut command = Command::new(sg_tests::node::program("sgd"));
    command.arg("run").arg("--bpffs").arg(node.pins());
    command.arg("--inventory").arg(node.inventory_path());
    command
        .arg("--socket")
        .arg(node.directory().join("other.sock"));
    let output = node.output(command);
    output.expect(6);
    assert!(output.stderr.contains("another sgd"), "{}", output.stderr);
}

#[test]
fn deleting_by_an_address_says_which_ports_it_meets() {
    let mut site_ = Site::new("meets");
    site_.node.start(&site(&[HTTP]));
    assert_eq!(site_.ask(80), Answered);
    let (web, sender) = (web1().id(), client().id());
    // The connection is tracked at both of its ends.
    let would = site_.node.sgctl("flows delete -d 10.0.0.5 --dry-run");
    would.expect(0);
    for said in [
        format!("sgctl: 1 of port WEB1 ({web}).\n"),
        format!("sgctl: 1 of port CLIENT ({sender}).\n"),
    ] {
        assert!(would.stderr.contains(&said), "{}", would.stderr);
    }
    let one = site_.node.sgctl("flows delete --port WEB1 -d 10.0.0.5");
    assert!(!one.stderr.contains("of port"), "{}", one.stderr);
    let rest = site_.node.sgctl("flows delete -d 10.0.0.5");
    assert!(
        rest.stderr.contains("CLIENT") && !rest.stderr.contains("WEB1"),
        "{}",
        rest.stderr
    );
}

#[test]
fn a_name_that_is_another_ports_address_hides_no_port() {
    let mut site_ = Site::new("names");
    let named = |name: &str| {
        let mut document = site(&[HTTP]).json();
        document["ports"][1]["name"] = json!(name);
        document.to_string()
    };
    site_.node.start(&site(&[HTTP]));
    let file = site_.node.directory().join("named.json");
    for name in ["10.0.0.5", "fa:16:3e:00:00:05"] {
        fs::write(&file, named(name)).unwrap();
        let apply = format!("apply -f {}", file.display());
        site_.node.sgctl(&apply).expect(0);
        let shown = site_.node.query(&format!("show port {name}"));
        assert_eq!(shown["name"], "WEB1", "{name}");
    }
    fs::write(&file, named("WEB1")).unwrap();
    site_
        .node
        .sgctl(&format!("apply -f {}", file.display()))
        .expect(0);
    let both = site_.node.sgctl("show port WEB1");
    both.expect(7);
    for interface in [web1().interface(), client().interface()] {
        assert!(both.stderr.contains(&interface), "{}", both.stderr);
    }
}
