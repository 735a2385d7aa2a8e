//! A stream of etcd's watches.

use std::fmt;
use std::sync::Arc;

use etcd_client::{Event, EventType, WatchOptions, WatchRequestSender, WatchResponseStream};

use super::connection::Connection;
use super::{Traffic, entry, failure};
use crate::kv::{Change, Range, Revision};
use crate::ordered::{Message, Wire};
use crate::{Error, Result};

/// One stream with all watches of a follower.
pub(crate) struct Stream {
    connection: Connection,
    traffic: Arc<Traffic>,
    /// Opened with the first range.
    open: Option<(WatchRequestSender, WatchResponseStream)>,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({:?})", self.connection)
    }
}

impl Stream {
    pub fn new(connection: Connection, traffic: Arc<Traffic>) -> Self {
        Self {
            connection,
            traffic,
            open: None,
        }
    }

    fn sender(&mut self) -> Result<&mut WatchRequestSender> {
        let open = self.open.as_mut().ok_or_else(closed)?;
        Ok(&mut open.0)
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
        match &mut self.open {
            Some((sender, _)) => sender
                .watch(key.as_str(), Some(options))
                .await
                .map_err(lost),
            None => {
                let opened = self.connection.watch.watch(key.as_str(), Some(options));
                self.open = Some(opened.await.map_err(lost)?.split());
                Ok(())
            }
        }
    }

    async fn cancel(&mut self, id: i64) -> Result<()> {
        self.sender()?.cancel(id).await.map_err(lost)
    }

    async fn ask(&mut self) -> Result<()> {
        self.sender()?.request_progress().await.map_err(lost)
    }

    async fn message(&mut self) -> Result<Message> {
        let Some((_, stream)) = &mut self.open else {
            return std::future::pending().await;
        };
        let answer = stream.message().await.map_err(lost)?.ok_or_else(closed)?;
        self.traffic.heard();
        let id = answer.watch_id();
        if answer.canceled() {
            return Ok(Message::Cancelled {
                id,
                compacted: answer.compact_revision() != 0,
                reason: answer.cancel_reason().to_owned(),
            });
        }
        if answer.created() {
            return Ok(Message::Created(id));
        }
        let events = answer.events();
        if events.is_empty() {
            let revision = answer.header().map_or(0, |header| header.revision());
            return Ok(Message::Progress(revision.cast_unsigned()));
        }
        let changes = events.iter().filter_map(change).collect();
        for event in events.iter().filter_map(Event::kv) {
            self.traffic
                .brought(event.key().len() + event.value().len());
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

fn lost(error: etcd_client::Error) -> Error {
    match failure::of(error, "that is followed", None) {
        Error::Unreachable { what, .. } => Error::Ended(what),
        error => error,
    }
}

fn closed() -> Error {
    Error::Ended("its member has closed the connection".into())
}
