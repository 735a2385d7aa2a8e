//! Ports in audit: what no rule permits passes there, and is counted and told.

use sg_tests::crowd::wait_until;
use sg_tests::node::Node;
use sg_tests::site::web1;
use sg_tests::streams::Pair;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::events::PATIENCE;
use crate::leak::forged;
use crate::site::{HTTP, Site, site};

fn state(node: &Node) -> String {
    let port = node.query("show port WEB1");
    port["state"].as_str().expect("a state").to_owned()
}

fn set(site: &Site, settings: &str, expected: &str) {
    site.node.set(settings);
    wait_until(PATIENCE, &format!("WEB1 is not {expected}"), || {
        state(&site.node) == expected
    });
}

#[test]
fn in_audit_what_no_rule_permits_passes_and_is_counted_and_without_it_falls_again() {
    let mut site_ = Site::new("audit");
    site_.node.write(&site(&[HTTP]));
    site_.node.start_with_settings("");
    assert_eq!(site_.ask(443), Silence);

    let audit = format!("audit = ['{}']", web1().id());
    set(&site_, &audit, "audit");
    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.count("ingress", "audit"), 0);
    assert_eq!(site_.ask(443), Answered);
    assert_eq!(
        site_.count("ingress", "audit"),
        1,
        "once for the connection"
    );

    // What is no matter of rules falls.
    let before = site_.count("egress", "spoofed_mac");
    site_.web.send(&forged());
    wait_until(PATIENCE, "the forged frame is not counted", || {
        site_.count("egress", "spoofed_mac") > before
    });

    // A connection that only audit permits is cut when audit ends.
    let mut pair = Pair::open(site_.client.netns(), site_.web.netns(), "10.0.0.5:8080");
    pair.client_first("it passes");
    assert_eq!(site_.count("ingress", "audit"), 2);
    set(&site_, "", "enforcing");
    assert_eq!(site_.ask(443), Silence);
    assert_eq!(site_.ask(80), Answered);
    let revoked = site_.count("egress", "revoked");
    assert!(pair.is_cut(), "no rule permits it");
    assert!(site_.count("egress", "revoked") > revoked);
}

#[test]
fn a_security_group_in_audit_is_all_its_ports_and_an_id_of_nothing_is_told() {
    let mut site_ = Site::new("audit-group");
    site_.node.write(&site(&[HTTP]));
    site_.node.start_with_settings("");
    let groups = site_.node.query("list groups");
    let mut groups = groups.as_array().unwrap().iter();
    let web = groups.find(|group| group["name"] == "WEB_SERVERS").unwrap();
    let id = web["id"].as_str().unwrap();
    let nothing = "99999999-0000-4000-8000-000000000001";
    set(&site_, &format!("audit = ['{id}', '{nothing}']"), "audit");
    assert_eq!(site_.ask(443), Answered);
    let client = site_.node.query("show port CLIENT");
    assert_eq!(client["state"], "enforcing");
    let said = site_.node.sgctl("status").stdout;
    let stray = format!("audit: {nothing} is neither a port nor a security group");
    assert!(said.contains(&stray), "{said}");

    // A restart begins as the file says, not with everything enforced for a moment.
    site_.node.terminate();
    assert_eq!(
        site_.ask(443),
        Answered,
        "the kernel goes on as it was told"
    );
}

#[test]
fn names_are_not_taken_for_ports_in_audit_and_what_was_set_stays() {
    let mut site_ = Site::new("audit-names");
    site_.node.write(&site(&[HTTP]));
    site_.node.start_with_settings("");
    site_.node.set("audit = ['WEB1']");
    wait_until(PATIENCE, "the mistake is not told", || {
        let status = site_.node.query("status");
        let error = &status["settings"]["last_error"];
        error
            .as_str()
            .is_some_and(|error| error.contains("line 1: audit: ['WEB1']"))
    });
    assert_eq!(state(&site_.node), "enforcing");
    assert_eq!(site_.ask(443), Silence);
}

#[test]
fn audit_is_told_to_monitors_and_explained_with_the_rule_that_is_missing() {
    let mut site_ = Site::new("audit-told");
    site_.node.write(&site(&[HTTP]));
    site_
        .node
        .start_with_settings(&format!("audit = ['{}']", web1().id()));
    let asked = serde_json::json!({"all": ["audit"]});
    let mut listener = sg_tests::events::Listener::start(&site_.node, &asked);
    assert_eq!(site_.ask(443), Answered);
    let line = listener.next(PATIENCE).expect("it is told");
    assert_eq!(
        (&line["action"], &line["reason"]),
        (&"AUDIT".into(), &"audit".into()),
        "{line}"
    );
    assert_eq!(line["destination_port"], 443);

    let words = "explain --port WEB1 --ingress tcp 10.0.0.7:40000 10.0.0.5:444";
    let said = site_.node.sgctl(words).stdout;
    assert!(
        said.contains("accept: No rule permits it; it passes because the port is in audit"),
        "{said}"
    );
    assert!(
        said.contains("openstack security group rule create"),
        "{said}"
    );
}
