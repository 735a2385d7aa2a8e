//! What a watch tells, and how it ends.

use std::time::Duration;

use sg_store::testing::Cluster;
use sg_store::{Error, Follower, Key, LAYOUT, Revision, Store, Watch};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::support::{delete, impatient, prefix, put, soon, store};

const WAIT: Duration = Duration::from_secs(15);

async fn end(watch: &mut Watch, within: Duration) -> Error {
    let end = timeout(within, async {
        loop {
            if let Err(error) = watch.next().await {
                return error;
            }
        }
    });
    end.await.expect("an end in time")
}

async fn now(store: &Store) -> Revision {
    store.read(&prefix("none/"), None).await.unwrap().revision
}

/// Each commit changes a port, its groups, a rule that comes and goes, and the members that this names; a second
/// group is wanted by turns. Whatever is told, it is what the store had at one revision.
#[tokio::test]
async fn each_commit_is_told_whole_whichever_ranges_it_touches() {
    const COMMITS: u64 = 400;
    let cluster = Cluster::start(1);
    let (writer, reader) = (store(&cluster), store(&cluster));
    writer.prepare().await.unwrap();
    let begin = now(&reader).await;
    let [always, by_turns, remote] = [10, 11, 12].map(Uuid::from_u128);
    let commit = move |number: u64| {
        let groups = if number % 20 < 10 {
            vec![always]
        } else {
            vec![always, by_turns]
        };
        let name = number.to_string();
        let named = format!("{{\"name\": \"{name}\"}}");
        let rule = Key::Rule {
            group: always,
            id: Uuid::from_u128(20),
        };
        let member = Key::Member {
            group: remote,
            port: Uuid::from_u128(2),
        };
        let port = serde_json::json!({"name": name, "security_groups": groups});
        let of_remote =
            serde_json::json!({"description": name, "remote_group_id": remote}).to_string();
        vec![
            put(&port_key(1), &port.to_string()),
            put(&Key::SecurityGroup(always).to_string(), &named),
            put(&Key::SecurityGroup(by_turns).to_string(), &named),
            put(&member.to_string(), &format!("[\"{}\"]", address(number))),
            match number % 4 {
                0 => delete(&rule.to_string()),
                _ => put(&rule.to_string(), &of_remote),
            },
        ]
    };
    writer.commit(vec![], commit(0)).await.unwrap();
    let mut follower = Follower::new(reader, HOST, None);
    follower.next().await.unwrap();
    let writing = tokio::spawn(async move {
        for number in 1..=COMMITS {
            writer.commit(vec![], commit(number)).await.unwrap();
        }
    });
    let mut told = 0;
    let mut times = 0;
    while told < COMMITS {
        let step = timeout(WAIT, follower.next()).await;
        let step = step.unwrap_or_else(|_| panic!("nothing is told behind {told}"));
        let step = step.unwrap();
        assert!(!step.complete, "nothing was missed");
        times += 1;
        let before = told;
        told = step.revision - begin - 1;
        assert!(told > before);
        let step = serde_json::to_value(&step).unwrap();
        let name = told.to_string();
        assert_eq!(step["ports"][Uuid::from_u128(1).to_string()]["name"], name);
        let groups = &step["security_groups"];
        assert_eq!(groups[always.to_string()]["name"], name);
        let rules = &groups[always.to_string()]["security_group_rules"];
        let members = &step["members"][remote.to_string()];
        if told % 4 == 0 {
            assert_eq!(rules.as_array().map(Vec::len), Some(0));
            assert!(!members.is_array() && members["added"].is_null());
        } else {
            assert_eq!(rules[0]["description"], name);
            let all = match before % 4 {
                0 => &members[0],
                _ => &members["added"][0],
            };
            assert_eq!(all, &format!("{}/32", address(told)));
        }
        if told % 20 >= 10 {
            assert_eq!(groups[by_turns.to_string()]["name"], name);
        }
    }
    assert!(times > 3, "{times}");
    writing.await.unwrap();
}

fn address(number: u64) -> String {
    format!("10.0.{}.{}", number / 256, number % 256)
}

#[tokio::test]
async fn what_was_compacted_is_said_to_be() {
    let cluster = Cluster::start(1);
    let store = store(&cluster);
    for _ in 0..3 {
        store.commit(vec![], vec![put("a", "1")]).await.unwrap();
    }
    let revision = now(&store).await;
    compact(&cluster, revision).await;
    let mut watch = store.watch(prefix("a"), 1).await.unwrap();
    assert!(matches!(end(&mut watch, WAIT).await, Error::Compacted(_)));
    let read = store.read(&prefix("a"), Some(1)).await;
    assert!(matches!(read, Err(Error::Compacted(1))), "{read:?}");
}

#[tokio::test]
async fn keys_that_are_no_text_are_nobodys() {
    let cluster = Cluster::start(1);
    let store = store(&cluster);
    let mut client = etcd_client::Client::connect([cluster.urls()], None)
        .await
        .unwrap();
    for last in [0xfe, 0xff] {
        client.put([b'a', b'/', last], "1", None).await.unwrap();
    }
    store.commit(vec![], vec![put("a/b", "1")]).await.unwrap();
    let read = store.read(&prefix("a/"), None).await.unwrap();
    let keys: Vec<String> = read.entries.into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, ["a/b"]);
    let mut watch = store.watch(prefix("a/"), read.revision).await.unwrap();
    client.put([b'a', b'/', 0xff], "2", None).await.unwrap();
    store.commit(vec![], vec![put("a/b", "2")]).await.unwrap();
    let batch = timeout(WAIT, watch.next()).await.unwrap().unwrap();
    let keys: Vec<&str> = batch.changes.iter().map(sg_store::Change::key).collect();
    assert_eq!(keys, ["a/b"]);
}

pub async fn compact(cluster: &Cluster, revision: Revision) {
    let mut client = etcd_client::Client::connect([cluster.urls()], None)
        .await
        .unwrap();
    client.compact(revision.cast_signed(), None).await.unwrap();
}

#[tokio::test]
async fn a_member_that_ends_ends_the_watch_at_once() {
    let mut cluster = Cluster::start(1);
    let store = store(&cluster);
    let mut watch = store.watch(prefix("a"), 1).await.unwrap();
    let begin = Instant::now();
    cluster.member(0).stop();
    let error = end(&mut watch, WAIT).await;
    assert_eq!(error.reason(), "ended", "{error}");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_member_that_stands_still_is_noticed_within_ten_seconds() {
    let mut cluster = Cluster::start(1);
    let store = store(&cluster);
    let mut watch = store.watch(prefix("a"), 1).await.unwrap();
    // So that the connection is older than its first question.
    let quiet = timeout(Duration::from_secs(2), watch.next()).await;
    assert!(quiet.is_err());
    let begin = Instant::now();
    cluster.member(0).freeze();
    let error = end(&mut watch, WAIT).await;
    assert_eq!(error.reason(), "ended", "{error}");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn a_member_that_is_cut_off_from_the_others_ends_the_watch() {
    let mut cluster = Cluster::start(3);
    let alone = cluster.member(0).url();
    let store = Store::etcd(sg_store::EtcdOptions::at(alone)).unwrap();
    soon(async || store.commit(vec![], vec![put("a", "1")]).await).await;
    let begin = now(&store).await;
    let mut watch = store.watch(prefix("a"), begin).await.unwrap();
    cluster.member(1).freeze();
    cluster.member(2).freeze();
    let error = end(&mut watch, WAIT).await;
    assert!(matches!(error, Error::NoLeader), "{error}");
    cluster.member(1).thaw();
    cluster.member(2).thaw();
}

const HOST: &str = "compute-1";

fn port_key(number: u128) -> String {
    Key::Port {
        host: Some(HOST.into()),
        id: Uuid::from_u128(number),
    }
    .to_string()
}

/// A follower, behind its first telling, of one port.
async fn follower(store: &Store) -> Follower {
    store.prepare().await.unwrap();
    let port = put(&port_key(1), "{\"security_groups\": []}");
    store.commit(vec![], vec![port]).await.unwrap();
    let mut follower = Follower::new(store.clone(), HOST, None);
    let first = follower.next().await.unwrap();
    assert!(first.complete && first.ports.len() == 1);
    follower
}

#[tokio::test]
async fn what_a_port_comes_to_need_is_read_at_the_revision_that_needs_it_and_followed() {
    let cluster = Cluster::start(1);
    let store = store(&cluster);
    let mut follower = follower(&store).await;
    let (group, remote) = (Uuid::from_u128(10), Uuid::from_u128(11));
    let rule = Key::Rule {
        group,
        id: Uuid::from_u128(20),
    };
    let member = |port| Key::Member {
        group: remote,
        port: Uuid::from_u128(port),
    };
    let port = format!("{{\"security_groups\": [\"{group}\"]}}");
    // What is not needed yet is not told.
    let before = [
        put(&Key::SecurityGroup(group).to_string(), "{}"),
        put(&member(5).to_string(), "[\"10.0.0.5\"]"),
    ];
    store.commit(vec![], before.into()).await.unwrap();
    let at_once = [
        put(
            &rule.to_string(),
            &format!("{{\"remote_group_id\": \"{remote}\"}}"),
        ),
        put(&port_key(1), &port),
    ];
    store.commit(vec![], at_once.into()).await.unwrap();
    let told = follower.next().await.unwrap();
    assert_eq!((told.ports.len(), told.security_groups.len()), (1, 1));
    let members = serde_json::to_value(&told.members).unwrap();
    assert_eq!(
        members[remote.to_string()],
        serde_json::json!(["10.0.0.5/32"])
    );
    store
        .commit(vec![], vec![put(&member(6).to_string(), "[\"10.0.0.6\"]")])
        .await
        .unwrap();
    let told = timeout(WAIT, follower.next()).await.unwrap().unwrap();
    let members = serde_json::to_value(&told.members).unwrap();
    assert_eq!(members[remote.to_string()]["added"][0], "10.0.0.6/32");
}

#[tokio::test]
async fn who_comes_back_after_a_compaction_is_told_all_and_what_is_gone_is_not_in_it() {
    let mut cluster = Cluster::start(1);
    let store = impatient(&cluster, Duration::from_secs(2));
    let mut follower = follower(&store).await;
    cluster.member(0).stop();
    assert!(follower.next().await.is_err());
    assert!(follower.next().await.is_err());
    cluster.member(0).start();
    cluster.member(0).wait();
    let other = vec![delete(&port_key(1)), put(&port_key(2), "{}")];
    soon(async || store.commit(vec![], other.clone()).await).await;
    let revision = now(&store).await;
    compact(&cluster, revision).await;
    let told = timeout(WAIT, follower.next()).await.unwrap().unwrap();
    assert!(told.complete);
    assert_eq!(told.ports.keys().collect::<Vec<_>>(), [&Uuid::from_u128(2)]);
}

#[tokio::test]
async fn a_store_that_was_emptied_or_is_another_takes_nothing_away_until_an_operator_says_so() {
    let mut cluster = Cluster::start(1);
    let store = impatient(&cluster, Duration::from_secs(2));
    let mut follower = follower(&store).await;
    let mut client = etcd_client::Client::connect([cluster.urls()], None)
        .await
        .unwrap();
    let all = etcd_client::DeleteOptions::new().with_prefix();
    client.delete("/sg/", Some(all)).await.unwrap();
    let error = timeout(WAIT, follower.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains(LAYOUT), "{error}");
    assert!(matches!(follower.next().await, Err(Error::NoLayout)));
    // An API begins it anew.
    store.prepare().await.unwrap();
    let error = follower.next().await.unwrap_err();
    assert!(matches!(error, Error::OtherStore { .. }), "{error}");
    // Other clusters at the same place, with the same id and another one.
    for (generation, token) in [(2, None), (3, Some("another"))] {
        cluster.member(0).stop();
        cluster.member(0).forget(token);
        cluster.member(0).start();
        cluster.member(0).wait();
        soon(async || store.prepare().await).await;
        while now(&store).await < 10 {
            let other = put("other", "{}");
            store.commit(vec![], vec![other]).await.unwrap();
        }
        let is_refused = async || match follower.next().await {
            Err(Error::OtherStore { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(told) => panic!("{told:?}"),
        };
        soon(is_refused).await;
        let raised = format!("{{\"layout\": 1, \"generation\": {generation}}}");
        let raised = put(LAYOUT, &raised);
        store.commit(vec![], vec![raised]).await.unwrap();
        let told = follower.next().await.unwrap();
        assert!(told.complete && told.ports.is_empty());
    }
}

#[tokio::test]
async fn a_store_that_was_restored_from_a_backup_is_refused_until_its_generation_is_raised() {
    let mut cluster = Cluster::start(1);
    let store = impatient(&cluster, Duration::from_secs(2));
    let mut follower = follower(&store).await;
    cluster.member(0).stop();
    let backup = cluster.member(0).backup();
    cluster.member(0).start();
    cluster.member(0).wait();
    for _ in 0..3 {
        soon(async || store.commit(vec![], vec![put(&port_key(2), "{}")]).await).await;
    }
    let _ = follower.next().await;
    assert_eq!(soon_told(&mut follower).await.ports.len(), 2);
    cluster.member(0).stop();
    cluster.member(0).restore(&backup);
    cluster.member(0).start();
    cluster.member(0).wait();
    let _ = follower.next().await;
    let error = follower.next().await.unwrap_err();
    assert!(error.to_string().contains("backup"), "{error}");
    // It comes further again by itself.
    while now(&store).await < 20 {
        let other = put("other", "{}");
        store.commit(vec![], vec![other]).await.unwrap();
    }
    let error = follower.next().await.unwrap_err();
    assert!(error.to_string().contains("backup"), "{error}");
    let raised = put(LAYOUT, "{\"layout\": 1, \"generation\": 2}");
    soon(async || store.commit(vec![], vec![raised.clone()]).await).await;
    let told = soon_told(&mut follower).await;
    assert!(told.complete && told.ports.len() == 1);
}

async fn soon_told(follower: &mut Follower) -> sg_store::Telling {
    for _ in 0..50 {
        if let Ok(Ok(told)) = timeout(WAIT, follower.next()).await {
            return told;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("nothing is told");
}
