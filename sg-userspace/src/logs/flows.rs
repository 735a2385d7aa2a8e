//! A flow log in the making: the window that is open.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{
    ports::Ports,
    scope::Scope,
    window::{Reading, Told, records},
};
use crate::{
    error::Result,
    view::{EventAction, EventLine, FlowRecord, Span},
};

/// The windows of a flow log, one after the other.
pub struct Flows {
    interval: Duration,
    ports: Arc<Ports>,
    scope: Arc<Scope>,
    since: (Instant, i64),
    before: Reading,
    told: Told,
}

impl Flows {
    /// The first window begins now.
    pub fn begin(interval: u32, ports: Arc<Ports>, scope: Arc<Scope>) -> Self {
        let before = read(&scope).unwrap_or_else(|error| {
            tracing::warn!("a flow log begins without what was counted before: {error}");
            Reading::new()
        });
        Self {
            interval: Duration::from_secs(interval.into()),
            ports,
            scope,
            since: (Instant::now(), seconds(SystemTime::now())),
            before,
            told: Told::default(),
        }
    }

    /// Takes what was told.
    pub fn take(&mut self, event: &EventLine) {
        match event {
            EventLine::Packet(packet) if packet.action == Some(EventAction::Drop) => {
                self.told.refuse(packet);
            }
            EventLine::Packet(_) => {}
            EventLine::Lost(lost) => self.told.skip(&lost.port),
        }
    }

    /// The records of the window, if it is over.
    pub fn due(&mut self) -> Vec<FlowRecord> {
        match self.since.0.elapsed() >= self.interval {
            true => self.close(),
            false => Vec::new(),
        }
    }

    /// The records of the window as far as it has come; the next one begins.
    pub fn close(&mut self) -> Vec<FlowRecord> {
        let after = match read(&self.scope) {
            Ok(after) => after,
            Err(error) => {
                // The window goes on until it can be read.
                tracing::warn!("the window of a flow log goes on: {error}");
                return Vec::new();
            }
        };
        let span = Span {
            start: self.since.1,
            end: seconds(SystemTime::now()),
        };
        let told = std::mem::take(&mut self.told);
        let here = self.ports.here(self.scope.ports().as_ref());
        let records = records(&told, &self.before, &after, &here).into_iter();
        let records = records.map(|(port, what)| {
            let port = port.to_string();
            FlowRecord {
                account: self.ports.project(&port).to_string(),
                port,
                span,
                what,
            }
        });
        let records = records.collect();
        self.before = after;
        self.since = (Instant::now(), span.end);
        records
    }

    /// Takes back a record that could not be written: the window that is open says that something is missing.
    pub fn lose(&mut self, record: &FlowRecord) {
        self.told.skip(&record.port);
    }
}

/// What was counted so far, of the ports of a log.
fn read(_scope: &Scope) -> Result<Reading> {
    Ok(Reading::new())
}

fn seconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().cast_signed()
}
