//! Logs for security: who was accepted and who refused, written by the daemon without anybody who has to stay
//! connected.
//!
//! A log is a reader of the events like any other, with a thread of its own. What it cannot take or write in time is
//! lost to it alone, counted, and told in it.

mod backlog;
mod entry;
mod file;
mod flows;
mod journal;
mod ledger;
mod neutron;
mod os_ken;
mod ports;
mod scope;
mod sink;
mod window;
mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use self::ledger::LogTotals;
use self::{
    backlog::Backlog,
    flows::Flows,
    ledger::Ledger,
    ports::Ports,
    scope::{Scope, wanted},
    writer::{Composer, Writer},
};
use crate::{
    error::{Error, Result},
    events::{Ask, Hub},
    model::{Inventory, PortId},
    settings::{Form, Log},
};

/// How long the end of the daemon waits for what is still to be written.
const AT_THE_END: Duration = Duration::from_secs(1);

/// All logs of the daemon.
pub struct Logs {
    hub: Arc<Hub>,
    ports: Arc<Ports>,
    ledger: Arc<Ledger>,
    running: Mutex<Vec<Running>>,
}

/// A log whose thread runs.
struct Running {
    log: Log,
    ask: Ask,
    scope: Arc<Scope>,
    reopen: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Logs {
    /// None yet.
    pub fn new(hub: Arc<Hub>) -> Arc<Self> {
        Arc::new(Self {
            hub,
            ports: Arc::default(),
            ledger: Arc::default(),
            running: Mutex::default(),
        })
    }

    /// From now on these are written. Those that are written already go on.
    pub fn set(&self, logs: &[Log], inventory: &Inventory) {
        let mut running = self.lock();
        let (stay, go): (Vec<_>, Vec<_>) = std::mem::take(&mut *running)
            .into_iter()
            .partition(|one| logs.contains(&one.log));
        for one in &go {
            one.ask.end();
        }
        *running = stay;
        if !logs.is_empty() {
            self.ports.are(inventory);
        }
        for log in logs {
            if running.iter().any(|one| one.log == *log) {
                continue;
            }
            match self.start(log, inventory) {
                Ok(one) => running.push(one),
                Err(error) => {
                    let to = log.to.name();
                    self.ledger.tell(&to, Some(error.to_string()));
                }
            }
        }
    }

    /// The inventory is another one: ports may have come, or got other groups.
    pub fn ports_are(&self, inventory: &Inventory) {
        let running = self.lock();
        if running.is_empty() {
            return;
        }
        self.ports.are(inventory);
        for one in running.iter().filter(|one| !one.log.is_of_all()) {
            one.scope.change(&one.log, inventory);
            let changed = wanted(&one.log, inventory).and_then(|wanted| one.ask.change(wanted));
            if let Err(error) = changed {
                let to = one.log.to.name();
                tracing::error!("the log {to} is not told of the ports that it is of now: {error}");
            }
        }
    }

    /// These ports are on this node.
    pub fn ports_are_here(&self, here: impl Iterator<Item = PortId>) {
        self.ports.are_here(here.collect());
    }

    /// All files are to be opened anew.
    pub fn reopen(&self) {
        for one in &*self.lock() {
            one.reopen.store(true, Relaxed);
        }
    }

    /// Ends all logs, and waits a moment until what was told is written.
    pub fn end(&self) {
        let running = std::mem::take(&mut *self.lock());
        for one in &running {
            one.ask.end();
        }
        let deadline = Instant::now() + AT_THE_END;
        let is_at_work = |one: &Running| !one.thread.is_finished();
        while running.iter().any(is_at_work) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How much was written and lost, by where it goes.
    pub fn totals(&self) -> BTreeMap<String, LogTotals> {
        self.ledger.totals()
    }

    /// What is wrong with them, as sentences.
    pub fn troubles(&self) -> Vec<String> {
        self.ledger.troubles()
    }

    fn start(&self, log: &Log, inventory: &Inventory) -> Result<Running> {
        let subscription = self.hub.subscribe(wanted(log, inventory)?, false)?;
        let (ask, reopen) = (subscription.ask(), Arc::new(AtomicBool::new(false)));
        let scope = Arc::new(Scope::of(log, inventory));
        let composer = match log.form {
            Form::Neutron | Form::Json => Composer::Lines(Backlog::default()),
            Form::FlowLog => {
                let (hub, ports) = (self.hub.clone(), self.ports.clone());
                Composer::Flows(Box::new(Flows::begin(log, hub, ports, scope.clone())))
            }
        };
        self.ledger.begin(&log.to.name());
        let writer = Writer {
            log: log.clone(),
            subscription,
            ports: self.ports.clone(),
            ledger: self.ledger.clone(),
            reopen: reopen.clone(),
            composer,
        };
        let thread = writer.start().map_err(|source| Error::System {
            action: "starting the thread of a log",
            source,
        })?;
        Ok(Running {
            log: log.clone(),
            ask,
            scope,
            reopen,
            thread,
        })
    }

    /// What is shared is whole at every moment, whoever has panicked.
    fn lock(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
