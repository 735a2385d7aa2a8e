//! A node that does not take what the store has, or is not to: what is said of it, and what stays.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::*;

/// A status is written again after so long though nothing has changed.
const A_MINUTE: Duration = Duration::from_secs(60);

fn state_of_both(node: &Node) -> [String; 2] {
    [web1(), client()].map(|port| state(node, &port))
}

#[test]
fn a_node_that_takes_nothing_of_a_store_says_so_in_it_and_how_old_its_state_is() {
    let mut site_ = Site::new("etcdbehind");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    let taken = store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    wait_until(SOON, "the status of the node", || {
        status(&mut store)["connected"] == true
    });
    store.write_texts(vec![(LAYOUT.to_owned(), Some("{\"layout\": 2}".into()))]);
    wait_until(SOON, "the status says that it is not followed", || {
        let status = status(&mut store);
        let error = status["error"].as_str().unwrap_or_default();
        status["connected"] == false && error.contains("newer version")
    });
    assert_eq!(status(&mut store)["revision"], json!(taken));
    // The store answers all the time.
    wait_until(SOON * 2, "what is in force grows old", || {
        let view = source(&site_.node);
        let [age, heard] = ["age", "seconds_ago"].map(|field| view[field].as_u64());
        age.zip(heard)
            .is_some_and(|(age, heard)| age > 10 && heard + 3 < age)
    });
    let shown = site_.node.sgctl("status").expect(0).stdout.clone();
    let stays = format!("revision {taken} stays in force, as the store had it");
    assert!(shown.contains(&stays), "{shown}");
}

#[test]
fn a_status_that_somebody_has_taken_away_comes_back() {
    let mut site_ = Site::new("etcdback");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    let is_there = |store: &mut Etcd| status(store)["host"] == HOST;
    wait_until(SOON, "the status", || is_there(&mut store));
    store.write_texts(vec![(Key::Status(HOST.into()).to_string(), None)]);
    assert!(!is_there(&mut store));
    wait_until(SOON + A_MINUTE, "the status again", || is_there(&mut store));
}

#[test]
fn a_node_by_another_name_than_its_ports_have_does_not_start_and_keeps_them() {
    let mut site_ = Site::new("etcdname");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    let mut values = site(&[HTTP]);
    for port in [web1(), client()] {
        values.push(etcd::port(HOST, &port.with("binding:host_id", HOST)));
    }
    let values: BTreeMap<_, _> = values.into_iter().collect();
    store.write(&Vec::from_iter(values));
    let urls = store.urls();
    let refused = site_.node.followed_refused(&urls, "", &[]);
    assert!(refused.expect(2).stderr.contains("--host"), "{refused:?}");
    site_.node.start_followed(&urls, HOST, &[]);
    site_.node.terminate();
    let other = "compute-1.example.org";
    let refused = site_.node.followed_refused(&urls, other, &[]);
    let state = site_.node.state_path().display().to_string();
    for words in [other, "--host compute-1 ", &state] {
        assert!(refused.expect(2).stderr.contains(words), "{refused:?}");
    }
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);
    site_.node.start_followed(&urls, HOST, &[]);
    assert_eq!([80, 443].map(|port| site_.ask(port)), [Answered, Silence]);
    assert_eq!(state_of_both(&site_.node), ["enforcing"; 2]);
}

#[test]
fn a_second_daemon_by_mistake_leaves_what_the_first_one_is_writing() {
    let mut site_ = Site::new("etcdtwice");
    let netns = site_.node.netns().clone();
    let mut store = Etcd::start(&netns);
    store.write(&site(&[HTTP]));
    site_.node.start_followed(&store.urls(), HOST, &[]);
    let path = site_.node.state_path();
    let mut state = File::options().append(true).open(&path).expect("the state");
    state.write_all(b"0123").expect("the beginning of a line");
    let refused = site_.node.followed_refused(&store.urls(), HOST, &[]);
    assert!(
        refused.expect(6).stderr.contains("another sgd works on"),
        "{refused:?}"
    );
    let kept = fs::read(&path).expect("the state");
    assert!(kept.ends_with(b"0123"), "it was cut off");
}
