//! TCP: connections from beginning to end, and what comes out of turn.

use crate::packet::{TcpFlags, icmp_error, tcp};
use crate::parity::generate::peer::PEERS;
use crate::parity::generate::talk::Talk;
use crate::parity::random::Random;
use crate::parity::scenario::Step;

const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;
const FIN: TcpFlags = TcpFlags::FIN;
const RST: TcpFlags = TcpFlags::RST;
const PSH: TcpFlags = TcpFlags::PSH;

pub fn steps(talk: &Talk, random: &mut Random) -> Vec<Step> {
    let segment = |first: bool, flags: TcpFlags, sequence: u32, acknowledged: u32, data: &[u8]| {
        let (a, b) = talk.endpoints(first);
        let packet = tcp(&a, &b).flags(flags).sequence(sequence, acknowledged);
        talk.step(first, packet.payload(data))
    };
    if random.percent(15) {
        // Not with a SYN, and what the other side may say to it.
        let odd = [
            ACK,
            RST,
            FIN | ACK,
            SYN | ACK,
            SYN | FIN,
            TcpFlags(0),
            FIN,
            ACK | PSH,
            FIN | PSH | TcpFlags::URG,
            SYN | RST,
        ];
        return vec![
            segment(true, random.pick(&odd), 1000, 1, b""),
            segment(false, random.pick(&[SYN | ACK, ACK, RST]), 5000, 1001, b""),
        ];
    }
    let mut steps = vec![segment(true, SYN, 1000, 0, b"")];
    if random.percent(12) {
        steps.push(segment(false, RST | ACK, 0, 1001, b""));
        steps.push(segment(true, SYN, 1000, 0, b""));
        return steps;
    }
    steps.extend([
        segment(false, SYN | ACK, 5000, 1001, b""),
        segment(true, ACK, 1001, 5001, b""),
        segment(true, ACK | PSH, 1001, 5001, b"question"),
        segment(false, ACK | PSH, 5001, 1009, b"answer"),
    ]);
    match random.below(8) {
        0 => steps.push(segment(false, RST, 5007, 0, b"")),
        1 => steps.extend([
            segment(true, FIN | ACK, 1009, 5007, b""),
            segment(false, FIN | ACK, 5007, 1010, b""),
            segment(true, ACK, 1010, 5008, b""),
            segment(true, SYN, 90_000, 0, b""),
        ]),
        2 => steps.extend([
            segment(false, FIN | ACK, 5007, 1009, b""),
            segment(true, ACK, 1009, 5008, b""),
            segment(true, FIN | ACK, 1009, 5008, b""),
            segment(false, ACK, 5008, 1010, b""),
        ]),
        // Far outside of the window.
        3 => steps.extend([
            segment(false, ACK | PSH, 900_000_000, 1009, b"stray"),
            segment(true, ACK, 1009, 5007, b""),
        ]),
        4 => steps.push(error(talk, random)),
        // Each side again, out of order.
        5 => steps.extend([
            segment(false, ACK, 5007, 1009, b""),
            segment(true, ACK | PSH, 1001, 5001, b"question"),
            segment(true, ACK, 1009, 5007, b""),
        ]),
        _ => {}
    }
    steps
}

/// A router of the answering side cannot send on what the other side sent.
fn error(talk: &Talk, random: &mut Random) -> Step {
    let (a, b) = talk.endpoints(true);
    let about = tcp(&a, &b).flags(ACK | PSH).sequence(1001, 5001);
    let router = PEERS[usize::from(talk.v6)][11];
    let (_, answering) = talk.addresses(true);
    let source = match talk.out && random.percent(50) {
        true => router,
        false => &answering,
    };
    let (kind, code) = random.pick(match talk.v6 {
        true => &[(1, 4), (2, 0), (3, 0)],
        false => &[(3, 3), (3, 4), (11, 0)],
    });
    talk.step(false, icmp_error(source, kind, code, &about))
}
