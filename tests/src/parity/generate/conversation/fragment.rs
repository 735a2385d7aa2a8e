//! Datagrams in fragments: mostly whole and in order, as hosts send them.

use super::packet;
use crate::packet::Packet;
use crate::parity::generate::talk::Talk;
use crate::parity::random::Random;
use crate::parity::scenario::Step;

/// The opening packet in fragments, the answer whole, and both again.
pub fn steps(talk: &Talk, protocol: u8, random: &mut Random) -> Vec<Step> {
    let whole = |first: bool| packet(talk, protocol, first).payload(&[7; 200]);
    let (answer, again) = (talk.step(false, whole(false)), talk.step(true, whole(true)));
    let mut steps = vec![talk.frames(true, parts(&whole(true), random), |_| {})];
    if random.percent(30) {
        // All of the last ones alone.
        let (id, start) = (random.next() as u32, 64);
        steps.push(talk.step(true, whole(true).fragment(id, start, 9999)));
    }
    steps.extend([
        answer,
        talk.frames(false, parts(&whole(false), random), |_| {}),
        again,
    ]);
    steps
}

fn parts(whole: &Packet, random: &mut Random) -> Vec<Packet> {
    let id = random.next() as u32;
    let part = |start, end| whole.clone().fragment(id, start, end);
    match random.below(100) {
        0..60 => vec![part(0, 64), part(64, 9999)],
        60..85 => vec![part(0, 64), part(64, 128), part(128, 9999)],
        85..89 => vec![part(64, 9999), part(0, 64)],
        89..92 => vec![part(0, 64), part(128, 9999), part(64, 128)],
        92..95 => vec![part(0, 64)],
        95..98 => vec![part(64, 9999)],
        _ => vec![part(0, 64), part(128, 9999)],
    }
}
