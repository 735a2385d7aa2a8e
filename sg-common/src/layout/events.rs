//! What the kernel tells one by one: records of a ring, and who asked for them.
//!
//! A verdict is told only if somebody asked for it of this port, and only as long as the port's budget lasts:
//! a flood at one port costs the others neither time nor room in the ring. What is not told is counted.

use crate::layout::flow::{Flow, FlowKey};
use crate::layout::hit::HitKey;
use crate::layout::shared::shared;
use crate::reason::{Accept, DropReason, Verdict, verdict_counter};

/// Bytes of a frame that are told with it: all headers that the filter reads, of nearly every packet.
pub const CAPTURED: usize = 128;

shared! {
    /// A record of the `events` ring.
    pub struct Event: 208 {
        /// When, in nanoseconds of the clock that counts suspended time (`CLOCK_BOOTTIME`).
        pub time: u64,
        /// The port's UUID.
        pub uuid: [u8; 16],
        /// The port's slot.
        pub slot: u32,
        /// The interface, or where else the port is found ([`crate::layout::port::PortKey`]).
        pub ifindex: u32,
        /// Bytes of the frame, of the whole super-packet if it is one, without a tag kept beside it.
        pub length: u32,
        /// The VLAN tag (TCI) kept beside the frame, if there is one: [`Event::TAGGED`].
        pub tci: u16,
        /// How many of `bytes` are the frame's.
        pub captured: u16,
        /// What the record is: [`Event::VERDICT`]. Readers skip what they do not know.
        pub what: u8,
        /// The [`crate::hook::Hook`].
        pub hook: u8,
        /// The verdict, as [`verdict_counter`] numbers it.
        pub verdict: u8,
        /// Bits: [`Event::TAGGED`].
        pub flags: u8,
        /// Zero.
        pub reserved: [u8; 4],
        /// The first bytes of the frame, from its Ethernet header.
        pub bytes: [u8; CAPTURED],
        /// Which row of the rules has permitted it; [`HitKey::NONE`] if none has.
        pub hit: HitKey,
    }

    /// The same record, of a connection that is over: [`Event::END`].
    pub struct Ended: 208 {
        /// As in [`Event`].
        pub time: u64,
        /// As in [`Event`].
        pub uuid: [u8; 16],
        /// As in [`Event`].
        pub slot: u32,
        /// Zero: the port may be anywhere by now.
        pub nothing: [u32; 3],
        /// As in [`Event`].
        pub what: u8,
        /// The [`Cause`].
        pub cause: u8,
        /// 1 if its packets and bytes were counted.
        pub counted: u8,
        /// Zero.
        pub reserved: [u8; 5],
        /// The connection as it was last.
        pub flow: Flow,
        /// Its [`FlowKey`], in words.
        pub key: [u64; 5],
        /// Its packets, by [`crate::hook::Direction`], as far as they were counted.
        pub packets: [u64; 2],
        /// Its bytes, likewise.
        pub frame_bytes: [u64; 2],
        /// Zero.
        pub rest: [u64; 3],
    }

    /// Value of the `asked` map, by slot: what is to be told of a port; arrays are by [`Action`]. Only the
    /// daemon writes it.
    pub struct Asked: 64 {
        /// Nanoseconds between two records, in the long run; 0 if nobody asked.
        pub interval: [u64; ACTIONS],
        /// How far the port may be ahead of that: what a burst takes.
        pub slack: [u64; ACTIONS],
    }

    /// Value of the `budgets` map, by slot; arrays are by [`Action`]. Only programs write it. A cache line, so
    /// that CPUs that serve different ports do not wait for each other.
    pub struct Budget: 64 {
        /// When the next record is due, in nanoseconds of `CLOCK_BOOTTIME`.
        pub due: [u64; ACTIONS],
        /// What was asked for and not told, because there were too many or the ring was full.
        pub lost: [u64; ACTIONS],
    }
}

impl Event {
    /// A verdict on a packet.
    pub const VERDICT: u8 = 1;

    /// The end of a connection, see [`Ended`].
    pub const END: u8 = 2;

    /// A tag was kept beside the frame.
    pub const TAGGED: u8 = 1;

    /// The verdict, if there is one of this number.
    pub fn verdict(&self) -> Option<Verdict> {
        let accepts = Accept::ALL.iter().map(|accept| Ok(*accept));
        let drops = DropReason::ALL.iter().map(|reason| Err(*reason));
        let number = u32::from(self.verdict);
        accepts
            .chain(drops)
            .find(|verdict| verdict_counter(verdict) == number)
    }

    /// The end of a connection, if it is one.
    pub fn ended(&self) -> Option<&Ended> {
        (self.what == Event::END).then(|| bytemuck::must_cast_ref(self))
    }

    /// What it is told as.
    pub fn action(&self) -> Option<Action> {
        match self.what {
            Event::VERDICT => Action::of(&self.verdict()?),
            Event::END => Some(Action::End),
            _ => None,
        }
    }

    /// The bytes of the frame that were told.
    pub fn frame(&self) -> &[u8] {
        let captured = usize::from(self.captured).min(CAPTURED);
        &self.bytes[..captured]
    }
}

impl Ended {
    /// The connection.
    pub const fn key(&self) -> FlowKey {
        bytemuck::must_cast(self.key)
    }
}

/// What has ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Cause {
    /// It has expired: the sweep has found it.
    Expired = 0,
    /// It was closing, and there was hardly any room: the sweep has removed it.
    GaveWay = 1,
    /// A packet: a reset of what nobody had answered, or one that opens the same connection anew.
    Packet = 2,
}

impl Cause {
    /// The cause of a number.
    pub const fn from_number(number: u8) -> Option<Cause> {
        match number {
            0 => Some(Cause::Expired),
            1 => Some(Cause::GaveWay),
            2 => Some(Cause::Packet),
            _ => None,
        }
    }
}

/// Room for what can be asked for: a power of two, so that an index is bounded by a mask.
pub const ACTIONS: usize = 4;

/// What can be asked for, in Neutron's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Action {
    /// The first packet of each connection that a rule permits, and each packet that a stateless rule permits
    /// and that could open one.
    Accept = 0,
    /// Each refused packet.
    Drop = 1,
    /// The end of each connection.
    End = 2,
    /// What no rule permits, and passes because the port is in audit.
    Audit = 3,
}

impl Action {
    /// All of them.
    pub const ALL: [Action; 4] = [Action::Accept, Action::Drop, Action::End, Action::Audit];

    /// Where arrays have it.
    #[inline(always)]
    pub const fn index(self) -> usize {
        self as usize & (ACTIONS - 1)
    }

    /// Which of them a verdict is, if it is one.
    #[inline(always)]
    pub const fn of(verdict: &Verdict) -> Option<Action> {
        match verdict {
            Ok(Accept::New | Accept::Stateless) => Some(Action::Accept),
            Ok(Accept::Audit) => Some(Action::Audit),
            Ok(_) => None,
            Err(_) => Some(Action::Drop),
        }
    }
}

impl Asked {
    /// Nobody asked for anything.
    pub const NOTHING: Asked = Asked {
        interval: [0; ACTIONS],
        slack: [0; ACTIONS],
    };

    /// Whether somebody asked.
    #[inline(always)]
    pub const fn wants(&self, action: Action) -> bool {
        self.interval[action.index()] != 0
    }

    /// Whether one more may be told at a moment, when the next is due at `due`: then, when the one after it is
    /// due. The generic cell rate algorithm (ITU-T I.371): a bucket of tokens in one number.
    #[inline(always)]
    pub const fn spend(&self, action: Action, due: u64, now: u64) -> Option<u64> {
        let (interval, slack) = (self.interval[action.index()], self.slack[action.index()]);
        let due = if due < now { now } else { due };
        match due - now > slack {
            true => None,
            false => Some(due + interval),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    const ASKED: Asked = Asked {
        interval: [0, SECOND / 100, 0, 0],
        slack: [0, 24 * (SECOND / 100), 0, 0],
    };

    /// How many of `packets` are told within a span, evenly spaced, from a moment on.
    fn told(due: &mut u64, from: u64, span: u64, packets: u64) -> u64 {
        let mut told = 0;
        for packet in 0..packets {
            let now = from + packet * span / packets;
            if let Some(next) = ASKED.spend(Action::Drop, *due, now) {
                *due = next;
                told += 1;
            }
        }
        told
    }

    #[test]
    fn a_burst_is_told_at_once_and_then_so_many_a_second() {
        let mut due = 0;
        assert_eq!(told(&mut due, SECOND, 1, 1000), 25, "the burst");
        let later = told(&mut due, SECOND, SECOND, 10_000);
        assert!((99..=101).contains(&later), "{later} a second");
        assert_eq!(told(&mut due, 10 * SECOND, 1, 1000), 25, "after a pause");
    }

    #[test]
    fn a_record_has_the_verdict_of_its_number() {
        let verdicts = Accept::ALL.iter().map(|accept| Ok(*accept));
        let verdicts = verdicts.chain(DropReason::ALL.iter().map(|reason| Err(*reason)));
        for verdict in verdicts {
            let event = Event {
                verdict: verdict_counter(&verdict) as u8,
                ..bytemuck::Zeroable::zeroed()
            };
            assert_eq!(event.verdict(), Some(verdict));
        }
        let none = Event {
            verdict: 255,
            ..bytemuck::Zeroable::zeroed()
        };
        assert_eq!(none.verdict(), None);
    }
}
