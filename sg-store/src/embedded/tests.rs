//! What a reader and a writer of an embedded store can rely on.

use super::*;
use crate::Store;

struct Scene {
    _directory: tempfile::TempDir,
    path: PathBuf,
    store: Store,
}

fn scene() -> Scene {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    Scene {
        store: Store::embedded(&path).unwrap(),
        _directory: directory,
        path,
    }
}

fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.into(),
        value: value.into(),
    }
}

fn written_at(key: &str, revision: Revision) -> Condition {
    Condition {
        key: key.into(),
        revision,
    }
}

fn prefix(prefix: &str) -> Vec<Range> {
    vec![Range::Prefix(prefix.into())]
}

async fn texts(store: &Store, ranges: &[Range]) -> (Revision, Vec<String>) {
    let snapshot = store.read(ranges, None).await.unwrap();
    let entries = snapshot.entries.iter();
    let text = |entry: &Entry| {
        let value = String::from_utf8_lossy(&entry.value);
        format!("{}={value} at {}", entry.key, entry.revision)
    };
    (snapshot.revision, entries.map(text).collect())
}

#[tokio::test]
async fn what_was_committed_is_read_at_its_revision_and_after_opening_anew() {
    let Scene {
        _directory,
        path,
        store,
    } = scene();
    let first = store.commit(vec![], vec![put("a/1", "x"), put("a/2", "y")]);
    assert_eq!(first.await.unwrap(), Outcome::Written(1));
    let second = store.commit(
        vec![],
        vec![put("b/1", "z"), Write::Delete { key: "a/1".into() }],
    );
    assert_eq!(second.await.unwrap(), Outcome::Written(2));
    let expected = (2, vec!["a/2=y at 1".to_owned()]);
    assert_eq!(texts(&store, &prefix("a/")).await, expected);
    drop(store);
    let store = Store::embedded(&path).unwrap();
    assert_eq!(texts(&store, &prefix("a/")).await, expected);
}

#[tokio::test]
async fn a_range_is_read_once_however_often_it_is_named() {
    let Scene {
        _directory, store, ..
    } = scene();
    let writes = vec![put("a/1", "x"), put("a/2", "y"), put("b", "z")];
    store.commit(vec![], writes).await.unwrap();
    let ranges = [
        Range::Key("b".into()),
        Range::Key("c".into()),
        Range::Prefix("a/".into()),
        Range::Key("a/1".into()),
    ];
    let (_, texts) = texts(&store, &ranges).await;
    assert_eq!(texts, ["a/1=x at 1", "a/2=y at 1", "b=z at 1"]);
}

#[tokio::test]
async fn nothing_is_written_if_what_was_read_has_changed() {
    let Scene {
        _directory, store, ..
    } = scene();
    store.commit(vec![], vec![put("a", "1")]).await.unwrap();
    for stale in [written_at("a", 0), written_at("a", 7), written_at("b", 1)] {
        let refused = store.commit(vec![stale], vec![put("a", "2"), put("b", "2")]);
        assert_eq!(refused.await.unwrap(), Outcome::Conflict);
    }
    assert_eq!(
        texts(&store, &prefix("")).await,
        (1, vec!["a=1 at 1".to_owned()])
    );
    let conditions = vec![written_at("a", 1), written_at("b", 0)];
    let taken = store.commit(conditions, vec![put("a", "2")]);
    assert_eq!(taken.await.unwrap(), Outcome::Written(2));
}

#[tokio::test]
async fn a_follower_is_told_what_it_follows_a_revision_at_a_time() {
    let Scene {
        _directory, store, ..
    } = scene();
    store.commit(vec![], vec![put("a/1", "x")]).await.unwrap();
    let mut watch = store.watch(prefix("a/"), 1).await.unwrap();
    store.commit(vec![], vec![put("b", "y")]).await.unwrap();
    let writes = vec![
        put("a/2", "z"),
        Write::Delete { key: "a/1".into() },
        Write::Delete { key: "a/9".into() },
    ];
    store.commit(vec![], writes).await.unwrap();
    let batch = watch.next().await.unwrap();
    assert_eq!(batch.revision, 3);
    let keys: Vec<&str> = batch.changes.iter().map(Change::key).collect();
    assert_eq!(keys, ["a/1", "a/2"]);
}

#[tokio::test]
async fn whoever_has_missed_something_is_told_so() {
    let Scene {
        _directory, store, ..
    } = scene();
    store.commit(vec![], vec![put("a", "1")]).await.unwrap();
    let missed = store.watch(prefix(""), 0).await;
    assert!(matches!(missed, Err(Error::Compacted(0))));
    let mut watch = store.watch(prefix(""), 1).await.unwrap();
    for number in 0..=BACKLOG {
        let write = put("a", &number.to_string());
        store.commit(vec![], vec![write]).await.unwrap();
    }
    assert!(matches!(watch.next().await, Err(Error::Compacted(1))));
}

#[test]
fn a_file_that_another_has_open_is_refused_and_named() {
    let Scene {
        _directory,
        path,
        store: _open,
    } = scene();
    let error = Store::embedded(&path).unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
}
