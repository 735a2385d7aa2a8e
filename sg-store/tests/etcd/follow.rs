//! What a watch tells, and how it ends.

use std::time::Duration;

use sg_store::testing::Cluster;
use sg_store::{Batch, Change, Error, Follower, Key, LAYOUT, Range, Revision, Store, Watch};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::support::{impatient, prefix, put, soon, store};

const WAIT: Duration = Duration::from_secs(15);

async fn next(watch: &mut Watch) -> Batch {
    let batch = timeout(WAIT, watch.next()).await;
    batch.expect("a change in time").unwrap()
}

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

/// Commits in five ranges at once, of which ever more are followed, and then one again.
#[tokio::test]
async fn each_commit_is_told_whole_whichever_ranges_it_touches() {
    const COMMITS: usize = 400;
    let cluster = Cluster::start(1);
    let (writer, reader) = (store(&cluster), store(&cluster));
    let begin = now(&reader).await;
    let ranges = ["a", "b", "c", "d", "e"];
    let of = |range: &str| Range::Prefix(format!("{range}/"));
    let mut watch = reader.watch(vec![of("a")], begin).await.unwrap();
    let writing = tokio::spawn(async move {
        for number in 0..COMMITS {
            let writes = ranges.map(|range| put(&format!("{range}/{number}"), "x"));
            writer.commit(vec![], writes.into()).await.unwrap();
        }
    });
    let mut followed = 1;
    for number in 0..COMMITS {
        let batch = next(&mut watch).await;
        assert_eq!(batch.revision, begin + 1 + number as u64);
        let keys: Vec<&str> = batch.changes.iter().map(Change::key).collect();
        let expected: Vec<String> = ranges[..followed]
            .iter()
            .map(|range| format!("{range}/{number}"))
            .collect();
        assert_eq!(keys, expected, "commit {number}");
        // One more every 20 commits, and all but one given up then.
        if number % 20 == 19 {
            if followed < ranges.len() {
                let more = vec![of(ranges[followed])];
                watch.follow(more, batch.revision).await.unwrap();
                followed += 1;
            } else {
                let less: Vec<Range> = ranges[1..].iter().map(|range| of(range)).collect();
                watch.forget(&less).await.unwrap();
                followed = 1;
                // What is given up may still come for a while.
                let batch = next(&mut watch).await;
                assert!(batch.changes.len() >= followed);
                break;
            }
        }
    }
    writing.await.unwrap();
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
    store
        .commit(vec![], vec![put(&member(6).to_string(), "[\"10.0.0.6\"]")])
        .await
        .unwrap();
    let told = follower.next().await.unwrap();
    assert_eq!((told.ports.len(), told.security_groups.len()), (1, 1));
    let members = serde_json::to_value(&told.members).unwrap();
    assert_eq!(
        members[remote.to_string()],
        serde_json::json!(["10.0.0.5/32"])
    );
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
    let other = vec![
        super::support::delete(&port_key(1)),
        put(&port_key(2), "{}"),
    ];
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
    // Another cluster at the same place, of which somebody has made a store.
    cluster.member(0).stop();
    cluster.member(0).forget("another");
    cluster.member(0).start();
    cluster.member(0).wait();
    soon(async || store.prepare().await).await;
    let error = follower.next().await.unwrap_err();
    assert!(matches!(error, Error::OtherStore { .. }), "{error}");
    let raised = put(LAYOUT, "{\"layout\": 1, \"generation\": 2}");
    store.commit(vec![], vec![raised]).await.unwrap();
    let told = follower.next().await.unwrap();
    assert!(told.complete && told.ports.is_empty());
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
