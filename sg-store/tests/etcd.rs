//! What readers, writers and followers of a real etcd can rely on.

#[path = "etcd/follow.rs"]
mod follow;
#[path = "etcd/refuse.rs"]
mod refuse;
#[path = "etcd/support.rs"]
mod support;

use std::time::Duration;

use sg_store::testing::Cluster;
use sg_store::{Error, Outcome, Range, Store, Write};
use support::{delete, prefix, put, soon, store, written_at};

#[tokio::test]
async fn what_was_committed_is_read_at_its_revision() {
    let cluster = Cluster::start(1);
    let store = store(&cluster);
    let first = store.commit(vec![], vec![put("a/1", "x"), put("a/2", "y")]);
    let Outcome::Written(first) = first.await.unwrap() else {
        panic!("nothing stands against it");
    };
    let second = store.commit(vec![], vec![put("b", "z"), delete("a/1")]);
    assert_eq!(second.await.unwrap(), Outcome::Written(first + 1));
    let ranges = [Range::Key("b".into()), Range::Prefix("a/".into())];
    let now = store.read(&ranges, None).await.unwrap();
    let keys: Vec<&str> = now.entries.iter().map(|entry| entry.key.as_str()).collect();
    assert_eq!((now.revision, keys), (first + 1, vec!["a/2", "b"]));
    let then = store.read(&ranges, Some(first)).await.unwrap();
    let keys: Vec<&str> = then
        .entries
        .iter()
        .map(|entry| entry.key.as_str())
        .collect();
    assert_eq!((then.revision, keys), (first, vec!["a/1", "a/2"]));
    assert_eq!(now.store, then.store);
    assert_ne!(now.store, 0);
}

#[tokio::test]
async fn nothing_is_written_if_what_was_read_has_changed() {
    let cluster = Cluster::start(1);
    let store = store(&cluster);
    let written = store.commit(vec![], vec![put("a", "1")]).await.unwrap();
    let Outcome::Written(revision) = written else {
        panic!("nothing stands against it");
    };
    for stale in [written_at("a", 0), written_at("a", 99), written_at("b", 1)] {
        let refused = store.commit(vec![stale], vec![put("a", "2"), put("b", "2")]);
        assert_eq!(refused.await.unwrap(), Outcome::Conflict);
    }
    let conditions = vec![written_at("a", revision), written_at("b", 0)];
    let taken = store.commit(conditions, vec![put("a", "2")]).await.unwrap();
    assert_eq!(taken, Outcome::Written(revision + 1));
}

#[tokio::test]
async fn a_range_that_is_read_in_pages_is_whole_and_of_one_revision() {
    let cluster = Cluster::start(1);
    let store = store(&cluster);
    let keys: Vec<Write> = (0..2500).map(|n| put(&format!("a/{n:04}"), "x")).collect();
    for keys in keys.chunks(100) {
        store.commit(vec![], keys.to_vec()).await.unwrap();
    }
    let read = store.read(&prefix("a/"), None).await.unwrap();
    assert_eq!(read.entries.len(), 2500);
    // A hundred ranges and one are asked for in parts as well.
    let ranges: Vec<Range> = (0..101).map(|n| Range::Key(format!("a/{n:04}"))).collect();
    let read = store.read(&ranges, Some(read.revision)).await.unwrap();
    assert_eq!(read.entries.len(), 101);
}

#[tokio::test]
async fn a_commit_that_is_too_large_is_refused_with_its_size() {
    let cluster = Cluster::start(1);
    let store = store(&cluster);
    let writes: Vec<Write> = (0..129).map(|n| put(&n.to_string(), "x")).collect();
    let error = store.commit(vec![], writes).await.unwrap_err();
    assert!(
        matches!(error, Error::TooMany { writes: 129, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("--max-txn-ops"), "{error}");
    // etcd takes 1.5 MiB, and its gRPC half a MiB more.
    for bytes in [1_600_000, 3_000_000] {
        let writes = vec![put("a", &"x".repeat(bytes - 1))];
        let error = store.commit(vec![], writes).await.unwrap_err();
        assert!(
            matches!(error, Error::TooLarge { bytes: said } if said == bytes),
            "{error}"
        );
        assert!(error.to_string().contains("--max-request-bytes"), "{error}");
    }
    assert_eq!(store.read(&prefix(""), None).await.unwrap().entries, []);
}

#[tokio::test]
async fn a_commit_without_an_answer_is_said_to_be_unknown() {
    let mut cluster = Cluster::start(1);
    let store = support::impatient(&cluster, Duration::from_secs(1));
    store.commit(vec![], vec![put("a", "1")]).await.unwrap();
    cluster.member(0).freeze();
    let error = store.commit(vec![], vec![put("a", "2")]).await.unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error}");
    cluster.member(0).thaw();
    let read = soon(async || store.read(&[Range::Key("a".into())], None).await).await;
    // Here it was made all the same.
    assert_eq!(read.entries.len(), 1);
}

#[tokio::test]
async fn a_store_that_nobody_serves_is_named_with_what_was_found_there() {
    let cluster = Cluster::prepare(2, &[]);
    let store = store(&cluster);
    let error = store.read(&prefix(""), None).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&cluster.urls()), "{text}");
    assert!(text.contains("refused"), "{text}");
    assert!(matches!(error, Error::Unreachable { .. }) && !error.is_refusal());
}

#[tokio::test]
async fn with_one_member_of_three_gone_all_goes_on() {
    let mut cluster = Cluster::start(3);
    let store = store(&cluster);
    soon(async || store.commit(vec![], vec![put("a", "1")]).await).await;
    for member in 0..3 {
        cluster.member(member).kill();
        soon(async || store.commit(vec![], vec![put("a", "2")]).await).await;
        let read = soon(async || store.read(&prefix(""), None).await).await;
        assert_eq!(read.entries.len(), 1);
        cluster.member(member).start();
        cluster.member(member).wait();
    }
}

#[tokio::test]
async fn what_is_put_with_a_lease_goes_with_it() {
    let cluster = Cluster::start(1);
    let store = store(&cluster);
    let Store::Etcd(etcd) = &store else {
        panic!("it is etcd");
    };
    let there = || async {
        let read = store.read(&prefix("status/"), None).await.unwrap();
        read.entries.len()
    };
    let lease = etcd.lease(Duration::from_secs(30)).await.unwrap();
    lease.put("status/a", b"{}").await.unwrap();
    lease.keep_alive().await.unwrap();
    assert_eq!(there().await, 1);
    lease.revoke().await.unwrap();
    assert_eq!(there().await, 0);
    let short = etcd.lease(Duration::from_secs(1)).await.unwrap();
    short.put("status/b", b"{}").await.unwrap();
    let mut over = short.keep_alive().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while there().await > 0 {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(over.is_ok());
    over = short.keep_alive().await;
    assert!(over.is_err(), "it is over");
    assert!(matches!(
        short.put("status/b", b"{}").await,
        Err(Error::Ended(_))
    ));
}
