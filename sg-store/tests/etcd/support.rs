//! What the tests have in common.

use std::time::Duration;

use sg_store::testing::Cluster;
use sg_store::{Condition, EtcdOptions, Range, Result, Revision, Store, Write};
use tokio::time::{Instant, sleep};

pub fn store(cluster: &Cluster) -> Store {
    Store::etcd(EtcdOptions::at(cluster.urls())).unwrap()
}

pub fn impatient(cluster: &Cluster, timeout: Duration) -> Store {
    Store::etcd(EtcdOptions {
        timeout: Some(timeout),
        ..EtcdOptions::at(cluster.urls())
    })
    .unwrap()
}

pub fn put(key: &str, value: &str) -> Write {
    Write::Put {
        key: key.into(),
        value: value.into(),
    }
}

pub fn delete(key: &str) -> Write {
    Write::Delete { key: key.into() }
}

pub fn written_at(key: &str, revision: Revision) -> Condition {
    Condition {
        key: key.into(),
        revision,
    }
}

pub fn prefix(prefix: &str) -> Vec<Range> {
    vec![Range::Prefix(prefix.into())]
}

/// What comes of it when it succeeds, which it does within half a minute.
pub async fn soon<T>(mut attempt: impl AsyncFnMut() -> Result<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}
