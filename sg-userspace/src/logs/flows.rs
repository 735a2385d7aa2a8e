//! A flow log in the making: the window that is open.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sg_common::hook::Direction;

use super::{
    ports::Ports,
    scope::{Scope, counts},
    window::{Reading, Window},
};
use crate::{
    error::Result,
    events::{Accounted, Hub},
    settings::Log,
    view::{EventAction, EventLine, FlowRecord, Span, Tally},
};

/// How often what passes is read within a window. What the kernel has counted of a connection that is over is there for
/// as long as its entry, ten seconds at least unless the timeouts are set to less, and then until it was read twice,
/// by whomever.
const READ: Duration = Duration::from_secs(5);

/// The windows of a flow log, one after the other.
pub struct Flows {
    interval: Duration,
    /// Whether what passes is in it.
    counts: bool,
    hub: Arc<Hub>,
    ports: Arc<Ports>,
    scope: Arc<Scope>,
    /// When the window began.
    since: (Instant, i64),
    /// What was counted when it was read last, and when that was.
    read: (Instant, Reading),
    window: Window,
}

impl Flows {
    /// The first window begins now.
    pub fn begin(log: &Log, hub: Arc<Hub>, ports: Arc<Ports>, scope: Arc<Scope>) -> Self {
        let now = Instant::now();
        let mut flows = Self {
            interval: Duration::from_secs(log.interval.into()),
            counts: counts(log),
            hub,
            ports,
            scope,
            since: (now, seconds(SystemTime::now())),
            read: (now, Reading::new()),
            window: Window::default(),
        };
        flows.read();
        // What was there before is in no window.
        flows.window = Window::default();
        flows
    }

    /// Takes what was told.
    pub fn take(&mut self, event: &EventLine) {
        match event {
            EventLine::Packet(packet) if packet.action == Some(EventAction::Drop) => {
                self.window.refuse(packet);
            }
            EventLine::Packet(_) => {}
            EventLine::Lost(lost) => self.window.skip(&lost.port),
        }
    }

    /// The records of the window, if it is over.
    pub fn due(&mut self) -> Vec<FlowRecord> {
        match self.since.0.elapsed() >= self.interval {
            true => self.close(),
            false => {
                if self.read.0.elapsed() >= READ {
                    self.read();
                }
                Vec::new()
            }
        }
    }

    /// The records of the window as far as it has come; the next one begins.
    pub fn close(&mut self) -> Vec<FlowRecord> {
        self.read();
        let span = Span {
            start: self.since.1,
            end: seconds(SystemTime::now()),
        };
        self.since = (Instant::now(), span.end);
        let here = self.ports.here(self.scope.ports().as_ref());
        let window = std::mem::take(&mut self.window);
        let records = window.records(&here).into_iter();
        let records = records.map(|(port, what)| {
            let port = port.to_string();
            FlowRecord {
                account: self.ports.project(&port).to_string(),
                port,
                span,
                what,
            }
        });
        records.collect()
    }

    /// Takes back a record that could not be written: the window that is open says that something is missing.
    pub fn lose(&mut self, record: &FlowRecord) {
        self.window.skip(&record.port);
    }

    /// Reads what was counted. What cannot be read now is in the next reading.
    fn read(&mut self) {
        if !self.counts {
            return;
        }
        match counted(&self.hub) {
            Ok(now) => {
                let among = self.scope.ports();
                self.window.count(&self.read.1, &now, among.as_ref());
                self.read = (Instant::now(), now);
            }
            Err(error) => {
                tracing::warn!("what passes is not in a flow log for now: {error}");
                self.read.0 = Instant::now();
            }
        }
    }
}

/// What was counted so far, also for others.
fn counted(hub: &Hub) -> Result<Reading> {
    let mut reading = Reading::new();
    for Accounted { port, key, account } in hub.accounts()? {
        let tally = |direction: Direction| Tally {
            packets: account.packets[direction as usize],
            bytes: account.bytes[direction as usize],
        };
        let counted = Direction::ALL.map(tally);
        reading.entry(port).or_default().insert(key, counted);
    }
    Ok(reading)
}

fn seconds(moment: SystemTime) -> i64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().cast_signed()
}
