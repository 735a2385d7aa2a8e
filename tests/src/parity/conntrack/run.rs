//! Plays a case on both sides.

use std::thread;
use std::time::Duration;

use super::deviations;
use super::frames::Talk;
use super::notation::{Case, End, Setup, Step};
use super::outcome::{Entry, Label, Outcome};
use super::router::Router;
use super::tuple::Tuple;

/// A frame that is sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// By whom.
    pub from: End,
    /// All of it.
    pub frame: Vec<u8>,
    /// It is from a link-local address, so no router forwards it: only its label can be compared.
    pub stays: bool,
    /// The connection that it belongs to, if it is one of its own.
    pub tuple: Option<Tuple>,
}

/// Something that tracks connections.
pub trait Side {
    /// Brings the settings to those of a case.
    fn prepare(&mut self, setup: &Setup);

    /// Sends a packet: how it is labelled, and whether it passes. `before`: what was known of its
    /// connection.
    fn send(&mut self, sent: &Sent, before: Option<&Entry>) -> (Option<Label>, bool);

    /// What is known of a connection that has not expired.
    fn entry(&mut self, tuple: &Tuple) -> Option<Entry>;

    /// Gives a connection, if it is known, so many seconds from now on; with 0 it is over.
    fn set_lifetime(&mut self, tuple: &Tuple, seconds: u32);

    /// Forgets a connection.
    fn forget(&mut self, tuple: &Tuple);
}

/// How many peers take turns.
const PEERS: u32 = 250;

/// Both sides.
pub struct Both {
    /// nf_conntrack.
    pub router: Router,
    /// This filter.
    filter: Box<dyn Side>,
    /// The peer of the last case.
    number: u32,
}

/// What became of a step on both sides.
#[derive(Clone, Debug)]
pub struct Compared {
    /// What was done.
    pub step: Step,
    /// What became of it under nf_conntrack.
    pub kernel: Outcome,
    /// And here.
    pub filter: Outcome,
    /// The row of `docs/parity.md` that expects a difference, if there is one.
    pub row: Option<u32>,
}

impl Compared {
    /// Whether both sides say the same.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.kernel.agrees(&self.filter)
    }
}

impl Both {
    /// nf_conntrack and this filter, which know of no connection.
    #[must_use]
    pub fn new(filter: Box<dyn Side>) -> Self {
        Self {
            router: Router::new(),
            filter,
            number: 0,
        }
    }

    /// Plays a case on both sides, step by step, up to the first difference: what comes later would
    /// only follow from it.
    pub fn play(&mut self, case: &Case) -> Vec<Compared> {
        let mut talk = Talk::new(case.setup, self.peer());
        let mut kernel = Play::new(&mut self.router, &case.setup);
        let mut filter = Play::new(self.filter.as_mut(), &case.setup);
        let mut played: Vec<Compared> = Vec::new();
        for step in &case.steps {
            let act = match step {
                Step::Packet(packet) => Act::Send(talk.send(packet)),
                // Too close to call: the sides need not expire in the same instant.
                Step::Age(seconds) if kernel.is_about_to_expire(*seconds) => continue,
                Step::Age(seconds) => Act::SetLifetimes(kernel.lifetimes_after(*seconds)),
                Step::Wait(milliseconds) => Act::waited(*milliseconds),
            };
            let compared = Compared {
                step: step.clone(),
                kernel: kernel.act(&act),
                filter: filter.act(&act),
                row: deviations::expected(&case.setup),
            };
            let agrees = compared.agrees();
            played.push(compared);
            if !agrees {
                break;
            }
        }
        kernel.forget();
        filter.forget();
        played
    }
}

impl Both {
    /// A peer that no case has talked to for a while.
    fn peer(&mut self) -> u32 {
        self.number = self.number % PEERS + 1;
        self.number
    }

    /// What nf_conntrack alone makes of a case, to its end.
    pub fn kernel(&mut self, case: &Case) -> Vec<Outcome> {
        let peer = self.peer();
        play(&mut self.router, case, peer)
    }
}

/// Plays a case on one side, with the peer of this number; what becomes of each step.
pub fn play<S: Side>(side: &mut S, case: &Case, number: u32) -> Vec<Outcome> {
    let mut talk = Talk::new(case.setup, number);
    let mut play = Play::new(side, &case.setup);
    let outcomes = case.steps.iter().map(|step| {
        play.act(&match step {
            Step::Packet(packet) => Act::Send(talk.send(packet)),
            Step::Age(seconds) => Act::SetLifetimes(play.lifetimes_after(*seconds)),
            Step::Wait(milliseconds) => Act::waited(*milliseconds),
        })
    });
    let outcomes = outcomes.collect();
    play.forget();
    outcomes
}

/// What a step asks of a side.
enum Act {
    Send(Sent),
    /// In the order of the connections.
    SetLifetimes(Vec<u32>),
    Nothing,
}

impl Act {
    fn waited(milliseconds: u32) -> Self {
        thread::sleep(Duration::from_millis(milliseconds.into()));
        Self::Nothing
    }
}

/// A side in the middle of a case.
struct Play<'a, S: Side + ?Sized> {
    side: &'a mut S,
    /// The connections of the case so far, and what is known of them.
    tuples: Vec<Tuple>,
    entries: Vec<Option<Entry>>,
}

impl<'a, S: Side + ?Sized> Play<'a, S> {
    fn new(side: &'a mut S, setup: &Setup) -> Self {
        side.prepare(setup);
        Self {
            side,
            tuples: Vec::new(),
            entries: Vec::new(),
        }
    }

    fn act(&mut self, act: &Act) -> Outcome {
        let (mut label, mut passes) = (None, true);
        match act {
            Act::Send(sent) => {
                self.tuples
                    .extend(sent.tuple.filter(|tuple| !self.tuples.contains(tuple)));
                let place = self
                    .tuples
                    .iter()
                    .position(|tuple| Some(*tuple) == sent.tuple);
                let before = place.and_then(|place| self.entries.get(place).copied().flatten());
                (label, passes) = self.side.send(sent, before.as_ref());
                passes |= sent.stays;
            }
            Act::SetLifetimes(lifetimes) => {
                for (tuple, seconds) in self.tuples.iter().zip(lifetimes) {
                    self.side.set_lifetime(tuple, *seconds);
                }
            }
            Act::Nothing => {}
        }
        self.entries = self
            .tuples
            .iter()
            .map(|tuple| self.side.entry(tuple))
            .collect();
        Outcome {
            label,
            passes,
            entries: self.entries.clone(),
        }
    }

    fn lifetimes_after(&self, seconds: u32) -> Vec<u32> {
        let left =
            |entry: &Option<Entry>| entry.map_or(0, |entry| entry.seconds.saturating_sub(seconds));
        self.entries.iter().map(left).collect()
    }

    fn is_about_to_expire(&self, seconds: u32) -> bool {
        let mut entries = self.entries.iter().flatten();
        entries.any(|entry| entry.seconds.abs_diff(seconds) <= 3)
    }

    fn forget(&mut self) {
        self.tuples.iter().for_each(|tuple| self.side.forget(tuple));
    }
}
