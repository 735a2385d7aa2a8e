//! A stream of etcd's watches.

use std::fmt;

use etcd_client::{Event, EventType, WatchOptions, WatchRequestSender, WatchResponseStream};

use tokio::time::{error::Elapsed, timeout};

use super::connection::Connection;
use super::{Etcd, entry, failure};
use crate::kv::{Change, Range, Revision};
use crate::ordered::{Message, Wire};
use crate::{Error, Result};

/// One stream with all watches of a follower.
pub(crate) struct Stream {
    etcd: Etcd,
    connection: Connection,
    /// The number of the cluster, if it has to be that one.
    place: Option<u64>,
    /// Opened with the first range.
    open: Option<(WatchRequestSender, WatchResponseStream)>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:?})", self.connection)
    }
}

impl Stream {
    pub fn new(etcd: Etcd, connection: Connection, place: Option<u64>) -> Self {
        Self {
            etcd,
            connection,
            place,
            open: None,
        }
    }

    /// What is to be sent, once a range was followed.
    fn sender(&mut self) -> Result<&mut WatchRequestSender> {
        let open = self.open.as_mut().map(|(sender, _)| sender);
        open.ok_or_else(|| Error::Ended("nothing was followed".into()))
    }

    /// What became of a request, whose place is taken as long as the member reads nothing.
    fn sent(
        &self,
        sent: std::result::Result<std::result::Result<(), etcd_client::Error>, Elapsed>,
    ) -> Result<()> {
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.end(Some(error))),
            Err(_) => {
                self.etcd.0.connections.leave(self.connection.number);
                Err(Error::Ended("its member takes no requests".into()))
            }
        }
    }

    /// What cannot be heard any more. The member is left: another one may be up, and what answers next at the same
    /// place may be of another version.
    fn end(&self, error: Option<etcd_client::Error>) -> Error {
        let connections = &self.etcd.0.connections;
        connections.leave(self.connection.number);
        let Some(error) = error else {
            return Error::Ended("its member has closed the connection".into());
        };
        match failure::of(error, connections.urls(), None) {
            Error::Unreachable { what, .. } => Error::Ended(what),
            error => error,
        }
    }
}

impl Wire for Stream {
    async fn create(&mut self, id: i64, range: &Range, behind: Revision) -> Result<()> {
        let options = WatchOptions::new()
            .with_watch_id(id)
            .with_start_revision(behind.cast_signed() + 1);
        let (key, options) = match range {
            Range::Key(key) => (key, options),
            Range::Prefix(prefix) => (prefix, options.with_prefix()),
        };
        let key = key.as_str();
        let patience = self.etcd.0.timeout;
        let created = match &mut self.open {
            Some((sender, _)) => timeout(patience, sender.watch(key, Some(options))).await,
            None => {
                let opened = self.connection.watch.watch(key, Some(options));
                let opened = timeout(patience, opened).await;
                opened.map(|opened| opened.map(|stream| self.open = Some(stream.split())))
            }
        };
        self.sent(created)
    }

    async fn cancel(&mut self, id: i64) -> Result<()> {
        let patience = self.etcd.0.timeout;
        let cancelled = timeout(patience, self.sender()?.cancel(id)).await;
        self.sent(cancelled)
    }

    async fn ask(&mut self) -> Result<()> {
        let patience = self.etcd.0.timeout;
        let asked = timeout(patience, self.sender()?.request_progress()).await;
        self.sent(asked)
    }

    async fn message(&mut self) -> Result<Message> {
        let Some((_, stream)) = &mut self.open else {
            return std::future::pending().await;
        };
        let answer = match stream.message().await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Err(self.end(None)),
            Err(error) => return Err(self.end(Some(error))),
        };
        let of = answer.header().map(|header| header.cluster_id());
        if self.place.is_some() && self.place != of {
            return Err(Error::Ended("it is another store".into()));
        }
        let traffic = self.etcd.traffic();
        traffic.heard();
        let id = answer.watch_id();
        if answer.canceled() {
            return Ok(Message::Cancelled {
                id,
                compacted: answer.compact_revision() != 0,
                reason: answer.cancel_reason().to_owned(),
            });
        }
        let revision = answer.header().map_or(0, |header| header.revision());
        if answer.created() {
            return Ok(Message::Created(id, revision.cast_unsigned()));
        }
        let events = answer.events();
        if events.is_empty() {
            return Ok(Message::Progress(revision.cast_unsigned()));
        }
        let changes = events.iter().filter_map(change).collect();
        for event in events.iter().filter_map(Event::kv) {
            traffic.brought(event.key().len() + event.value().len());
        }
        Ok(Message::Changes(changes))
    }
}

fn change(event: &Event) -> Option<Change> {
    let kept = entry(event.kv()?.clone())?;
    Some(match event.event_type() {
        EventType::Put => Change::Put(kept),
        EventType::Delete => Change::Delete {
            key: kept.key,
            revision: kept.revision,
        },
    })
}
