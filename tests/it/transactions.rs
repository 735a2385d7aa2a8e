//! A daemon that is told by transactions: what was answered is in force, and stays so.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};
use sg_common::layout::policy::{Grant, GrantKey, Member, MemberKey, Policy};
use sg_tests::inventory::{Group, Port, group, group_id};
use sg_tests::node::Node;
use sg_tests::testrun::PinnedHash;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, HTTPS, Site, client, web1};

const SESSION: &str = "0e550000-0000-4000-8000-000000000001";
const NEXT: &str = "0e550000-0000-4000-8000-000000000002";

/// Time for the daemon to see that an interface has gone.
const NOTICE: Duration = Duration::from_millis(700);

/// Tells, as a session and on what is in force; returns the answer.
fn tell_as(node: &Node, session: &str, mut body: Value) -> Value {
    let (status, view) = node.request("GET", "/v1/transactions", "");
    assert_eq!(status, 200, "{view}");
    let view: Value = serde_json::from_str(&view).unwrap();
    body["session"] = session.into();
    body["base"] = match view["session"] == session {
        true => view["revision"].clone(),
        false => Value::Null,
    };
    let (status, answer) = node.request("POST", "/v1/transactions", &body.to_string());
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

fn tell(node: &Node, body: Value) -> Value {
    tell_as(node, SESSION, body)
}

/// A port without its id, which it is named by.
fn port(port: &Port) -> Value {
    let mut port = port.json();
    port.as_object_mut().unwrap().remove("id");
    port
}

fn web_servers(rules: &[&str]) -> Value {
    let servers = group("WEB_SERVERS").default_egress();
    let servers = rules.iter().fold(servers, |group, rule| group.rule(rule));
    fields(&servers)
}

fn fields(group: &Group) -> Value {
    let mut group = group.json();
    group.as_object_mut().unwrap().remove("id");
    group
}

/// The two machines, whose groups permit what they send and these rules.
fn site(rules: &[&str]) -> Value {
    json!({
        "ports": {web1().id().to_string(): port(&web1()), client().id().to_string(): port(&client())},
        "security_groups": {
            group_id("WEB_SERVERS").to_string(): web_servers(rules),
            group_id("CLIENTS").to_string(): fields(&group("CLIENTS").default_egress()),
        },
    })
}

fn group_of_web() -> String {
    group_id("WEB_SERVERS").to_string()
}

fn state(answer: &Value, port: &Port) -> String {
    let outcome = &answer["ports"][port.id().to_string()];
    outcome["state"].as_str().unwrap_or_default().to_owned()
}

/// What the policy's maps hold, and where the ports are.
fn policy(node: &Node) -> (Vec<Value>, BTreeMap<String, Vec<Vec<u8>>>) {
    fn rows<const K: usize, const V: usize>(node: &Node, name: &str) -> Vec<Vec<u8>> {
        let map = PinnedHash::<K, V>::open(&node.map(name));
        let mut rows: Vec<Vec<u8>> = map
            .raw_keys()
            .into_iter()
            .map(|key| [&key[..], &map.get(key).unwrap()].concat())
            .collect();
        rows.sort();
        rows
    }
    let listed = node.query("list ports");
    let ports = listed.as_array().unwrap().iter();
    let mut ports: Vec<_> = ports
        .map(|port| json!([port["id"], port["ifindex"], port["state"]]))
        .collect();
    let status = node.query("status");
    let tables = status["tables"].as_array().unwrap().iter();
    let tables = tables.filter(|table| table["name"] == "prefixes" || table["name"] == "addresses");
    ports.extend(tables.map(|table| json!([table["name"], table["used"]])));
    let maps = [
        (
            "policies",
            rows::<8, { size_of::<Policy>() }>(node, "policies"),
        ),
        (
            "members",
            rows::<{ size_of::<MemberKey>() }, { size_of::<Member>() }>(node, "members"),
        ),
        (
            "grants",
            rows::<{ size_of::<GrantKey>() }, { size_of::<Grant>() }>(node, "grants"),
        ),
    ];
    (
        ports,
        maps.map(|(name, rows)| (name.to_owned(), rows)).into(),
    )
}

#[test]
fn what_was_answered_is_in_force_and_stays_so_when_the_daemon_is_killed() {
    let mut site_ = Site::new("told");
    site_.node.start_told();
    assert_eq!(
        site_.ask(80),
        Answered,
        "nothing was told, so nothing is filtered"
    );

    let answer = tell(&site_.node, site(&[HTTP]));
    assert_eq!(
        (&answer["revision"], &answer["faults"]),
        (&json!(1), &json!([]))
    );
    assert_eq!(state(&answer, &web1()), "enforcing");
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);

    // A rule more, for the members of a group, of which there is none yet; then one.
    site_.node.kill();
    site_.node.start_told();
    let from_clients = "ingress IPv4 tcp 443 from group CLIENTS";
    let rules = json!({"security_groups": {group_of_web(): web_servers(&[HTTP, from_clients])}});
    tell(&site_.node, rules);
    assert_eq!(site_.ask(443), Answered, "the client's port has the group");
    let other = json!({"ports": {client().id().to_string(): port(&client().groups(&[]))}});
    tell(&site_.node, other);
    // Without groups it may send nothing.
    assert_eq!(site_.ask(80), Silence);
    tell(&site_.node, site(&[HTTPS]));
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Silence, Answered]);

    // Port security off and on.
    let off = web1().with("port_security_enabled", false).groups(&[]);
    let answer = tell(
        &site_.node,
        json!({"ports": {web1().id().to_string(): port(&off)}}),
    );
    assert_eq!(state(&answer, &web1()), "unfiltered");
    assert_eq!(site_.ask(80), Answered);
    site_.node.kill();
    site_.node.start_told();
    assert_eq!(site_.ask(80), Answered);
    tell(
        &site_.node,
        json!({"ports": {web1().id().to_string(): port(&web1())}}),
    );
    assert_eq!(site_.ask(80), Silence);
}

#[test]
fn members_are_told_as_addresses_and_one_more_is_one_write() {
    let mut site_ = Site::new("told-members");
    site_.node.start_told();
    let office = "0a000000-0000-4000-8000-000000000001";
    let mut body = site(&[]);
    let mut web = web_servers(&[]);
    let rules = web["security_group_rules"].as_array_mut().unwrap();
    rules.push(
        json!({"direction": "ingress", "ethertype": "IPv4", "remote_address_group_id": office}),
    );
    body["security_groups"][group_of_web()] = web;
    body["members"] = json!({office: ["192.0.2.1"]});
    tell(&site_.node, body);
    assert_eq!(site_.ask(80), Silence);
    let answer = tell(
        &site_.node,
        json!({"members": {office: ["192.0.2.1", "10.0.0.7"]}}),
    );
    assert_eq!(answer["changes"], 1);
    assert_eq!(site_.ask(80), Answered);
    tell(
        &site_.node,
        json!({"members": {office: {"removed": ["10.0.0.7"]}}}),
    );
    assert_eq!(site_.ask(80), Silence);
}

#[test]
fn another_writer_is_refused_until_it_tells_all_and_what_it_does_not_name_goes() {
    let mut site_ = Site::new("told-twice");
    site_.node.start_told();
    tell(&site_.node, site(&[HTTP]));
    let stale = json!({"session": NEXT, "base": 1, "ports": {web1().id().to_string(): null}});
    let (status, answer) = site_
        .node
        .request("POST", "/v1/transactions", &stale.to_string());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (status, &answer["in_force"]),
        (409, &json!({"revision": 1, "session": SESSION}))
    );
    let (status, answer) = site_
        .node
        .request("POST", "/v1/transactions", "{\"session\": 1}");
    assert_eq!(status, 422, "{answer}");
    let (status, answer) = site_.node.request(
        "PUT",
        "/v1/inventory",
        "{\"ports\": [], \"security_groups\": []}",
    );
    assert_eq!(status, 409, "{answer}");
    assert_eq!(site_.ask(80), Answered, "nothing was changed");

    // An agent's restart: all again, without a write; then the rest goes.
    let mut all = site(&[HTTP]);
    all["complete"] = true.into();
    let answer = tell_as(&site_.node, NEXT, all);
    assert_eq!(answer["changes"], 0, "{answer}");
    let mut less = site(&[HTTP]);
    less["ports"]
        .as_object_mut()
        .unwrap()
        .remove(&client().id().to_string());
    tell_as(&site_.node, SESSION, less);
    tell_as(&site_.node, SESSION, json!({"reap": true}));
    assert_eq!(
        site_.ask(80),
        Silence,
        "the client's tap has no port any more, and is closed"
    );
}

#[test]
fn the_maps_are_those_of_a_fresh_start() {
    let mut site_ = Site::new("told-fresh");
    site_.node.start_told();
    tell(&site_.node, site(&[HTTP, HTTPS]));
    tell(
        &site_.node,
        json!({"ports": {client().id().to_string(): null}}),
    );
    tell(
        &site_.node,
        json!({"members": {group_of_web(): ["10.9.0.0/16", "10.9.8.7"]}}),
    );
    let own = "ingress IPv4 udp 53 from group WEB_SERVERS";
    tell(
        &site_.node,
        json!({"security_groups": {group_of_web(): web_servers(&[HTTP, own])}}),
    );
    site_.node.kill();
    site_.node.start_told();
    tell(
        &site_.node,
        json!({"ports": {client().id().to_string(): port(&client())}, "members": {group_of_web(): ["10.9.8.7", "10.9.8.8"]}}),
    );
    tell(
        &site_.node,
        json!({"trusted": {"11111111-2222-4333-8444-555555555555": {"device": "tap-of-none"}}}),
    );

    let before = policy(&site_.node);
    site_.node.terminate();
    site_.node.start_told();
    assert_eq!(policy(&site_.node), before, "a restart writes nothing");
    site_.node.terminate();
    site_.node.sgd("detach").expect(0);
    site_.node.start_told();
    assert_eq!(policy(&site_.node), before);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);

    // An unplugged tap comes back.
    let Site { web, node, .. } = site_;
    drop(web);
    sleep(NOTICE);
    let answer = tell(
        &node,
        json!({"ports": {web1().id().to_string(): port(&web1().with("name", "W"))}}),
    );
    assert_eq!(state(&answer, &web1()), "elsewhere");
}

#[test]
fn a_state_that_is_damaged_is_refused_with_what_to_do() {
    let mut site_ = Site::new("told-wrong");
    site_.node.start_told();
    tell(&site_.node, site(&[HTTP]));
    site_.node.kill();
    let path = site_.node.state_path();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("fa:16", "fa:17")).unwrap();
    let [state, pins] = [path, site_.node.pins()].map(|path| path.to_string_lossy().into_owned());
    let arguments = ["run", "--bpffs", &pins, "--transactions", "--state", &state];
    let refused = site_.node.sgd_args(&arguments);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(
        refused.stderr.contains("line 2 is damaged"),
        "{}",
        refused.stderr
    );
    assert_eq!(site_.ask(443), Silence, "the filters stay");
}
