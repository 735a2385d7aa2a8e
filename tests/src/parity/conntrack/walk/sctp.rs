//! Random SCTP.

use super::Walker;
use crate::parity::conntrack::notation::{End, Packet, Value};

const ALL: &[&str] = &[
    "INIT",
    "INIT_ACK",
    "COOKIE_ECHO",
    "COOKIE_ACK",
    "DATA",
    "SACK",
    "HEARTBEAT",
    "HEARTBEAT_ACK",
    "ABORT",
    "SHUTDOWN",
    "SHUTDOWN_ACK",
    "SHUTDOWN_COMPLETE",
    "ERROR",
];

const ONCE_OPEN: &[&str] = &[
    "DATA",
    "SACK",
    "DATA+SACK",
    "HEARTBEAT",
    "HEARTBEAT_ACK",
    "SHUTDOWN",
    "SHUTDOWN_ACK",
    "SHUTDOWN_COMPLETE",
    "ABORT",
    "COOKIE_ACK",
];

impl Walker {
    pub(super) fn sctp(&mut self, from: End) -> Packet {
        match self.random.percent(self.manners) {
            true => Packet::new(from, self.chunk(from)),
            false => self.rude_chunks(from),
        }
    }

    /// What an SCTP stack might send next: four packets open an association.
    fn chunk(&mut self, from: End) -> &'static str {
        let theirs = self.ends[from.other() as usize];
        let me = &mut self.ends[from as usize];
        let (first, second) = match from == self.opener {
            true => ("INIT", "COOKIE_ECHO"),
            false if !theirs.began => return "HEARTBEAT",
            false => ("INIT_ACK", "COOKIE_ACK"),
        };
        match (me.began, theirs.began, me.ended) {
            (false, _, _) => {
                me.began = true;
                first
            }
            (true, false, _) => first,
            (true, true, false) => {
                me.ended = true;
                second
            }
            (true, true, true) => self.random.pick(ONCE_OPEN),
        }
    }

    /// Anything.
    fn rude_chunks(&mut self, from: End) -> Packet {
        let random = &mut self.random;
        let mut word = random.pick(ALL).to_owned();
        if random.percent(25) {
            word = format!("{word}+{}", random.pick(ALL));
        }
        let packet = Packet::new(from, &word);
        match random.below(8) {
            0 => packet.with("vtag", Value::Is(random.pick(&[0, 0x1111, 0x2222, 0x3333]))),
            1 => packet.with("T", Value::On),
            2 => {
                let tag = Value::Is(random.pick(&[0x1111, 0x2222]));
                packet.with("T", Value::On).with("vtag", tag)
            }
            3 => packet.with("tag", Value::Is(random.pick(&[0, 0x3333, 0x4444]))),
            4 => packet.with("zero", Value::On),
            _ => packet,
        }
    }
}
