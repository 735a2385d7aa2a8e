//! A conversation as text: `>S <SA >A`. `>` is the VM, `<` its peer.
//!
//! Flags are letters. Numbers go on by themselves; `+5` or `-5` behind the flags shifts the sequence
//! number, `:100` adds a hundred bytes of data, `!` begins a new sequence, `~` sends the last segment of
//! this side again, `^5` or `v5` shifts the acknowledgement, `w0` sets the window.

use std::string::String;
use std::vec::Vec;

use crate::conntrack::tcp::State;
use crate::hook::Direction;
use crate::reason::{Accept, DropReason, Verdict};
use crate::testing::packet::{Packet, tcp};
use crate::testing::world::{Service, World};
use crate::wire::addr::Family;

const ENDS: [&str; 2] = ["10.0.0.5:40000", "192.0.2.1:80"];

/// Two sides, and the filter between them.
pub(super) struct Dialogue {
    pub(super) world: World,
    /// First sequence number of each side.
    start: [u32; 2],
    /// Next sequence number of each side.
    next: [u32; 2],
    last: [Option<Packet>; 2],
}

impl Dialogue {
    /// Both sides may open connections; what is invalid is dropped.
    pub(super) fn new() -> Dialogue {
        let mut world = World::new()
            .permit(Direction::Egress, Family::V4, Service::Protocol(6))
            .permit(Direction::Ingress, Family::V4, Service::Protocol(6));
        world.memory.settings.switches |= crate::layout::settings::switch::DROP_INVALID;
        Dialogue {
            world,
            start: [1_000, 4_000_000_000],
            next: [1_000, 4_000_000_000],
            last: [None, None],
        }
    }

    /// The same, and the windows are enforced.
    pub(super) fn strict() -> Dialogue {
        let mut dialogue = Dialogue::new();
        dialogue.world.memory.settings.switches |= crate::layout::settings::switch::TCP_STRICT;
        dialogue
    }

    /// After a conversation.
    pub(super) fn after(text: &str) -> Dialogue {
        let mut dialogue = Dialogue::new();
        dialogue.say(text);
        dialogue
    }

    /// Says a conversation; a label for each segment: NEW, EST, or INV. A connection that nobody has
    /// answered is EST too where `conntrack` says NEW: the rules have permitted it.
    pub(super) fn say(&mut self, text: &str) -> String {
        let labels: Vec<_> = text
            .split_whitespace()
            .map(|word| self.segment(word))
            .collect();
        labels.join(" ")
    }

    fn segment(&mut self, word: &str) -> &'static str {
        let (sender, rest) = match word.split_at(1) {
            (">", rest) => (0, rest),
            ("<", rest) => (1, rest),
            _ => panic!("{word} goes nowhere"),
        };
        let packet = self.packet(sender, rest);
        self.last[sender] = Some(packet.clone());
        match sender {
            0 => label(self.world.send(&packet)),
            _ => label(self.world.receive(&packet)),
        }
    }

    fn packet(&mut self, sender: usize, text: &str) -> Packet {
        if text == "~" {
            return self.last[sender].clone().expect("something to repeat");
        }
        let end = text
            .find(|c: char| !c.is_ascii_uppercase())
            .unwrap_or(text.len());
        let (flags, modifiers) = text.split_at(end);
        let (mut shift, mut ack_shift, mut data, mut window) = (0i64, 0i64, 0, 64_240);
        for (at, kind) in modifiers.match_indices(|c: char| !c.is_ascii_digit()) {
            let digits = modifiers[at + 1..]
                .split(|c: char| !c.is_ascii_digit())
                .next();
            let number: i64 = digits.and_then(|text| text.parse().ok()).unwrap_or(0);
            match kind {
                "+" => shift = number,
                "-" => shift = -number,
                "^" => ack_shift = number,
                "v" => ack_shift = -number,
                ":" => data = number as usize,
                "w" => window = number as u16,
                "!" => self.start[sender] = self.start[sender].wrapping_add(100_000),
                _ => panic!("{text} is no segment"),
            }
        }
        let syn = flags.contains('S');
        if syn {
            self.next[sender] = self.start[sender];
        }
        let sequence = self.next[sender].wrapping_add(shift as u32);
        let acknowledgement = match flags.contains('A') {
            true => self.next[1 - sender].wrapping_add(ack_shift as u32),
            false => 0,
        };
        if shift == 0 {
            let length = data as u32 + u32::from(syn) + u32::from(flags.contains('F'));
            self.next[sender] = self.next[sender].wrapping_add(length);
        }
        tcp(ENDS[sender], ENDS[1 - sender])
            .flags(flags)
            .numbers(sequence, acknowledgement)
            .window(window)
            .data(data)
    }

    /// The state of the only connection as `conntrack -L` prints it: state, seconds, assured.
    pub(super) fn entry(&self) -> String {
        match self.world.flow() {
            None => "gone".into(),
            Some(flow) => {
                let word = flow.word();
                let state = State::from_number(word.state()).as_str();
                let assured = if word.assured() { " ASSURED" } else { "" };
                let answered = if word.seen_reply() { "" } else { " UNREPLIED" };
                format!("{state} {}{answered}{assured}", self.world.lifetime())
            }
        }
    }
}

fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Ok(Accept::New) => "NEW",
        Ok(Accept::Established) => "EST",
        Err(
            DropReason::InvalidTcpState
            | DropReason::InvalidTcpReset
            | DropReason::InvalidTcpWindow
            | DropReason::InvalidTcpFlags,
        ) => "INV",
        other => panic!("{other:?}"),
    }
}

/// Says a conversation and compares the labels and the entry.
pub(super) fn check(text: &str, labels: &str, entry: &str) {
    let mut dialogue = Dialogue::new();
    assert_eq!(dialogue.say(text), labels, "{text}");
    assert_eq!(dialogue.entry(), entry, "{text}");
}

/// After a handshake: says a conversation and compares the labels and the entry.
pub(super) fn check_established(text: &str, labels: &str, entry: &str) {
    let mut dialogue = Dialogue::after(">S <SA >A");
    assert_eq!(dialogue.say(text), labels, "handshake, {text}");
    assert_eq!(dialogue.entry(), entry, "handshake, {text}");
}
