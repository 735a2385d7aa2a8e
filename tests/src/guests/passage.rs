//! What went into a filter and what came out of it, by kind of frame.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::fabric::Fabric;
use super::host::Host;
use super::record::{Recorded, Recorder};
use crate::inventory::Port;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// What the guest sends.
    FromVm,
    /// What it is sent.
    ToVm,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FromVm => "from the VM",
            Self::ToVm => "to the VM",
        })
    }
}

/// The frames of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frames {
    /// How many went in.
    pub went: usize,
    /// Those that did not come out.
    pub fell: Vec<Vec<u8>>,
    /// The longest, in bytes.
    pub longest: usize,
}

/// The frames of a scenario on one side, by way and kind.
pub type Kinds = BTreeMap<(Way, String), Frames>;

/// The recordings of both sides of a filter, under way.
#[derive(Debug)]
pub struct Recorders {
    from_vm: [Recorder; 2],
    to_vm: [Recorder; 2],
}

/// Before the filter and after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    way: Way,
    there: Range<Duration>,
    before: Vec<Recorded>,
    after: Vec<Recorded>,
}

impl Recorders {
    /// Begins to record what passes a port's filter on a host. Of what a tap transmits, a recording has
    /// only what its filter lets through; of what it receives, all.
    #[must_use]
    pub fn start(host: &Host, fabric: &Fabric, port: &Port, directory: &Path, name: &str) -> Self {
        let file = |what: &str| directory.join(format!("{name}-{what}.pcap"));
        let tap = |way, what| Recorder::start(host.netns(), &port.interface(), way, &file(what));
        let wire = |way, what| Recorder::start(fabric.netns(), host.name(), way, &file(what));
        Self {
            from_vm: [tap("in", "vm-sent"), wire("in", "fabric-received")],
            to_vm: [wire("out", "fabric-sent"), tap("out", "vm-received")],
        }
    }

    /// Ends the recordings, some time after the guest. `there` is when the guest was there to receive: what
    /// was sent to it before or after that met no tap that could transmit.
    #[must_use]
    pub fn stop(self, there: Range<Duration>) -> [Passage; 2] {
        let passage = |way, recorders: [Recorder; 2], there| {
            let [before, after] = recorders.map(Recorder::stop);
            Passage {
                way,
                there,
                before,
                after,
            }
        };
        let always = Duration::ZERO..Duration::MAX;
        [
            passage(Way::FromVm, self.from_vm, always),
            passage(Way::ToVm, self.to_vm, there),
        ]
    }
}

impl Passage {
    /// Which way it is.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way
    }

    /// Adds its frames to those of the side. A frame fell if it did not come out as it went in.
    ///
    /// # Panics
    /// If a frame came out that had not gone in: then the recordings say nothing.
    pub fn count(self, kinds: &mut Kinds, kind: impl Fn(&[u8]) -> String) {
        let mut came: HashMap<Vec<u8>, usize> = HashMap::new();
        for frame in self.after {
            *came.entry(frame.bytes).or_default() += 1;
        }
        // What went in while the guest was away is looked at last: of frames alike, those are the missing ones.
        let (mut before, away): (Vec<_>, Vec<_>) = self
            .before
            .into_iter()
            .partition(|frame| self.there.contains(&frame.at));
        before.extend(away);
        for frame in before {
            let left = came.get_mut(&frame.bytes).filter(|left| **left > 0);
            let fell = left.is_none();
            if let Some(left) = left {
                *left -= 1;
            }
            if fell && !self.there.contains(&frame.at) {
                continue;
            }
            let frames = kinds.entry((self.way, kind(&frame.bytes))).or_default();
            frames.went += 1;
            frames.longest = frames.longest.max(frame.bytes.len());
            if fell {
                frames.fell.push(frame.bytes);
            }
        }
        let strange = came.iter().find(|(_, left)| **left > 0);
        if let Some((frame, _)) = strange {
            let shown = crate::packet::describe(frame);
            panic!("{}: came out without going in: {shown}", self.way);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Kinds, Passage, Way};
    use crate::guests::record::Recorded;

    /// A frame a second, from the first second on.
    fn recorded(frames: &[&[u8]]) -> Vec<Recorded> {
        let frame = |(at, bytes): (u64, &&[u8])| Recorded {
            at: Duration::from_secs(at),
            bytes: bytes.to_vec(),
        };
        (1..).zip(frames).map(frame).collect()
    }

    /// How many of each kind went in and fell; a frame is its own kind.
    fn counts(passage: Passage) -> Vec<(String, usize, usize)> {
        let mut kinds = Kinds::new();
        passage.count(&mut kinds, |frame| {
            String::from_utf8_lossy(frame).into_owned()
        });
        let kinds = kinds.into_iter();
        kinds
            .map(|((_, kind), frames)| (kind, frames.went, frames.fell.len()))
            .collect()
    }

    #[test]
    fn of_three_frames_alike_of_which_two_come_out_one_fell() {
        let passage = Passage {
            way: Way::FromVm,
            there: Duration::ZERO..Duration::MAX,
            before: recorded(&[b"a", b"b", b"a", b"a"]),
            after: recorded(&[b"a", b"b", b"a"]),
        };
        assert_eq!(counts(passage), [("a".into(), 3, 1), ("b".into(), 1, 0)]);
    }

    #[test]
    fn what_is_sent_while_the_guest_is_away_does_not_fall() {
        let passage = Passage {
            way: Way::ToVm,
            there: Duration::from_secs(2)..Duration::from_secs(4),
            before: recorded(&[b"a", b"b", b"a", b"d", b"e"]),
            after: recorded(&[b"a", b"e"]),
        };
        let expected = [("a".into(), 1, 0), ("b".into(), 1, 1), ("e".into(), 1, 0)];
        assert_eq!(counts(passage), expected);
    }
}
