//! A store in an etcd cluster.

mod args;
mod connection;
mod failure;
mod lease;
mod options;
mod traffic;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{
    Compare, CompareOp, GetOptions, GetResponse, KeyValue, Txn, TxnOp, TxnOpResponse,
};
use tokio::time::timeout;

use crate::kv::{Condition, Entry, Outcome, Range, Revision, Snapshot, Write};
use crate::ordered::Ordered;
use crate::{Error, Result};
pub use args::EtcdArgs;
use connection::{Connection, Connections};
pub use lease::Lease;
pub use options::EtcdOptions;
pub use traffic::Traffic;
pub(crate) use wire::Stream;

/// How many entries are asked for at once.
const PAGE: i64 = 1000;

/// How many ranges are.
const RANGES: usize = 64;

/// The store. Its clones are the same store, and share a connection.
#[derive(Clone, Debug)]
pub struct Etcd(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connections: Connections,
    timeout: Duration,
    traffic: Arc<Traffic>,
}

/// What a store tells as it is changed.
pub(crate) type Watch = Ordered<Stream>;

impl Etcd {
    /// A cluster that is reached so. Nobody is asked yet.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] for what makes no sense.
    pub fn new(options: EtcdOptions) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            timeout: options.timeout(),
            connections: Connections::new(options)?,
            traffic: Arc::default(),
        })))
    }

    /// What was heard of the cluster.
    pub fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }

    pub(crate) async fn read(&self, ranges: &[Range], at: Option<Revision>) -> Result<Snapshot> {
        let mut found = Snapshot {
            store: 0,
            revision: at.unwrap_or_default(),
            entries: Vec::new(),
        };
        for ranges in ranges.chunks(RANGES) {
            self.read_some(ranges, false, &mut found).await?;
        }
        found.entries.sort_by(|a, b| a.key.cmp(&b.key));
        found.entries.dedup_by(|a, b| a.key == b.key);
        Ok(found)
    }

    /// As [`Etcd::read`], without the values.
    pub(crate) async fn list(&self, ranges: &[Range], at: Option<Revision>) -> Result<Snapshot> {
        let mut found = Snapshot {
            store: 0,
            revision: at.unwrap_or_default(),
            entries: Vec::new(),
        };
        for ranges in ranges.chunks(RANGES) {
            self.read_some(ranges, true, &mut found).await?;
        }
        Ok(found)
    }

    /// What is in some ranges that was written behind a revision, and how many keys each has.
    pub(crate) async fn news(
        &self,
        ranges: &[Range],
        behind: Revision,
    ) -> Result<(Snapshot, Vec<usize>)> {
        let mut found = Snapshot {
            store: 0,
            revision: 0,
            entries: Vec::new(),
        };
        let mut counts = Vec::with_capacity(ranges.len());
        for ranges in ranges.chunks(RANGES) {
            // etcd filters what it has found, and counts before.
            let first = behind.cast_signed() + 1;
            let get = |range| {
                let options = GetOptions::new().with_min_mod_revision(first);
                get(range, None, options, found.revision)
            };
            let gets = ranges.iter().map(get).collect();
            for mut answer in self.ask_for(gets, &mut found).await? {
                counts.push(usize::try_from(answer.count()).unwrap_or_default());
                let news = answer.take_kvs().into_iter();
                found.entries.extend(news.filter_map(entry));
            }
        }
        Ok((found, counts))
    }

    /// Adds what lies in some ranges, as of the revision of the snapshot; 0 is the newest, which it gets.
    async fn read_some(
        &self,
        ranges: &[Range],
        only_keys: bool,
        found: &mut Snapshot,
    ) -> Result<()> {
        let mut rest: Vec<(Range, Option<Vec<u8>>)> =
            ranges.iter().map(|range| (range.clone(), None)).collect();
        while !rest.is_empty() {
            let options = match only_keys {
                true => GetOptions::new().with_limit(PAGE).with_keys_only(),
                false => GetOptions::new().with_limit(PAGE),
            };
            let gets = rest
                .iter()
                .map(|(range, from)| get(range, from.as_deref(), options.clone(), found.revision))
                .collect();
            let answers = self.ask_for(gets, found).await?;
            let mut more = Vec::new();
            for ((range, _), mut answer) in rest.into_iter().zip(answers) {
                let is_cut = answer.more();
                let found_here = answer.take_kvs();
                let last = found_here.last().map(|kv| kv.key().to_vec());
                found
                    .entries
                    .extend(found_here.into_iter().filter_map(entry));
                if let (true, Some(mut behind)) = (is_cut, last) {
                    behind.push(0);
                    more.push((range, Some(behind)));
                }
            }
            rest = more;
        }
        Ok(())
    }

    /// Asks several questions at once, as of the revision of the snapshot; 0 is the newest, which it gets.
    async fn ask_for(&self, gets: Vec<TxnOp>, found: &mut Snapshot) -> Result<Vec<GetResponse>> {
        let at = (found.revision != 0).then_some(found.revision);
        let answer = self
            .ask(at, |mut connection: Connection| {
                let txn = Txn::new().and_then(gets.clone());
                async move { connection.kv.txn(txn).await }
            })
            .await?;
        let (store, revision) = answer.header().map_or((0, 0), |header| {
            (header.cluster_id(), header.revision().cast_unsigned())
        });
        if ![0, store].contains(&found.store) {
            return Err(Error::Ended("it is another store".into()));
        }
        found.store = store;
        if found.revision == 0 {
            found.revision = revision;
        }
        let answers = answer.op_responses().into_iter();
        let gets = answers.filter_map(|answer| match answer {
            TxnOpResponse::Get(answer) => Some(answer),
            _ => None,
        });
        Ok(gets.collect())
    }

    pub(crate) async fn commit(
        &self,
        conditions: Vec<Condition>,
        writes: Vec<Write>,
    ) -> Result<Outcome> {
        let counts = (conditions.len(), writes.len());
        let bytes = writes.iter().map(Write::bytes).sum();
        let compares = conditions.into_iter().map(|condition| {
            let revision = condition.revision.cast_signed();
            Compare::mod_revision(condition.key, CompareOp::Equal, revision)
        });
        let operations = writes.into_iter().map(|write| match write {
            Write::Put { key, value } => TxnOp::put(key, value, None),
            Write::Delete { key } => TxnOp::delete(key, None),
        });
        let txn = Txn::new()
            .when(compares.collect::<Vec<_>>())
            .and_then(operations.collect::<Vec<_>>());
        let inner = &self.0;
        let mut tries = inner.connections.members();
        let mut is_known_anew = false;
        while tries > 0 {
            let mut connection = inner.connections.open(inner.timeout).await?;
            let number = connection.number;
            let made = timeout(inner.timeout, connection.kv.txn(txn.clone())).await;
            tries -= 1;
            let Ok(made) = made else {
                inner.connections.leave(number);
                return Err(Error::Unknown(failure::LATE.into()));
            };
            match made {
                Ok(made) => {
                    inner.traffic.heard();
                    let revision = made.header().map_or(0, |header| header.revision());
                    return Ok(match made.succeeded() {
                        true => Outcome::Written(revision.cast_unsigned()),
                        false => Outcome::Conflict,
                    });
                }
                Err(error) if failure::is_unknown(&error) && !is_known_anew => {
                    is_known_anew = true;
                    tries += 1;
                    inner.connections.renew(number);
                }
                Err(error) if failure::is_unsent(&error) => inner.connections.leave(number),
                Err(error) if failure::is_too_many(&error) => {
                    let (conditions, writes) = counts;
                    return Err(Error::TooMany { conditions, writes });
                }
                Err(error) if failure::is_too_large(&error) => {
                    return Err(Error::TooLarge { bytes });
                }
                Err(error) => {
                    return Err(match failure::of(error, inner.connections.urls(), None) {
                        Error::Unreachable { what, .. } => {
                            inner.connections.leave(number);
                            Error::Unknown(what)
                        }
                        // The member that has lost its leader may have passed it on before.
                        Error::NoLeader => Error::Unknown("the member has lost its leader".into()),
                        error => error,
                    });
                }
            }
        }
        Err(Error::Unreachable {
            urls: inner.connections.urls().into(),
            what: "no member takes connections".into(),
        })
    }

    /// Follows ranges, of the cluster with this number if it has to be that one.
    pub(crate) async fn watch(
        &self,
        place: Option<u64>,
        ranges: Vec<Range>,
        behind: Revision,
    ) -> Result<Watch> {
        let inner = &self.0;
        let connection = inner.connections.open(inner.timeout).await?;
        let number = connection.number;
        let has_fences = connection.has_fences;
        let stream = Stream::new(self.clone(), connection, place);
        let mut watch = Ordered::new(stream, has_fences, behind);
        let opened = timeout(inner.timeout, watch.follow(ranges, behind)).await;
        let opened = opened.unwrap_or_else(|_| {
            Err(Error::Unreachable {
                urls: inner.connections.urls().into(),
                what: failure::LATE.into(),
            })
        });
        if opened.is_err() {
            inner.connections.leave(number);
        }
        opened.map(|()| watch)
    }

    /// Asks a member, and if that does not answer another one.
    async fn ask<T, F>(&self, at: Option<Revision>, question: impl Fn(Connection) -> F) -> Result<T>
    where
        F: Future<Output = std::result::Result<T, etcd_client::Error>>,
    {
        let inner = &self.0;
        let urls = inner.connections.urls();
        let mut last = None;
        let mut tries = inner.connections.members();
        let mut is_known_anew = false;
        while tries > 0 {
            let connection = inner.connections.open(inner.timeout).await?;
            let number = connection.number;
            let answer = timeout(inner.timeout, question(connection)).await;
            tries -= 1;
            let error = match answer {
                Ok(Ok(answer)) => {
                    inner.traffic.heard();
                    return Ok(answer);
                }
                // Users or passwords have changed: the next connection says anew who we are.
                Ok(Err(error)) if failure::is_unknown(&error) && !is_known_anew => {
                    is_known_anew = true;
                    tries += 1;
                    inner.connections.renew(number);
                    continue;
                }
                Ok(Err(error)) => failure::of(error, urls, at),
                Err(_) => Error::Unreachable {
                    urls: urls.into(),
                    what: failure::LATE.into(),
                },
            };
            match error {
                Error::Unreachable { .. } | Error::NoLeader => inner.connections.leave(number),
                error => return Err(error),
            }
            last = Some(error);
        }
        Err(last.unwrap_or(Error::NoLeader))
    }
}

fn get(range: &Range, from: Option<&[u8]>, options: GetOptions, revision: Revision) -> TxnOp {
    let options = options.with_revision(revision.cast_signed());
    match (range, from) {
        (Range::Key(key), _) => TxnOp::get(key.as_str(), Some(options)),
        (Range::Prefix(prefix), None) => TxnOp::get(prefix.as_str(), Some(options.with_prefix())),
        (Range::Prefix(prefix), Some(from)) => {
            TxnOp::get(from, Some(options.with_range(end_of(prefix))))
        }
    }
}

/// The first key behind all that begin so.
fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end;
        }
    }
    // All that there are.
    vec![0]
}

/// An entry, unless its key is no text: then it is nobody's.
fn entry(kv: KeyValue) -> Option<Entry> {
    let revision = kv.mod_revision().cast_unsigned();
    let (key, value) = kv.into_key_value();
    Some(Entry {
        key: String::from_utf8(key).ok()?,
        value,
        revision,
    })
}
