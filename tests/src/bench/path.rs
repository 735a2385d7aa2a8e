//! What a packet costs on its way from the tap to the network, or back: all of the way, in the thread that lets it
//! in.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use sg_common::hook::Hook;

use super::side::Side;
use super::statistics::{Cell, Measured, interleave};
use super::talk::{self, Protocol, Talk};
use super::wire::{Frames, Sample, Wire};

/// How long a sample is to take.
const SAMPLE: Duration = Duration::from_millis(10);

/// The least and the most frames of a sample, and the most of new connections: all that a run opens have to fit
/// the tables.
const FEWEST: u32 = 128;
const MOST: u32 = 16_384;
const MOST_NEW: u32 = 1_024;

/// Connections that are opened at once, so that none is evicted before it is proven.
const TCP_BATCH: u32 = 1_024;
const UDP_BATCH: u32 = 32_768;

/// How old an answered flow of UDP has to be to be established (`nf_conntrack_proto_udp.c`), and a little.
const STREAM: Duration = Duration::from_millis(2_200);

/// The packets of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    /// Their protocol.
    pub protocol: Protocol,
    /// What they are to the filter.
    pub talk: Talk,
    /// The hook they meet.
    pub hook: Hook,
    /// How many connections they are of, in turns.
    pub flows: u32,
}

/// Sides with the connections that are open on each.
pub struct Grounds {
    sides: Vec<Side<Wire>>,
    open: BTreeMap<(usize, Protocol), u32>,
    /// Where the next new connection comes from.
    fresh: BTreeMap<(usize, Hook), u64>,
}

impl Grounds {
    /// Without connections. The first side is the reference of those that have none of their own.
    #[must_use]
    pub fn new(sides: Vec<Side<Wire>>) -> Self {
        Self {
            sides,
            open: BTreeMap::new(),
            fresh: BTreeMap::new(),
        }
    }

    /// The sides.
    #[must_use]
    pub fn sides(&self) -> &[Side<Wire>] {
        &self.sides
    }

    /// Measures a way on some sides, and the reference against itself as the first.
    ///
    /// # Errors
    /// Names the side of which no whole sample could be had.
    pub fn measure(
        &mut self,
        way: Way,
        which: &[usize],
        rounds: usize,
    ) -> Result<Vec<Cell>, String> {
        if way.talk == Talk::Established {
            let mut all = vec![0];
            all.extend(which.iter().filter(|side| **side != 0));
            self.establish(way.protocol, way.flows, &all)?;
        }
        let frames = |side: usize, fresh: &BTreeMap<(usize, Hook), u64>| {
            let frame = talk::frame(way.protocol, way.talk, way.hook);
            match way.talk {
                Talk::Established => Frames::mixed(way.hook, frame, way.flows),
                Talk::New | Talk::Refused => {
                    let frames = Frames::in_order(way.hook, frame);
                    frames.rewind(fresh.get(&(side, way.hook)).copied().unwrap_or_default());
                    frames
                }
            }
        };
        let own: Vec<_> = which
            .iter()
            .map(|side| frames(*side, &self.fresh))
            .collect();
        let common = frames(0, &self.fresh);
        let mut contestants: Vec<Box<dyn Measured + '_>> = Vec::new();
        for (number, frames) in which.iter().zip(&own) {
            let side = &self.sides[*number];
            let (reference, reference_frames) = match side.swaps() {
                true => (side, frames),
                false => (&self.sides[0], &common),
            };
            contestants.push(Box::new(Contestant {
                way,
                side,
                frames,
                reference,
                reference_frames,
                counts: [FEWEST; 2],
            }));
        }
        let cells = interleave(&mut contestants, rounds);
        drop(contestants);
        for (side, frames) in which.iter().zip(&own).chain([(&0, &common)]) {
            self.fresh.insert((*side, way.hook), frames.next());
        }
        cells
    }

    /// Opens connections on the sides until so many are open on each.
    fn establish(&mut self, protocol: Protocol, flows: u32, which: &[usize]) -> Result<(), String> {
        let opening = talk::opening(protocol);
        let opening: Vec<_> = opening
            .into_iter()
            .map(|(hook, frame)| (hook, Frames::in_order(hook, frame)))
            .collect();
        let (batch, lasting) = match protocol {
            Protocol::Tcp => (TCP_BATCH, false),
            Protocol::Udp => (UDP_BATCH, true),
        };
        loop {
            let mut opened = Vec::new();
            for &number in which {
                let done = self.open.entry((number, protocol)).or_default();
                let count = batch.min(flows.saturating_sub(*done));
                if count > 0 {
                    let side = &self.sides[number];
                    side.engage();
                    pass(side, &opening, *done, count)?;
                    opened.push((number, *done, count));
                    *done += count;
                }
            }
            if opened.is_empty() {
                return Ok(());
            }
            if lasting {
                thread::sleep(STREAM);
                for (number, first, count) in opened {
                    pass(&self.sides[number], &opening, first, count)?;
                }
            }
        }
    }
}

/// Lets every frame of a conversation pass, for so many peers.
fn pass(
    side: &Side<Wire>,
    opening: &[(Hook, Frames)],
    first: u32,
    count: u32,
) -> Result<(), String> {
    for (hook, frames) in opening {
        frames.rewind(first.into());
        let Sample { sent, out, .. } = side.wire.sample(side.netns(), frames, count);
        if out != sent {
            return Err(format!(
                "{}: of {sent} frames that open connections {out} pass at {}",
                side.who,
                hook.as_str()
            ));
        }
    }
    Ok(())
}

/// One side of a row.
struct Contestant<'a> {
    way: Way,
    side: &'a Side<Wire>,
    frames: &'a Frames,
    reference: &'a Side<Wire>,
    reference_frames: &'a Frames,
    /// Frames of the next sample, here and of the reference.
    counts: [u32; 2],
}

impl Contestant<'_> {
    fn take(&mut self, reference: bool) -> Option<f64> {
        let (side, frames) = match reference {
            true => (self.reference, self.reference_frames),
            false => (self.side, self.frames),
        };
        match reference {
            true => side.bypass(),
            false => side.engage(),
        }
        let count = &mut self.counts[usize::from(reference)];
        let sample = side.wire.sample(side.netns(), frames, *count);
        let expected = match self.way.talk {
            Talk::Refused if !reference && !self.side.who.is_open() => 0,
            _ => sample.sent,
        };
        if sample.out != expected {
            return None;
        }
        let most = match self.way.talk {
            Talk::New => MOST_NEW,
            _ => MOST,
        };
        *count = ((SAMPLE.as_nanos() as f64 / sample.ns) as u32).clamp(FEWEST, most);
        Some(sample.ns)
    }
}

impl Measured for Contestant<'_> {
    fn name(&self) -> String {
        self.side.who.to_string()
    }

    fn reference(&mut self) -> Option<f64> {
        self.take(true)
    }

    fn sample(&mut self) -> Option<f64> {
        self.take(false)
    }
}
