//! The API in front of a cluster whose members come and go.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sg_store::testing::Cluster;
use sg_tests::api::Api;
use sg_tests::netns::Netns;

/// How many members: one may be away.
const MEMBERS: usize = 3;

/// How long a member is away, and how long all are there before the next one goes.
const AWAY: Duration = Duration::from_millis(1500);

#[test]
fn what_is_written_while_members_are_killed_is_there_once() {
    let netns = Netns::new("desk");
    let directory = tempfile::tempdir().unwrap();
    let mut cluster = netns.run(|| Cluster::start(MEMBERS));
    let urls = cluster.urls();
    let log = directory.path().join("sgapi.log");
    let api = Api::start(&netns, &log, &["--etcd", &urls, "--rate", "10000"]);
    let much = json!({"quota": {"security_group": -1, "security_group_rule": -1}});
    let answer = api.ask("PUT /v2.0/quotas/fake_project_id", &much);
    assert_eq!(answer.status, 200, "{}", answer.body);
    // One of them leads.
    let (made, refused) = thread::scope(|scope| {
        let killing = scope.spawn(|| {
            for number in 0..MEMBERS {
                thread::sleep(AWAY);
                cluster.member(number).kill();
                thread::sleep(AWAY);
                netns.run(|| {
                    cluster.member(number).start();
                    cluster.member(number).wait();
                });
            }
        });
        let (mut made, mut refused) = (Vec::new(), Vec::new());
        while !killing.is_finished() {
            let name = format!("group-{}", made.len() + refused.len());
            let group = json!({"security_group": {"name": name}});
            let answer = api.ask("POST /v2.0/security-groups", &group);
            match answer.status {
                201 => made.push(name),
                status => refused.push((name, status, answer.body)),
            }
        }
        killing.join().expect("members are killed and started");
        (made, refused)
    });
    // Who is told that nobody knows can ask; no other answer leaves anything open.
    for (name, status, body) in &refused {
        let is_open = body.contains("It is not known whether");
        assert!(*status == 503 && is_open, "{name}: {status} {body}");
    }
    assert!(refused.len() <= MEMBERS, "{refused:?}");
    assert!(made.len() > 50, "only {} were made", made.len());
    let answer = api.ask("GET /v2.0/security-groups?fields=name", &Value::Null);
    let groups = answer.json()["security_groups"].take();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for group in groups.as_array().expect("a list") {
        *times
            .entry(group["name"].as_str().expect("a name"))
            .or_default() += 1;
    }
    for name in &made {
        assert_eq!(times.get(name.as_str()), Some(&1), "{name}");
    }
    for (name, ..) in &refused {
        assert!(times.get(name.as_str()) <= Some(&1), "{name}");
    }
}

#[test]
fn an_api_that_starts_before_its_store_waits_for_it() {
    let netns = Netns::new("desk");
    let directory = tempfile::tempdir().unwrap();
    let mut cluster = netns.run(|| Cluster::prepare(MEMBERS, &[]));
    let urls = cluster.urls();
    let log = directory.path().join("sgapi.log");
    let answer = thread::scope(|scope| {
        // Nobody at first, then one that has no leader, then all.
        scope.spawn(|| {
            for number in 0..MEMBERS {
                thread::sleep(AWAY);
                netns.run(|| cluster.member(number).start());
            }
        });
        let api = Api::start(&netns, &log, &["--etcd", &urls]);
        api.ask("GET /v2.0/security-groups", &Value::Null)
    });
    assert_eq!(answer.status, 200, "{}", answer.body);
}

#[test]
fn an_api_that_was_away_over_a_compaction_reads_all_anew() {
    let netns = Netns::new("desk");
    let directory = tempfile::tempdir().unwrap();
    let mut cluster = netns.run(|| Cluster::start(1));
    let urls = cluster.urls();
    let log = directory.path().join("sgapi.log");
    let api = Api::start(&netns, &log, &["--etcd", &urls]);
    let _ = api.create("security_group", json!({"name": "before"}));
    api.freeze(true);
    netns.run(|| {
        // Its watch ends, and what it would be told next is forgotten.
        cluster.member(0).kill();
        cluster.member(0).start();
        cluster.member(0).wait();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let done = runtime.unwrap().block_on(async {
            let mut client = etcd_client::Client::connect([&urls], None).await?;
            client.put("/elsewhere", "1", None).await?;
            let put = client.put("/elsewhere", "2", None).await?;
            let revision = put.header().map_or(0, |header| header.revision());
            client.compact(revision, None).await
        });
        done.unwrap();
    });
    api.freeze(false);
    let deadline = Instant::now() + Duration::from_secs(40);
    let group = json!({"security_group": {"name": "after"}});
    loop {
        let answer = api.ask("POST /v2.0/security-groups", &group);
        if answer.status == 201 {
            break;
        }
        assert!(Instant::now() < deadline, "{}", answer.body);
    }
}
