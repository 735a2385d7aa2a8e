//! TCP between two ends that talk by the book, where nothing else is written.
//!
//! `seq` is counted from what the sender would send next (of a SYN, from its initial sequence
//! number), `ack` from what it would acknowledge. A segment that is in sequence moves what comes next;
//! a SYN begins anew.

use super::notation::Packet;
use crate::packet::{self, TcpFlags};

/// Both ends.
#[derive(Clone, Debug)]
pub struct Pair([Sender; 2]);

#[derive(Clone, Copy, Debug)]
struct Sender {
    initial: u32,
    next: u32,
}

impl Default for Pair {
    fn default() -> Self {
        Self([1000, 5000].map(|initial| Sender {
            initial,
            next: initial.wrapping_add(1),
        }))
    }
}

impl Pair {
    /// The next segment.
    pub fn segment(&mut self, packet: &Packet, from: &str, to: &str) -> packet::Packet {
        let flags = flags(&packet.word);
        let has = |flag: TcpFlags| flags.0 & flag.0 != 0;
        let receiver = self.0[packet.from.other() as usize];
        let sender = &mut self.0[packet.from as usize];
        let length = packet.number("len", 0);
        let usual = if has(TcpFlags::SYN) {
            sender.initial
        } else {
            sender.next
        };
        let sequence = packet.number("seq", usual);
        let end = sequence
            .wrapping_add(length)
            .wrapping_add(u32::from(has(TcpFlags::FIN)) + u32::from(has(TcpFlags::SYN)));
        if has(TcpFlags::SYN) {
            *sender = Sender {
                initial: sequence,
                next: end,
            };
        } else if sequence == usual && !has(TcpFlags::RST) {
            sender.next = end;
        }
        let usual = if has(TcpFlags::ACK) { receiver.next } else { 0 };
        let acknowledgement = packet.number("ack", usual);
        packet::tcp(from, to)
            .flags(flags)
            .sequence(sequence, acknowledgement)
            .window(packet.number("win", 65_535) as u16)
            .tcp_options(&options(packet, acknowledgement))
            .payload(&vec![0; length as usize])
    }
}

fn flags(word: &str) -> TcpFlags {
    let flag = |letter| match letter {
        'F' => 0x01,
        'S' => 0x02,
        'R' => 0x04,
        'P' => 0x08,
        'A' => 0x10,
        'U' => 0x20,
        'E' => 0x40,
        'C' => 0x80,
        '.' => 0,
        _ => panic!("`{letter}` in `{word}` is no TCP flag"),
    };
    TcpFlags(word.chars().map(flag).fold(0, |all, flag| all | flag))
}

/// Window scale, selective acknowledgement (one block) and timestamps, each padded to words.
fn options(packet: &Packet, acknowledgement: u32) -> Vec<u8> {
    let mut options = Vec::new();
    if packet.has("ws") {
        options.extend([3, 3, packet.number("ws", 0) as u8, 1]);
    }
    if packet.has("sackok") {
        options.extend([4, 2, 1, 1]);
    }
    if packet.has("ts") {
        options.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1]);
    }
    if packet.has("sackl") || packet.has("sackr") {
        options.extend([1, 1, 5, 10]);
        options.extend(packet.number("sackl", acknowledgement).to_be_bytes());
        options.extend(packet.number("sackr", acknowledgement).to_be_bytes());
    }
    options
}
