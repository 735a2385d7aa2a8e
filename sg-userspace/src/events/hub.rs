//! Those who asked, and what each of them gets.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use sg_common::layout::events::{Action, Event};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::describe::{Clock, describe, time};
use super::ended::{Openings, describe_end};
use super::totals::{Counts, EventTotals};
use super::{Accounted, Lost, Rules, Source, Wanted};
use crate::error::Result;
use crate::host::clock::boottime;
use crate::model::PortId;
use crate::view::{EventLine, LostView, LostWhy};

/// Lines that wait for a reader. Then it loses what comes, and nobody waits for it.
const LINES: usize = 4096;

/// How often it is asked what was lost.
const LOST: Duration = Duration::from_secs(1);

/// How often what is counted by connection is read, if nobody else does.
const TIDY: Duration = Duration::from_secs(60);

/// Ports whose last refused packet is kept.
const KEPT: usize = 1024;

/// Takes what the kernel tells, and gives it to those who asked.
pub struct Hub {
    source: Arc<dyn Source>,
    rules: OnceLock<Arc<dyn Rules>>,
    inner: Mutex<Inner>,
    /// Somebody has subscribed.
    woken: Condvar,
}

#[derive(Default)]
struct Inner {
    subscribers: BTreeMap<u64, Subscriber>,
    next: u64,
    asked: Option<Instant>,
    /// When what is counted by connection was read last.
    read_out: Option<Instant>,
    /// The last packet of a port that no rule permitted, refused or in audit, that the kernel has told, whoever
    /// had asked.
    last: BTreeMap<PortId, Event>,
    /// When connections were opened whose ends somebody wants.
    openings: Openings,
    /// By which moments of records are told.
    clock: Option<Clock>,
    counts: Arc<Counts>,
}

struct Subscriber {
    wanted: Wanted,
    /// When it began, by the clock of the records.
    since: u64,
    /// When the next event of a port is due: the kernel may be told to tell more, for somebody else.
    due: BTreeMap<(PortId, Action), u64>,
    /// What it is still to be told that it has lost.
    lost: BTreeMap<(PortId, Action, LostWhy), u64>,
    lines: mpsc::Sender<Bytes>,
    counts: Arc<Counts>,
}

/// What somebody asked for, for as long as this lives.
pub struct Subscription {
    hub: Arc<Hub>,
    id: u64,
    /// The lines.
    pub lines: mpsc::Receiver<Bytes>,
}

/// What somebody asked for, to be changed or ended by another.
pub struct Ask {
    hub: Arc<Hub>,
    id: u64,
}

impl Hub {
    /// A hub that nobody asks of.
    pub fn new(source: Arc<dyn Source>) -> Arc<Self> {
        Arc::new(Hub {
            source,
            rules: OnceLock::new(),
            inner: Mutex::default(),
            woken: Condvar::new(),
        })
    }

    /// From now on it is told of packets which rules have permitted them.
    pub fn know(&self, rules: Arc<dyn Rules>) {
        // It is known once, at the start.
        let _ = self.rules.set(rules);
    }

    /// Begins to tell somebody what is wanted, from the `last` refused packet on that is kept of each port, or
    /// from now on. When this returns, the kernel tells it.
    ///
    /// # Errors
    ///
    /// What the kernel side refuses; then nothing has changed.
    pub fn subscribe(self: &Arc<Self>, wanted: Wanted, last: bool) -> Result<Subscription> {
        let mut inner = self.lock();
        // What was lost until now was lost by the others.
        inner.collect(&*self.source);
        let (sender, lines) = mpsc::channel(LINES);
        let id = inner.next;
        inner.next += 1;
        let mut subscriber = Subscriber {
            wanted,
            since: boottime(),
            due: BTreeMap::new(),
            lost: BTreeMap::new(),
            lines: sender,
            counts: inner.counts.clone(),
        };
        if last {
            inner.recall(&mut subscriber);
        }
        inner.subscribers.insert(id, subscriber);
        if let Err(error) = self.source.want(&inner.wanted().with_openings()) {
            inner.subscribers.remove(&id);
            // A part of it may be asked for.
            self.ask(&inner);
            return Err(error);
        }
        self.woken.notify_all();
        drop(inner);
        Ok(Subscription {
            hub: self.clone(),
            id,
            lines,
        })
    }

    /// How much was told and lost in all.
    pub fn totals(&self) -> EventTotals {
        let inner = self.lock();
        inner.counts.totals(inner.subscribers.len())
    }

    /// Packets and bytes by connection, of the ports of which somebody wants them.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn accounts(&self) -> Result<Vec<Accounted>> {
        self.lock().read_out = Some(Instant::now());
        self.source.accounts()
    }

    /// Reads what is counted by connection if nobody has done so for a while: only then what is over makes room.
    pub fn tidy(&self) {
        let mut inner = self.lock();
        let is_due = inner.read_out.is_none_or(|at| at.elapsed() >= TIDY);
        if !is_due || !inner.wanted().counts_anywhere() {
            return;
        }
        inner.read_out = Some(Instant::now());
        drop(inner);
        if let Err(error) = self.source.accounts() {
            tracing::warn!("what is counted by connection cannot be read: {error}");
        }
    }

    /// Waits until somebody asks for something.
    pub fn wait(&self) {
        let inner = self.lock();
        let nobody = |inner: &mut Inner| inner.subscribers.is_empty();
        drop(self.woken.wait_while(inner, nobody));
    }

    /// Passes on what the kernel has told.
    pub fn tell(&self, event: &Event) {
        let Some(action) = event.action() else {
            return;
        };
        let port = PortId(Uuid::from_bytes(event.uuid));
        let mut line = None;
        let mut inner = self.lock();
        let opened = match action {
            Action::Drop | Action::Audit => {
                inner.keep(port, event);
                None
            }
            Action::Accept => {
                if inner.is_wanted(port, Action::End) {
                    inner.openings.note(event);
                }
                None
            }
            Action::End => event.ended().and_then(|ended| inner.openings.take(ended)),
        };
        let Inner {
            subscribers, clock, ..
        } = &mut *inner;
        for subscriber in subscribers.values_mut() {
            if event.time < subscriber.since || !subscriber.has_budget(port, action, event.time) {
                continue;
            }
            let line = line.get_or_insert_with(|| {
                let now = *clock.insert(Clock::after(*clock));
                line_of(event, opened, now).map(|line| self.with_rules(line, port, event))
            });
            if let Some(line) = line {
                subscriber.give(port, action, line);
            }
        }
    }

    /// Says which rules have permitted a packet, if that is known at this moment.
    fn with_rules(&self, mut line: EventLine, port: PortId, event: &Event) -> EventLine {
        if let (EventLine::Packet(packet), Some(Action::Accept)) = (&mut line, event.action())
            && let Some(rules) = self.rules.get()
        {
            let rules = rules.behind(port, &event.hit).into_iter();
            packet.rules = rules.map(|rule| rule.to_string()).collect();
        }
        line
    }

    /// Tells what was lost, if that was not asked a moment ago.
    pub fn tell_lost(&self) {
        let mut inner = self.lock();
        if inner.asked.is_none_or(|asked| asked.elapsed() >= LOST) {
            inner.collect(&*self.source);
        }
    }

    fn change(&self, id: u64, wanted: Wanted) -> Result<()> {
        let mut inner = self.lock();
        let subscriber = inner.subscribers.get(&id);
        if subscriber.is_none_or(|subscriber| subscriber.wanted == wanted) {
            return Ok(());
        }
        // What was lost until now was lost of what was wanted until now.
        inner.collect(&*self.source);
        let Some(subscriber) = inner.subscribers.get_mut(&id) else {
            return Ok(());
        };
        let former = std::mem::replace(&mut subscriber.wanted, wanted);
        let asked = self.source.want(&inner.wanted().with_openings());
        if asked.is_err() {
            if let Some(subscriber) = inner.subscribers.get_mut(&id) {
                subscriber.wanted = former;
            }
            // A part of it may be asked for.
            self.ask(&inner);
        }
        asked
    }

    fn end(&self, id: u64) {
        let mut inner = self.lock();
        if !inner.subscribers.contains_key(&id) {
            return;
        }
        // Who reads on is told of this too.
        inner.collect(&*self.source);
        inner.subscribers.remove(&id);
        if !inner.wanted().is_anywhere(Action::End) {
            inner.openings.clear();
        }
        self.ask(&inner);
    }

    /// Asks the kernel for what is still wanted.
    fn ask(&self, inner: &Inner) {
        if let Err(error) = self.source.want(&inner.wanted().with_openings()) {
            tracing::warn!("the kernel goes on telling what nobody reads: {error}");
        }
    }

    /// What is shared is whole at every moment, whoever has panicked.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscription {
    /// What it asked for, for who may change that while another reads.
    pub fn ask(&self) -> Ask {
        Ask {
            hub: self.hub.clone(),
            id: self.id,
        }
    }
}

impl Ask {
    /// From now on this is wanted. What was told until now is still to be read.
    ///
    /// # Errors
    ///
    /// What the kernel side refuses; then it is as before.
    pub fn change(&self, wanted: Wanted) -> Result<()> {
        self.hub.change(self.id, wanted)
    }

    /// Nothing is wanted any more: what was told is read to its end.
    pub fn end(&self) {
        self.hub.end(self.id);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.end(self.id);
    }
}

impl Inner {
    fn wanted(&self) -> Wanted {
        Wanted::sum(
            self.subscribers
                .values()
                .map(|subscriber| &subscriber.wanted),
        )
    }

    /// Whether anybody wants something of a port. The sum of all would be made for it anew.
    fn is_wanted(&self, port: PortId, action: Action) -> bool {
        let mut subscribers = self.subscribers.values();
        subscribers.any(|subscriber| subscriber.wanted.of(port).wants(action))
    }

    /// Keeps the last refused packet of a port, in the place of the oldest of all if there are many.
    fn keep(&mut self, port: PortId, event: &Event) {
        self.last.insert(port, *event);
        if self.last.len() <= KEPT {
            return;
        }
        let oldest = self.last.iter().min_by_key(|(_, event)| event.time);
        if let Some((&oldest, _)) = oldest {
            self.last.remove(&oldest);
        }
    }

    /// Tells the refused packets that are kept of what somebody wants.
    fn recall(&mut self, subscriber: &mut Subscriber) {
        let clock = self.read_clock();
        for (port, event) in &self.last {
            if let Some(action) = event.action()
                && subscriber.wanted.of(*port).wants(action)
                && let Some(line) = line_of(event, None, clock)
            {
                subscriber.give(*port, action, &line);
            }
        }
    }

    fn read_clock(&mut self) -> Clock {
        let clock = Clock::after(self.clock);
        self.clock = Some(clock);
        clock
    }

    /// Asks what was lost, and tells those who wanted it.
    fn collect(&mut self, source: &dyn Source) {
        self.asked = Some(Instant::now());
        let lost = source.lost().unwrap_or_else(|error| {
            tracing::warn!("nobody knows what was not told: {error}");
            Vec::new()
        });
        for subscriber in self.subscribers.values_mut() {
            for Lost {
                port,
                action,
                count,
            } in &lost
            {
                if subscriber.wanted.of(*port).wants(*action) {
                    subscriber.lose(*port, *action, LostWhy::Rate, *count);
                }
            }
            subscriber.confess();
        }
    }
}

impl Subscriber {
    /// Whether it wants an event, and has not had too many.
    fn has_budget(&mut self, port: PortId, action: Action, at: u64) -> bool {
        let asked = self.wanted.of(port);
        if !asked.wants(action) {
            return false;
        }
        let due = self.due.entry((port, action)).or_insert(0);
        match asked.spend(action, *due, at) {
            Some(next) => {
                *due = next;
                true
            }
            None => {
                self.lose(port, action, LostWhy::Rate, 1);
                false
            }
        }
    }

    fn give(&mut self, port: PortId, action: Action, line: &EventLine) {
        match self.write(line) {
            true => self.counts.tell(),
            false => self.lose(port, action, LostWhy::Reader, 1),
        }
    }

    fn lose(&mut self, port: PortId, action: Action, why: LostWhy, count: u64) {
        self.counts.lose(why, count);
        *self.lost.entry((port, action, why)).or_insert(0) += count;
    }

    /// Says what it has lost, as far as there is room for that.
    fn confess(&mut self) {
        let now = time(SystemTime::now());
        while let Some((&(port, action, why), &lost)) = self.lost.first_key_value() {
            let line = EventLine::Lost(LostView {
                time: now.clone(),
                lost,
                port: port.to_string(),
                action: action.into(),
                why,
            });
            if !self.write(&line) {
                return;
            }
            self.lost.pop_first();
        }
    }

    /// Whether there was room for a line.
    fn write(&self, line: &EventLine) -> bool {
        let Ok(room) = self.lines.try_reserve() else {
            return false;
        };
        // A line is strings and numbers: it has a JSON form.
        let mut text = serde_json::to_vec(line).unwrap_or_default();
        text.push(b'\n');
        room.send(text.into());
        true
    }
}

/// A record as a line of the answer, if it is known here what it is.
fn line_of(event: &Event, opened: Option<u64>, clock: Clock) -> Option<EventLine> {
    let view = match event.ended() {
        Some(ended) => describe_end(ended, opened, clock),
        None => describe(event, clock),
    }?;
    Some(EventLine::Packet(Box::new(view)))
}
