//! A stream of etcd's watches.

use std::fmt;

use etcd_client::{Event, EventType, WatchOptions, WatchRequestSender, WatchResponseStream};

use super::connection::Connection;
use super::{Etcd, entry, failure};
use crate::kv::{Change, Range, Revision};
use crate::ordered::{Message, Wire};
use crate::{Error, Result};

/// One stream with all watches of a follower.
pub(crate) struct Stream {
    etcd: Etcd,
    connection: Connection,
    /// Opened with the first range.
    open: Option<(WatchRequestSender, WatchResponseStream)>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:?})", self.connection)
    }
}

impl Stream {
    pub fn new(etcd: Etcd, connection: Connection) -> Self {
        Self {
            etcd,
            connection,
            open: None,
        }
    }

    /// What is to be sent, once a range was followed.
    fn sender(&mut self) -> Result<&mut WatchRequestSender> {
        let open = self.open.as_mut().map(|(sender, _)| sender);
        open.ok_or_else(|| Error::Ended("nothing was followed".into()))
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
        let created = match &mut self.open {
            Some((sender, _)) => sender.watch(key, Some(options)).await,
            None => {
                let opened = self.connection.watch.watch(key, Some(options)).await;
                opened.map(|stream| self.open = Some(stream.split()))
            }
        };
        created.map_err(|error| self.end(Some(error)))
    }

    async fn cancel(&mut self, id: i64) -> Result<()> {
        let cancelled = self.sender()?.cancel(id).await;
        cancelled.map_err(|error| self.end(Some(error)))
    }

    async fn ask(&mut self) -> Result<()> {
        let asked = self.sender()?.request_progress().await;
        asked.map_err(|error| self.end(Some(error)))
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
    let kept = entry(event.kv()?.clone());
    Some(match event.event_type() {
        EventType::Put => Change::Put(kept),
        EventType::Delete => Change::Delete {
            key: kept.key,
            revision: kept.revision,
        },
    })
}
