//! A node that follows a store in a file.

use uuid::Uuid;

use super::*;
use crate::{Condition, Entry, Key, Outcome, Write};

const HOST: &str = "node";

fn put(key: Key, value: &str) -> Write {
    Write::Put {
        key: key.to_string(),
        value: value.into(),
    }
}

fn port(number: u128) -> Key {
    Key::Port {
        host: Some(HOST.into()),
        id: Uuid::from_u128(number),
    }
}

async fn commit(store: &Store, writes: Vec<Write>) {
    let written = store.commit(Vec::<Condition>::new(), writes).await.unwrap();
    assert!(matches!(written, Outcome::Written(_)));
}

#[tokio::test]
async fn a_node_with_a_store_of_its_own_tells_its_filter_each_commit() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::embedded(&directory.path().join("store")).unwrap();
    let mut follower = Follower::new(store.clone(), HOST, None);
    assert!(matches!(follower.next().await, Err(Error::NoLayout)));
    store.prepare().await.unwrap();
    let group = Uuid::from_u128(10);
    let with_group = format!("{{\"security_groups\": [\"{group}\"]}}");
    commit(&store, vec![put(port(1), &with_group)]).await;
    let all = follower.next().await.unwrap();
    assert_eq!((all.base, all.complete, all.ports.len()), (None, true, 1));
    commit(&store, vec![put(Key::SecurityGroup(group), "{}")]).await;
    let step = follower.next().await.unwrap();
    assert_eq!(
        (step.base, step.revision),
        (Some(all.revision), all.revision + 1)
    );
    assert_eq!(step.session, all.session);
    assert_eq!((step.ports.len(), step.security_groups.len()), (0, 1));
    // What the node does not need builds nothing.
    commit(
        &store,
        vec![put(Key::SecurityGroup(Uuid::from_u128(11)), "{}")],
    )
    .await;
    commit(&store, vec![put(port(2), "{}")]).await;
    let next = follower.next().await.unwrap();
    assert_eq!(next.base, Some(step.revision));
    assert_eq!(next.revision, step.revision + 2);
    let body: serde_json::Value = serde_json::from_slice(&next.to_json()).unwrap();
    assert_eq!(body["base"], step.revision);
    assert_eq!(
        body["ports"][Uuid::from_u128(2).to_string()],
        serde_json::json!({})
    );
}

#[tokio::test]
async fn what_was_never_told_is_found_when_keys_are_compared() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::embedded(&directory.path().join("store")).unwrap();
    store.prepare().await.unwrap();
    commit(&store, vec![put(port(1), "{}")]).await;
    let mut follower = Follower::new(store.clone(), HOST, None);
    follower.next().await.unwrap();
    let following = follower.following.as_mut().unwrap();
    following.audit = Instant::now();
    let same = tokio::time::timeout(Duration::from_millis(300), follower.next()).await;
    assert!(same.is_err(), "nothing differs, and nothing is told");
    follower.begin_anew();
    follower.next().await.unwrap();
    let following = follower.following.as_mut().unwrap();
    following.mirror.put(Entry {
        key: port(1).to_string(),
        value: b"{}".to_vec(),
        revision: 1,
    });
    following.audit = Instant::now();
    let error = follower.next().await.unwrap_err();
    assert_eq!(error.reason(), "missed");
    assert!(error.to_string().contains(&port(1).to_string()), "{error}");
    assert!(follower.next().await.unwrap().complete, "and all is told");
}

/// A name that leads to another place for a while.
#[tokio::test]
async fn a_store_that_was_away_is_followed_again_and_one_that_has_gone_back_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let open = |name: &str| Store::embedded(&directory.path().join(name)).unwrap();
    let (store, young) = (open("store"), open("young"));
    for store in [&store, &young] {
        store.prepare().await.unwrap();
    }
    for number in 1..=8 {
        commit(&store, vec![put(port(number), "{}")]).await;
    }
    let mut follower = Follower::new(store.clone(), HOST, None);
    follower.next().await.unwrap();
    follower.begin_anew();
    follower.store = young.clone();
    let error = follower.next().await.unwrap_err();
    assert!(error.to_string().contains("was followed before"), "{error}");
    follower.store = store.clone();
    assert!(follower.next().await.unwrap().complete);
    // As if it had been further.
    follower.begin_anew();
    let here = follower.known.as_mut().unwrap();
    here.revision += 3;
    for number in 11..=16 {
        let error = follower.next().await.unwrap_err();
        assert!(error.to_string().contains("backup"), "{error}");
        commit(&store, vec![put(port(number), "{}")]).await;
    }
    let layout = Write::Put {
        key: LAYOUT.into(),
        value: b"{\"layout\": 1, \"generation\": 2}".to_vec(),
    };
    commit(&store, vec![layout]).await;
    assert!(follower.next().await.unwrap().complete);
}
