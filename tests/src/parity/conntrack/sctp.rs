//! SCTP (RFC 9260) between two ends that talk by the book, where nothing else is written.
//!
//! A packet carries the tag that the other end's INIT or INIT_ACK has last given out, an INIT the tag
//! 0. `tag` is what an INIT or INIT_ACK gives out, `T` the bit of ABORT and SHUTDOWN_COMPLETE, `zero`
//! makes the last chunk one of length 0.

use super::notation::Packet;

/// The tags that both ends have given out.
#[derive(Clone, Debug)]
pub struct Pair([u32; 2]);

impl Default for Pair {
    fn default() -> Self {
        Self([0x1111, 0x2222])
    }
}

/// The names of chunks, by number.
const CHUNKS: [&str; 15] = [
    "DATA",
    "INIT",
    "INIT_ACK",
    "SACK",
    "HEARTBEAT",
    "HEARTBEAT_ACK",
    "ABORT",
    "SHUTDOWN",
    "SHUTDOWN_ACK",
    "ERROR",
    "COOKIE_ECHO",
    "COOKIE_ACK",
    "ECNE",
    "CWR",
    "SHUTDOWN_COMPLETE",
];

const INIT: u8 = 1;
const INIT_ACK: u8 = 2;
const ABORT: u8 = 6;
const SHUTDOWN_COMPLETE: u8 = 14;

impl Pair {
    /// The next packet, from its common header on. The CRC is left 0: nobody here verifies it.
    pub fn packet(&mut self, packet: &Packet, from: u16, to: u16) -> Vec<u8> {
        let kinds: Vec<u8> = packet.word.split('+').filter_map(kind).collect();
        let usual = match kinds.first() {
            Some(&INIT) => 0,
            _ => self.0[packet.from.other() as usize],
        };
        let tag = packet.number("vtag", usual);
        let mut bytes = [from.to_be_bytes(), to.to_be_bytes()].concat();
        bytes.extend(tag.to_be_bytes());
        bytes.extend([0; 4]);
        for (place, kind) in kinds.iter().enumerate() {
            let own = &mut self.0[packet.from as usize];
            let value = match *kind {
                INIT | INIT_ACK => {
                    *own = packet.number("tag", *own);
                    // Tag, window, streams out and in, first sequence number.
                    [
                        own.to_be_bytes().as_slice(),
                        &[0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1],
                    ]
                    .concat()
                }
                0 => vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
                _ => vec![0; 4],
            };
            let flags = match *kind {
                ABORT | SHUTDOWN_COMPLETE => u8::from(packet.has("T")),
                0 => 3,
                _ => 0,
            };
            let zero = packet.has("zero") && place + 1 == kinds.len();
            let length = if zero { 0 } else { 4 + value.len() as u16 };
            bytes.extend([*kind, flags]);
            bytes.extend(length.to_be_bytes());
            bytes.extend(value);
        }
        bytes
    }
}

/// The number of a chunk; none for no chunk at all.
fn kind(name: &str) -> Option<u8> {
    if name.is_empty() {
        return None;
    }
    let place = CHUNKS.iter().position(|known| *known == name);
    let place = place.unwrap_or_else(|| panic!("`{name}` is no SCTP chunk"));
    u8::try_from(place).ok()
}
