use std::string::String;
use std::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use proptest::sample::select;
use proptest::{prop_assert, prop_assert_eq};

use super::chunk::*;
use super::state::after;
use super::{Room, State, next, read};
use crate::conntrack::Next;
use crate::hook::{Direction, Hook};
use crate::layout::flow::{Flow, Side};
use crate::layout::settings::{Settings, switch};
use crate::reason::{Accept, DropReason, Verdict};
use crate::scratch::Scratch;
use crate::testing::packet::{Packet, sctp};
use crate::testing::world::{Service, World};
use crate::wire::addr::Family;
use crate::wire::ip::Extent;
use crate::wire::ipv4;

const VM: &str = "10.0.0.5:5000";
const PEER: &str = "192.0.2.1:36412";
/// The tag that the VM sends, and the one that the peer sends.
const VM_TAG: u32 = 0x2222;
const PEER_TAG: u32 = 0x1111;

/// `sctp_conntracks` of the kernel. IV: invalid.
const ORIGINAL: &str = "
    chunk              NO  CL  CW  CE  ES  SS  SR  SA  HS
    INIT               CL  CL  CW  CE  ES  CL  CL  SA  CW
    INIT_ACK           CL  CL  CW  CE  ES  SS  SR  SA  CL
    ABORT              CL  CL  CL  CL  CL  CL  CL  CL  CL
    SHUTDOWN           CL  CL  CW  CE  SS  SS  SR  SA  CL
    SHUTDOWN_ACK       SA  CL  CW  CE  ES  SA  SA  SA  SA
    ERROR              CL  CL  CW  CE  ES  SS  SR  SA  CL
    COOKIE_ECHO        CL  CL  CE  CE  ES  SS  SR  SA  CL
    COOKIE_ACK         CL  CL  CW  ES  ES  SS  SR  SA  CL
    SHUTDOWN_COMPLETE  CL  CL  CW  CE  ES  SS  SR  CL  CL
    HEARTBEAT          HS  CL  CW  CE  ES  SS  SR  SA  HS
    HEARTBEAT_ACK      CL  CL  CW  CE  ES  SS  SR  SA  HS
    DATA               NO  CL  CW  CE  ES  SS  SR  SA  HS";

const REPLY: &str = "
    chunk              NO  CL  CW  CE  ES  SS  SR  SA  HS
    INIT               IV  CL  CW  CE  ES  SS  SR  SA  IV
    INIT_ACK           IV  CW  CW  CE  ES  SS  SR  SA  IV
    ABORT              IV  CL  CL  CL  CL  CL  CL  CL  IV
    SHUTDOWN           IV  CL  CW  CE  SR  SS  SR  SA  IV
    SHUTDOWN_ACK       IV  CL  CW  CE  ES  SA  SA  SA  IV
    ERROR              IV  CL  CW  CL  ES  SS  SR  SA  IV
    COOKIE_ECHO        IV  CL  CE  CE  ES  SS  SR  SA  IV
    COOKIE_ACK         IV  CL  CW  ES  ES  SS  SR  SA  IV
    SHUTDOWN_COMPLETE  IV  CL  CW  CE  ES  SS  SR  CL  IV
    HEARTBEAT          IV  CL  CW  CE  ES  SS  SR  SA  HS
    HEARTBEAT_ACK      IV  CL  CW  CE  ES  SS  SR  SA  ES
    DATA               NO  CL  CW  CE  ES  SS  SR  SA  HS";

fn name(state: u8) -> &'static str {
    let names = ["NO", "CL", "CW", "CE", "ES", "SS", "SR", "SA", "HS"];
    names.get(state as usize).copied().unwrap_or("IV")
}

fn kind(name: &str) -> u8 {
    match name {
        "DATA" => DATA,
        "INIT" => INIT,
        "INIT_ACK" => INIT_ACK,
        "HEARTBEAT" => HEARTBEAT,
        "HEARTBEAT_ACK" => HEARTBEAT_ACK,
        "ABORT" => ABORT,
        "SHUTDOWN" => SHUTDOWN,
        "SHUTDOWN_ACK" => SHUTDOWN_ACK,
        "ERROR" => ERROR,
        "COOKIE_ECHO" => COOKIE_ECHO,
        "COOKIE_ACK" => COOKIE_ACK,
        "SHUTDOWN_COMPLETE" => SHUTDOWN_COMPLETE,
        _ => panic!("no chunk {name}"),
    }
}

/// Every cell of both tables: side, chunk, state, answer.
fn cells() -> Vec<(Side, u8, u8, &'static str)> {
    let mut cells = Vec::new();
    for (side, table) in [(Side::Original, ORIGINAL), (Side::Reply, REPLY)] {
        for line in table.lines().skip(2) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for (state, cell) in words[1..].iter().enumerate() {
                cells.push((side, kind(words[0]), state as u8, *cell));
            }
        }
    }
    assert_eq!(cells.len(), 2 * 12 * 9);
    cells
}

/// The content that a type of chunk has.
fn content(kind: u8, tag: u32) -> Vec<u8> {
    match kind {
        INIT | INIT_ACK => [&tag.to_be_bytes()[..], &[0; 12]].concat(),
        COOKIE_ACK | SHUTDOWN_ACK | SHUTDOWN_COMPLETE => Vec::new(),
        _ => vec![0; 8],
    }
}

#[test]
fn every_cell_is_the_kernels() {
    for (side, chunk, state, answer) in cells() {
        // Data before any association do not come here.
        if chunk != DATA || state != 0 {
            let found = name(after(side, chunk, state));
            assert_eq!(found, answer, "{side:?}, chunk {chunk} in {}", name(state));
        }
    }
}

#[test]
fn a_chunk_moves_its_association_as_the_tables_say() {
    for (side, chunk, state, answer) in cells().into_iter().filter(|cell| cell.2 != 0) {
        let mut flow = Flow::new(Hook::FromVm, 1, 0);
        flow.end = [7; 2];
        flow.change(|word| word.set_state(state));
        let tag = if chunk == INIT { 0 } else { 7 };
        let packet = sctp(VM, PEER, tag, &[(chunk, 0, &content(chunk, 7))]);
        let next = show(&mut flow, side, &packet);
        let what = format!("{side:?}, chunk {chunk} in {}", name(state));
        match next {
            Next::Invalid(reason) => {
                assert_eq!((answer, reason), ("IV", DropReason::InvalidSctp), "{what}");
                assert_eq!(flow.word().state(), state, "{what}");
            }
            Next::Keep => {
                assert_eq!((chunk, state, answer), (INIT, 1, "CL"), "{what}");
            }
            Next::Refresh(lifetime) => {
                assert_eq!(name(flow.word().state()), answer, "{what}");
                let expected = Settings::DEFAULT.sctp[flow.word().state() as usize];
                assert_eq!(lifetime, expected, "{what}");
            }
            other => panic!("{what}: {other:?}"),
        }
        let enters = answer == "ES" && state != State::Established as u8;
        assert_eq!(flow.word().assured(), enters, "{what}");
    }
}

fn show(flow: &mut Flow, side: Side, packet: &Packet) -> Next {
    let bytes = packet.bytes();
    let mut ip = Scratch::EMPTY.ip;
    assert!(ipv4::parse(&bytes[..], 0, Extent::Whole, &mut ip));
    let mut room = Room::EMPTY;
    read(&mut room, &bytes[..], &ip);
    next(flow, &mut room, side, &bytes[..], &ip, &Settings::DEFAULT)
}

/// The VM may open associations, and what is invalid is dropped.
fn world() -> World {
    let mut world = World::new().permit(Direction::Egress, Family::V4, Service::Protocol(132));
    world.memory.settings.switches |= switch::DROP_INVALID;
    world
}

/// Says a conversation: `>INIT` and so on, each with the tag it ought to have, or with the tag behind
/// `=`; chunks of one packet are joined by `+`, a `!` sets the T flag. A label for each packet.
fn say(world: &mut World, text: &str) -> String {
    let labels: Vec<&str> = text
        .split_whitespace()
        .map(|word| label(packet(world, word)))
        .collect();
    labels.join(" ")
}

fn packet(world: &mut World, word: &str) -> Verdict {
    let from_vm = word.starts_with('>');
    let (chunks, tag) = match word[1..].split_once('=') {
        Some((chunks, tag)) => (chunks, Some(tag.parse().unwrap())),
        None => (&word[1..], None),
    };
    let (own, other) = match from_vm {
        true => (VM_TAG, PEER_TAG),
        false => (PEER_TAG, VM_TAG),
    };
    let chunks: Vec<(u8, u8, Vec<u8>)> = chunks
        .split('+')
        .map(|chunk| {
            let kind = kind(chunk.trim_end_matches('!'));
            (kind, u8::from(chunk.ends_with('!')), content(kind, other))
        })
        .collect();
    let tag = tag.unwrap_or(if chunks[0].0 == INIT { 0 } else { own });
    let borrowed: Vec<_> = chunks
        .iter()
        .map(|(kind, flags, body)| (*kind, *flags, &body[..]))
        .collect();
    match from_vm {
        true => world.send(&sctp(VM, PEER, tag, &borrowed)),
        false => world.receive(&sctp(PEER, VM, tag, &borrowed)),
    }
}

fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Ok(Accept::New) => "NEW",
        Ok(Accept::Established) => "EST",
        Err(DropReason::InvalidSctp) => "INV",
        other => panic!("{other:?}"),
    }
}

/// The only association as `conntrack -L` prints it.
fn entry(world: &World) -> String {
    match world.flow() {
        None => "gone".into(),
        Some(flow) => {
            let state = State::from_number(flow.word().state()).as_str();
            let assured = if flow.word().assured() {
                " ASSURED"
            } else {
                ""
            };
            format!("{state} {}{assured}", world.lifetime())
        }
    }
}

fn check(text: &str, labels: &str, expected: &str) {
    let mut world = world();
    assert_eq!(say(&mut world, text), labels, "{text}");
    assert_eq!(entry(&world), expected, "{text}");
}

const HANDSHAKE: &str = ">INIT <INIT_ACK >COOKIE_ECHO <COOKIE_ACK ";

fn check_established(text: &str, labels: &str, expected: &str) {
    check(
        &[HANDSHAKE, text].concat(),
        &["NEW EST EST EST ", labels].concat(),
        expected,
    );
}

#[test]
fn an_association_is_opened_and_closed() {
    check(">INIT", "NEW", "CLOSED 10");
    check(">INIT <INIT_ACK", "NEW EST", "COOKIE_WAIT 3");
    check(
        ">INIT <INIT_ACK >COOKIE_ECHO",
        "NEW EST EST",
        "COOKIE_ECHOED 3",
    );
    check_established(">DATA", "EST", "ESTABLISHED 210 ASSURED");
    check_established(">SHUTDOWN", "EST", "SHUTDOWN_SENT 3 ASSURED");
    check_established("<SHUTDOWN", "EST", "SHUTDOWN_RECD 3 ASSURED");
    check_established(
        ">SHUTDOWN <SHUTDOWN_ACK",
        "EST EST",
        "SHUTDOWN_ACK_SENT 3 ASSURED",
    );
    check_established(
        ">SHUTDOWN <SHUTDOWN_ACK >SHUTDOWN_COMPLETE",
        "EST EST EST",
        "CLOSED 10 ASSURED",
    );
}

#[test]
fn chunks_come_together() {
    check(
        ">INIT <INIT_ACK >COOKIE_ECHO+DATA <COOKIE_ACK+DATA",
        "NEW EST EST EST",
        "ESTABLISHED 210 ASSURED",
    );
    check_established(">DATA+DATA+SHUTDOWN", "EST", "SHUTDOWN_SENT 3 ASSURED");
}

#[test]
fn some_chunks_stand_alone_or_first() {
    for alone in ["INIT", "INIT_ACK", "SHUTDOWN_COMPLETE"] {
        for together in [format!(">{alone}+DATA"), format!(">DATA+{alone}")] {
            check_established(&together, "INV", "ESTABLISHED 210 ASSURED");
        }
    }
    for first in ["COOKIE_ECHO", "COOKIE_ACK"] {
        check_established(&format!(">DATA+{first}"), "INV", "ESTABLISHED 210 ASSURED");
    }
}

#[test]
fn what_comes_out_of_the_blue_opens_nothing() {
    for chunk in [
        "ABORT",
        "SHUTDOWN_COMPLETE",
        "COOKIE_ACK",
        "DATA",
        "HEARTBEAT+DATA",
    ] {
        check(&format!(">{chunk}"), "INV", "gone");
    }
    check(">HEARTBEAT", "NEW", "HEARTBEAT_SENT 30");
    check(">SHUTDOWN_ACK", "NEW", "SHUTDOWN_ACK_SENT 3");
    check(">INIT=5", "INV", "gone");
    // Their tag cannot be known.
    for chunk in ["INIT_ACK", "SHUTDOWN", "ERROR", "COOKIE_ECHO"] {
        check(&format!(">{chunk}"), "INV", "gone");
        check(&format!(">{chunk}=0"), "NEW", "CLOSED 10");
    }
}

#[test]
fn the_tag_must_be_the_associations() {
    const SAME: &str = "ESTABLISHED 210 ASSURED";
    for chunk in [
        "DATA",
        "SHUTDOWN",
        "ERROR",
        "COOKIE_ECHO",
        "INIT_ACK",
        "ABORT",
    ] {
        check_established(&format!(">{chunk}=99"), "INV", SAME);
    }
    check_established("<DATA=8738", "INV", SAME);
    check_established(">INIT=99", "INV", SAME);
}

#[test]
fn an_abort_may_reflect_the_tag() {
    check_established(">ABORT", "EST", "CLOSED 10 ASSURED");
    // The peer's tag is 0x1111.
    check_established(">ABORT!=4369", "EST", "CLOSED 10 ASSURED");
    check_established(">ABORT=4369", "INV", "ESTABLISHED 210 ASSURED");
    check_established(">ABORT!", "INV", "ESTABLISHED 210 ASSURED");
}

#[test]
fn a_repeated_init_does_not_renew() {
    let mut world = world();
    assert_eq!(say(&mut world, ">INIT"), "NEW");
    world.wait(6);
    assert_eq!(say(&mut world, ">INIT"), "EST");
    assert_eq!(entry(&world), "CLOSED 4");
}

#[test]
fn an_init_ack_answers_an_init() {
    check(">INIT <INIT_ACK <INIT_ACK", "NEW EST EST", "COOKIE_WAIT 3");
    // Another tag for the VM than the one it was given.
    let mut world = world();
    say(&mut world, HANDSHAKE);
    let other = [(INIT_ACK, 0, &content(INIT_ACK, 77)[..])];
    let verdict = world.receive(&sctp(PEER, VM, PEER_TAG, &other));
    assert_eq!(verdict, Err(DropReason::InvalidSctp));
}

#[test]
fn another_path_takes_over_by_its_heartbeat() {
    let established = "ESTABLISHED 210 ASSURED";
    // The tags change when the other side answers.
    check_established(
        ">HEARTBEAT=7 <HEARTBEAT_ACK=8 >DATA=8",
        "EST EST INV",
        established,
    );
    check_established(
        ">HEARTBEAT=7 <HEARTBEAT_ACK=8 <DATA=8",
        "EST EST EST",
        established,
    );
    // Without the question, or by the same side, they do not.
    check_established("<HEARTBEAT_ACK=8", "INV", established);
    check_established(">HEARTBEAT=7 >HEARTBEAT_ACK=8", "EST INV", established);
    check_established(">HEARTBEAT+DATA=7", "INV", established);
}

#[test]
fn a_path_of_its_own_is_established_by_its_heartbeat() {
    check(
        ">HEARTBEAT=7 <HEARTBEAT_ACK=8",
        "NEW EST",
        "ESTABLISHED 210 ASSURED",
    );
    check(">HEARTBEAT=7 <HEARTBEAT=8", "NEW EST", "HEARTBEAT_SENT 30");
}

#[test]
fn a_packet_that_is_cut_short_is_invalid() {
    let init = sctp(VM, PEER, 0, &[(INIT, 0, &content(INIT, 1))]);
    for length in [12, 15, 16, 31] {
        let verdict = world().send(&init.clone().cut(length));
        assert_eq!(verdict, Err(DropReason::InvalidSctp), "{length} bytes");
    }
    assert_eq!(
        world().send(&init.clone().cut(3)),
        Err(DropReason::InvalidTransport)
    );
    assert_eq!(world().send(&init), Ok(Accept::New));
}

#[test]
fn a_chunk_without_a_length_is_invalid() {
    let mut world = world();
    say(&mut world, HANDSHAKE);
    let empty = sctp(VM, PEER, VM_TAG, &[(DATA, 0, &[0; 8])]).with(15, 0);
    assert_eq!(world.send(&empty), Err(DropReason::InvalidSctp));
}

#[test]
fn as_many_chunks_are_followed_as_the_kernel_can_prove() {
    for (count, verdict) in [
        (40, Ok(Accept::Established)),
        (41, Err(DropReason::InvalidSctp)),
    ] {
        let mut world = world();
        say(&mut world, HANDSHAKE);
        let data = [0; 4];
        let chunks: Vec<(u8, u8, &[u8])> = (0..count).map(|_| (DATA, 0, &data[..])).collect();
        assert_eq!(
            world.send(&sctp(VM, PEER, VM_TAG, &chunks)),
            verdict,
            "{count} chunks"
        );
    }
}

#[test]
fn what_moves_an_association_stands_among_the_first_chunks() {
    for (before, verdict) in [
        (3, Ok(Accept::Established)),
        (4, Err(DropReason::InvalidSctp)),
    ] {
        let mut world = world();
        say(&mut world, HANDSHAKE);
        let data = [0; 4];
        let mut chunks: Vec<(u8, u8, &[u8])> = (0..before).map(|_| (DATA, 0, &data[..])).collect();
        chunks.push((SHUTDOWN, 0, &data));
        assert_eq!(
            world.send(&sctp(VM, PEER, VM_TAG, &chunks)),
            verdict,
            "behind {before}"
        );
    }
}

proptest! {
    #[test]
    fn an_association_stays_one(
        packets in vec((any::<bool>(), 0_u32..4, vec((0_u8..16, 0_u8..2, select(vec![0_usize, 4, 16])), 0..4)), 1..30),
    ) {
        let mut flow = Flow::new(Hook::FromVm, 1, 9);
        for (reply, tag, chunks) in packets {
            let body = [0, 0, 0, tag as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let chunks: Vec<(u8, u8, &[u8])> =
                chunks.iter().map(|(kind, flags, length)| (*kind, *flags, &body[..*length])).collect();
            let packet = sctp(VM, PEER, tag, &chunks);
            let begun = flow.word().state() != State::None as u8;
            let side = if reply && begun { Side::Reply } else { Side::Original };
            let before = flow;
            let next = show(&mut flow, side, &packet);
            let (old, new) = (before.word(), flow.word());
            prop_assert!(new.state() <= State::HeartbeatSent as u8);
            prop_assert_eq!((new.nonce(), new.from_vm()), (old.nonce(), old.from_vm()));
            prop_assert!(new.assured() >= old.assured());
            prop_assert!(!chunks.is_empty() || matches!(next, Next::Invalid(_)));
            match next {
                Next::Refresh(lifetime) => {
                    prop_assert_eq!(lifetime, Settings::DEFAULT.sctp[new.state() as usize]);
                }
                Next::Keep => {}
                Next::Invalid(_) if !begun => flow = before,
                Next::Invalid(_) => {}
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
