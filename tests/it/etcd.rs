//! A daemon that follows a store in etcd: what is there is enforced, and goes on being so without it.

mod behind;

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sg_store::{Key, LAYOUT, Revision};
use sg_tests::crowd::wait_until;
use sg_tests::etcd::{self, Etcd};
use sg_tests::inventory::{Port, group, group_id};
use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, HTTPS, Site, client, web1};

const HOST: &str = "compute-1";

/// Time for a change to be in force, without much else on the machine some hundredths of a second.
const SOON: Duration = Duration::from_secs(20);

type Values = Vec<(Key, Option<Value>)>;

/// The two machines, whose groups permit what they send and these rules.
fn site(rules: &[&str]) -> Values {
    let mut values = vec![etcd::port(HOST, &web1()), etcd::port(HOST, &client())];
    values.extend(web_servers(rules));
    values.extend(etcd::group(&group("CLIENTS").default_egress()));
    for port in [web1(), client()] {
        values.extend(etcd::members(&port));
    }
    values
}

fn web_servers(rules: &[&str]) -> Values {
    let servers = group("WEB_SERVERS").default_egress();
    let servers = rules.iter().fold(servers, |group, rule| group.rule(rule));
    etcd::group(&servers)
}

/// The key of a rule of WEB_SERVERS.
fn rule(words: &str) -> Key {
    let all = web_servers(&[words]);
    let (key, _) = all.last().expect("the rule");
    key.clone()
}

fn source(node: &Node) -> Value {
    node.query("status")["source"].clone()
}

/// Whether an age in seconds is this one or little more.
fn is_about(age: &Value, seconds: Duration) -> bool {
    let seconds = seconds.as_secs();
    age.as_u64()
        .is_some_and(|age| (seconds..seconds + 90).contains(&age))
}

fn wait_for(node: &Node, revision: Revision) {
    wait_until(SOON, &format!("revision {revision} in force"), || {
        source(node)["revision"].as_u64() >= Some(revision) && source(node)["connected"] == true
    });
}

/// What the node says of itself in the store; null if nothing is there.
fn status(store: &mut Etcd) -> Value {
    let entries = store.read(&Key::statuses());
    let read = entries
        .first()
        .map(|entry| serde_json::from_slice(&entry.value));
    read.map_or(Value::Null, |read| read.expect("JSON"))
}

fn state(node: &Node, port: &Port) -> String {
    let listed = node.query("list ports");
    let ports = listed.as_array().expect("a list").iter();
    let mut ports = ports.filter(|listed| listed["id"] == port.id().to_string());
    ports.next().map_or_else(String::new, |port| {
        port["state"].as_str().unwrap_or_default().to_owned()
    })
}

#[test]
fn what_is_written_to_the_store_is_enforced_and_what_is_taken_away_is_not() {
    let mut site_ = Site::new("etcd");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);

    let revision = store.write(&web_servers(&[HTTP, HTTPS]));
    wait_for(&site_.node, revision);
    assert_eq!(site_.ask(443), Answered);

    let revision = store.write(&[(rule(HTTP), None)]);
    wait_for(&site_.node, revision);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Silence, Answered]);

    // A rule for a group, its member and the port's group, in one commit.
    let from_clients = "ingress IPv4 tcp 80 from group CLIENTS";
    let revision = store.write(&web_servers(&[HTTPS, from_clients]));
    wait_for(&site_.node, revision);
    assert_eq!(site_.ask(80), Answered);
    let member = Key::Member {
        group: group_id("CLIENTS"),
        port: client().id(),
    };
    let lone = client().groups(&["LONE"]);
    let mut moved = etcd::group(&group("LONE").default_egress());
    moved.push(etcd::port(HOST, &lone));
    moved.push((member, None));
    let revision = store.write(&moved);
    wait_for(&site_.node, revision);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Silence, Answered]);
}

#[test]
fn without_the_store_the_last_state_is_in_force_and_a_restart_brings_it_back() {
    let mut site_ = Site::new("etcdgone");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    let told = store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    store.kill();
    wait_until(SOON, "the loss is noticed", || {
        source(&site_.node)["connected"] == false
    });
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);

    site_.node.terminate();
    let state = File::open(site_.node.state_path()).expect("the state");
    let hour = Duration::from_secs(3600);
    let dated = state.set_modified(SystemTime::now() - hour);
    dated.expect("a time of the state");
    site_.node.start_followed(&store.urls(), HOST, &[]);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);
    let view = source(&site_.node);
    assert_eq!(
        (&view["connected"], &view["revision"], &view["seconds_ago"]),
        (&json!(false), &json!(told), &Value::Null)
    );
    assert!(is_about(&view["age"], hour), "{view}");
    let shown = site_.node.sgctl("status").expect(0).stdout.clone();
    assert!(shown.contains("NOT CONNECTED"), "{shown}");
    let stays = format!("revision {told} stays in force, as the store had it 1 h");
    assert!(shown.contains(&stays), "{shown}");
    assert!(
        site_.node.log().contains("as the store had it 1 h"),
        "it is logged as well"
    );
    let metrics = site_.node.request("GET", "/metrics", "").1;
    for line in [
        "sg_source_connected{source=\"etcd\"} 0",
        "sg_source_age_seconds{source=\"etcd\"} 36",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // A port that was never seen stays closed, as the tap of one without a port does.

    store.start_again();
    let mut changed = vec![(rule(HTTP), None)];
    changed.extend(web_servers(&[HTTPS]));
    let revision = store.write(&changed);
    wait_for(&site_.node, revision);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Silence, Answered]);
}

#[test]
fn what_was_compacted_while_the_daemon_was_away_is_found_by_comparing() {
    let mut site_ = Site::new("etcdpast");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    site_.node.kill();
    store.write(&[(rule(HTTP), None)]);
    store.write(&web_servers(&[HTTPS]));
    let (port, _) = etcd::port(HOST, &client());
    let revision = store.write(&[(port, None)]);
    store.compact(revision);
    site_.node.start_followed(&store.urls(), HOST, &[]);
    wait_for(&site_.node, revision);
    // The client's port has left, so its tap is closed.
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Silence, Silence]);
    let revision = store.write(&[etcd::port(HOST, &client())]);
    wait_for(&site_.node, revision);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Silence, Answered]);
    assert_eq!(source(&site_.node)["relists"], json!({"start": 1}));
}

#[test]
fn a_value_that_cannot_be_read_closes_only_its_own_and_is_named_by_its_key() {
    let mut site_ = Site::new("etcdbad");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP, HTTPS]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    let (client_key, _) = etcd::port(HOST, &client());
    let member = Key::Member {
        group: group_id("CLIENTS"),
        port: client().id(),
    };
    let from_clients = "ingress IPv4 tcp 8080 from group CLIENTS";
    let mut keys = [rule(HTTP), member, client_key.clone()];
    let texts = ["[\"tcp\"]", "[\"10.0.0.300\"]", "{\"mac_address\": "];
    let mut texts: Vec<(String, Option<String>)> = keys
        .iter()
        .zip(texts)
        .map(|(key, text)| (key.to_string(), Some(text.to_owned())))
        .collect();
    let group_value = web_servers(&[HTTPS, from_clients]);
    texts.extend(group_value.iter().map(|(key, value)| {
        let value = value.as_ref().map(Value::to_string);
        (key.to_string(), value)
    }));
    let revision = store.write_texts(texts);
    wait_for(&site_.node, revision);
    assert_eq!(state(&site_.node, &client()), "closed");
    assert_eq!(state(&site_.node, &web1()), "enforcing");
    let status = site_.node.query("status");
    let faults = status["faults"].as_array().expect("faults");
    let mut named: Vec<&str> = faults
        .iter()
        .filter_map(|fault| fault["key"].as_str())
        .collect();
    named.sort_unstable();
    keys.sort();
    let mut expected: Vec<String> = keys.iter().map(Key::to_string).collect();
    expected.sort_unstable();
    assert_eq!(named, expected, "{faults:#?}");
    let log = site_.node.log();
    assert!(log.contains(&client_key.to_string()), "{log}");
    // Mended, it is as it was.
    let mut mended = vec![etcd::port(HOST, &client())];
    mended.extend(web_servers(&[HTTP]));
    mended.extend(etcd::members(&client()));
    let revision = store.write(&mended);
    wait_for(&site_.node, revision);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Answered]);
    assert_eq!(site_.node.query("status")["faults"], json!([]));
}

#[test]
fn a_node_is_told_nothing_of_what_only_others_need() {
    let mut site_ = Site::new("etcdothers");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    let other = web1().groups(&["OTHERS"]);
    for number in 0..20 {
        let mut values = vec![etcd::port("compute-2", &other)];
        values.extend(etcd::members(&other));
        values.extend(etcd::group(&group("OTHERS").default_egress()));
        let address_group = Key::AddressGroup(group_id("OTHERS"));
        values.push((
            address_group,
            Some(json!({"addresses": [], "name": number})),
        ));
        store.write(&values);
    }
    let revision = store.write(&[etcd::port(HOST, &client().with("name", "C2"))]);
    wait_for(&site_.node, revision);
    let source = source(&site_.node);
    assert_eq!(source["events"], 1, "{source}");
    assert!(source["bytes"].as_u64() < Some(2000), "{source}");
}

#[test]
fn the_node_says_how_it_is_as_long_as_it_lives() {
    let mut site_ = Site::new("etcdstatus");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    let revision = store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    let mut status = Value::Null;
    wait_until(SOON, "the status of the node", || {
        status = self::status(&mut store);
        status["states"][web1().id().to_string()] == "enforcing"
    });
    assert_eq!(status["layout"], 1);
    assert_eq!(status["host"], HOST);
    assert_eq!(status["revision"], json!(revision));
    assert_eq!(status["ports"]["enforcing"], 2);
    assert_eq!(status["faults"], json!([]));
    let (key, _) = etcd::port(HOST, &client());
    store.write_texts(vec![(key.to_string(), Some("{}".into()))]);
    wait_until(SOON, "the port is closed in the status", || {
        let status = self::status(&mut store);
        status["states"][client().id().to_string()] == "closed"
            && status["faults"][0]["key"] == key.to_string()
    });
    site_.node.terminate();
    assert_eq!(store.read(&Key::statuses()), []);
}

#[test]
fn a_store_that_was_emptied_takes_nothing_away() {
    let mut site_ = Site::new("etcdempty");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    let all = store.read("/sg/");
    let nothing = all.iter().map(|entry| (entry.key.clone(), None));
    store.write_texts(nothing.collect());
    wait_until(SOON, "it is noticed", || {
        let error = source(&site_.node)["error"].clone();
        error.as_str().is_some_and(|error| error.contains(LAYOUT))
    });
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);
    // Somebody makes a store of it again; it is another one until an operator says that it holds.
    let layout = |generation: u32| {
        let value = format!("{{\"layout\": 1, \"generation\": {generation}}}");
        vec![(LAYOUT.to_owned(), Some(value))]
    };
    store.write_texts(layout(1));
    wait_until(SOON, "it is taken for another one", || {
        let error = source(&site_.node)["error"].clone();
        let says = "was followed before";
        error.as_str().is_some_and(|error| error.contains(says))
    });
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);
    let mut anew = layout(2);
    anew.extend(site(&[HTTPS]).into_iter().map(|(key, value)| {
        let value = value.as_ref().map(Value::to_string);
        (key.to_string(), value)
    }));
    let revision = store.write_texts(anew);
    wait_for(&site_.node, revision);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Silence, Answered]);
}

#[test]
fn a_store_that_refuses_ends_the_first_start_with_a_code_and_no_later_one() {
    let mut site_ = Site::new("etcdrefuse");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    let urls = store.urls();
    let password = site_.node.directory().join("password");
    fs::write(&password, "wrong\n").expect("a password");
    let password = password.to_string_lossy().into_owned();
    let user = ["--etcd-user", "node", "--etcd-password-file", &password];
    let refused = site_.node.followed_refused(&urls, HOST, &user);
    assert!(
        refused.expect(9).stderr.contains("authentication"),
        "{refused:?}"
    );
    let refused = site_.node.followed_refused("127.0.0.1:2379", HOST, &[]);
    assert!(
        refused.expect(9).stderr.contains("write http://"),
        "{refused:?}"
    );
    let layout = |number: u32| {
        let value = format!("{{\"layout\": {number}}}");
        vec![(LAYOUT.to_owned(), Some(value))]
    };
    store.write_texts(layout(2));
    let refused = site_.node.followed_refused(&urls, HOST, &[]);
    assert!(
        refused.expect(9).stderr.contains("newer version"),
        "{refused:?}"
    );
    assert_eq!(site_.ask(443), Answered, "nothing was ever filtered");

    store.write_texts(layout(1));
    site_.node.start_followed(&urls, HOST, &[]);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);
    site_.node.kill();
    store.write_texts(layout(2));
    site_.node.start_followed(&urls, HOST, &[]);
    wait_until(SOON, "it is said", || {
        let error = source(&site_.node)["error"].clone();
        let says = |error: &str| error.contains("newer version");
        error.as_str().is_some_and(says)
    });
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);
}

#[test]
fn a_node_follows_as_a_user_that_may_read_the_store_and_write_how_it_is() {
    let mut site_ = Site::new("etcduser");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    store.let_in_only("node-compute-1", "known", HOST);
    let urls = store.urls();
    let password = site_.node.directory().join("password");
    let file = password.to_string_lossy().into_owned();
    let user = [
        "--etcd-user",
        "node-compute-1",
        "--etcd-password-file",
        &file,
    ];
    for (given, said) in [
        (&user[..], "authentication failed"),
        (&[], "user name is empty"),
    ] {
        fs::write(&password, "unknown\n").expect("a password");
        let refused = site_.node.followed_refused(&urls, HOST, given);
        assert!(refused.expect(9).stderr.contains(said), "{refused:?}");
    }
    fs::write(&password, "known\n").expect("a password");
    site_.node.start_followed(&urls, HOST, &user);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);
    let revision = store.write(&web_servers(&[HTTP, HTTPS]));
    wait_for(&site_.node, revision);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered; 2]);
    wait_until(SOON, "the node says how it is", || {
        !store.read("/sg/v1/status/").is_empty()
    });
    // It may not say so for others.
    site_.node.terminate();
    site_.node.start_followed(&urls, "compute-2", &user);
    wait_until(SOON, "it is refused", || {
        site_.node.log().contains("permission denied")
    });
    assert_eq!(store.read("/sg/v1/status/compute-2"), []);
}

#[test]
fn whoever_tells_on_the_socket_is_told_that_a_store_is_followed() {
    let mut site_ = Site::new("etcddoor");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    let body = json!({"session": "0e550000-0000-4000-8000-000000000001", "complete": true});
    let told = site_
        .node
        .request("POST", "/v1/transactions", &body.to_string());
    let whole = site_.node.request("PUT", "/v1/inventory", "{}");
    for (status, answer) in [told, whole] {
        assert_eq!(status, 409, "{answer}");
        assert!(answer.contains("follows a store"), "{answer}");
    }
    let (status, view) = site_.node.request("GET", "/v1/transactions", "");
    let view: Value = serde_json::from_str(&view).expect("JSON");
    assert_eq!((status, &view["objects"]["ports"]), (200, &json!(2)));
}
