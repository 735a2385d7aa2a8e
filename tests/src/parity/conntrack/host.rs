//! This filter's side on the host: the same code over tables in ordinary memory, without the kernel's
//! programs. What differs here differs in the code, whatever the compiler and the verifier make of it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use sg_common::filter::filter;
use sg_common::layout::flow::Flow;
use sg_common::layout::port::PortKey;
use sg_common::layout::settings::{TICK_SHIFT, Ticks};
use sg_common::memory::Memory;
use sg_common::scratch::Run;
use sg_userspace::compile::{Limits, compile};
use sg_userspace::plan::{State, plan};

use super::filter::{entry, hook, label, lifetime, policy, settings};
use super::notation::{Protocol, Setup};
use super::outcome::{Entry, Label};
use super::run::{Sent, Side};
use super::tuple::Tuple;

const INTERFACE: u32 = 1;

/// The filter's code at a tap.
#[derive(Debug)]
pub struct Host {
    memory: Memory,
    slot: u32,
    started: Instant,
    protocol: Protocol,
}

impl Host {
    /// The same tap as that of [`super::filter::Filter`].
    #[must_use]
    pub fn new() -> Self {
        let (inventory, vm) = policy();
        let key = PortKey::new(INTERFACE, 0);
        let limits = Limits::default();
        let here = |id| (id == vm).then_some(key);
        let compiled = compile(&inventory, &|port| here(port.id), &limits);
        let plan = plan(&State::default(), &compiled.image, &limits, 1);
        let slot = plan.state.ports.values().next().map_or(0, |port| port.slot);
        Self {
            memory: plan.state.to_memory(),
            slot,
            started: Instant::now(),
            protocol: Protocol::Tcp,
        }
    }

    fn now(&self) -> Ticks {
        (self.started.elapsed().as_nanos() >> TICK_SHIFT) as Ticks + 1
    }

    /// The entry of a connection that is not over.
    fn living(&self, tuple: &Tuple) -> Option<Rc<Cell<Flow>>> {
        let (key, now) = (tuple.key(self.slot), self.now());
        let tables = [&self.memory.flows, &self.memory.embryos];
        let entries = tables.map(|table| table.borrow().get(&key).cloned());
        let mut living = entries
            .into_iter()
            .flatten()
            .filter(|entry| entry.get().lives(now));
        living.next()
    }
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Side for Host {
    fn prepare(&mut self, setup: &Setup) {
        self.protocol = setup.protocol;
        self.memory.settings = settings(setup);
    }

    fn send(&mut self, sent: &Sent, before: Option<&Entry>) -> (Option<Label>, bool) {
        self.memory.clock.set(self.now());
        self.memory.notes.borrow_mut().clear();
        let mut run = Run::EMPTY;
        let frame = sent.frame.as_slice();
        let verdict = filter(hook(sent.from), INTERFACE, frame, &self.memory, &mut run);
        let name = match &verdict {
            Ok(accept) => accept.as_str(),
            Err(reason) => reason.as_str(),
        };
        (label(name, sent, before), verdict.is_ok())
    }

    fn entry(&mut self, tuple: &Tuple) -> Option<Entry> {
        let stored = self.living(tuple)?;
        Some(entry(&stored.get(), self.now(), self.protocol))
    }

    fn set_lifetime(&mut self, tuple: &Tuple, seconds: u32) {
        if let Some(stored) = self.living(tuple) {
            stored.set(lifetime(stored.get(), seconds, self.now()));
        }
    }

    fn forget(&mut self, tuple: &Tuple) {
        let key = tuple.key(self.slot);
        self.memory.flows.borrow_mut().remove(&key);
        self.memory.embryos.borrow_mut().remove(&key);
    }
}
