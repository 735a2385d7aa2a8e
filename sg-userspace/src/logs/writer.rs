//! The thread of a log: takes what is told, and writes it. Nobody waits for it but its own log.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use hyper::body::Bytes;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::{
    backlog::Backlog,
    entry::{Entry, Item},
    file::LogFile,
    flows::Flows,
    journal::Journal,
    ledger::Ledger,
    ports::Ports,
    sink::Sink,
};
use crate::{
    events::Subscription,
    settings::{Log, Target},
    view::{EventLine, LostWhy},
};

/// How often it is looked whether something is due, and what could not be written is tried again.
const TICK: Duration = Duration::from_secs(1);

/// Lines that are taken at once at most, before it is looked whether something else is due.
const BATCH: usize = 256;

/// Lines that are written at once at most.
const PART: usize = 1024;

/// Writes a log.
pub struct Writer {
    /// Which.
    pub log: Log,
    /// What is told.
    pub subscription: Subscription,
    /// Whose the ports are.
    pub ports: Arc<Ports>,
    /// Where it is counted.
    pub ledger: Arc<Ledger>,
    /// Whether its file is to be opened anew.
    pub reopen: Arc<AtomicBool>,
    /// What is on its way.
    pub composer: Composer,
}

/// What is on its way into a log.
pub enum Composer {
    /// A line for each event.
    Lines(Backlog),
    /// Records of windows.
    Flows(Box<Flows>),
}

impl Writer {
    /// Starts the thread. It ends when nothing is told any more, and has then written all that was told.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn start(self) -> io::Result<JoinHandle<()>> {
        // It waits for lines and for the clock, and for nothing that the daemon's own threads do.
        let runtime = Builder::new_current_thread().enable_time().build()?;
        let thread = thread::Builder::new().name("log".into());
        thread.spawn(move || self.run(&runtime))
    }

    fn run(mut self, runtime: &Runtime) {
        let to = self.log.to.name();
        let mut sink: Box<dyn Sink> = match &self.log.to {
            Target::Journal => Box::new(Journal::default()),
            Target::File(path) => Box::new(LogFile::at(path)),
        };
        loop {
            let mut lines = Vec::new();
            let ready = self.subscription.lines.recv_many(&mut lines, BATCH);
            let ended = matches!(
                runtime.block_on(async { timeout(TICK, ready).await }),
                Ok(0)
            );
            for line in &lines {
                self.take(&to, line);
            }
            if self.reopen.swap(false, Relaxed) {
                sink.reopen();
            }
            let due = self.composer.due(ended);
            self.write(&to, &mut *sink, due);
            if ended {
                self.ledger.end(&to);
                return;
            }
        }
    }

    fn take(&mut self, to: &str, line: &Bytes) {
        // Kinds of lines that are not known here are skipped.
        let Ok(event) = serde_json::from_slice::<EventLine>(line) else {
            return;
        };
        if let EventLine::Lost(lost) = &event {
            self.ledger.lose(to, lost.why, lost.lost);
        }
        self.composer.take(event);
    }

    /// Writes items in parts, until one cannot be written.
    fn write(&mut self, to: &str, sink: &mut dyn Sink, items: Vec<Item>) {
        let mut items = items.into_iter();
        loop {
            let part: Vec<_> = items.by_ref().take(PART).collect();
            if part.is_empty() || !self.write_part(to, sink, part) {
                break;
            }
        }
        self.lose(to, items);
    }

    /// Whether all of them could be written.
    fn write_part(&mut self, to: &str, sink: &mut dyn Sink, items: Vec<Item>) -> bool {
        let Log {
            form, to: target, ..
        } = &self.log;
        let entries = items.iter();
        let entries = entries.map(|item| Entry::of(item, *form, target, &self.ports));
        let entries: Vec<_> = entries.collect();
        let (written, result) = sink.write(&entries);
        self.ledger.write(to, written as u64);
        self.lose(to, items.into_iter().skip(written));
        let failure = result.err().map(|error| error.to_string());
        let is_written = failure.is_none();
        self.ledger.tell(to, failure);
        is_written
    }

    fn lose(&mut self, to: &str, items: impl Iterator<Item = Item>) {
        let lost = items.map(|item| self.composer.lose(item)).sum();
        self.ledger.lose(to, LostWhy::Log, lost);
    }
}

impl Composer {
    fn take(&mut self, event: EventLine) {
        match self {
            Self::Lines(backlog) => backlog.take(event),
            Self::Flows(flows) => flows.take(&event),
        }
    }

    /// What is to be written now; at the end, all there is.
    fn due(&mut self, ended: bool) -> Vec<Item> {
        match self {
            Self::Lines(backlog) => {
                let due = backlog.due(SystemTime::now()).into_iter();
                due.map(Item::Event).collect()
            }
            Self::Flows(flows) => {
                let due = if ended { flows.close() } else { flows.due() };
                due.into_iter().map(Item::Record).collect()
            }
        }
    }

    /// Takes back what could not be written. Returns how many lines are lost by that.
    fn lose(&mut self, item: Item) -> u64 {
        match (self, item) {
            (Self::Lines(backlog), Item::Event(event)) => backlog.lose(event),
            (Self::Flows(flows), Item::Record(record)) => {
                flows.lose(&record);
                1
            }
            _ => 0,
        }
    }
}
