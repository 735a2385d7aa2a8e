//! The state tables cell by cell, from text.

use std::string::String;
use std::vec::Vec;

use crate::conntrack::tcp::{Room, State, first, next, opens, read};
use crate::conntrack::{Next, Terms};
use crate::hook::Hook;
use crate::layout::flow::{Flow, Side};
use crate::layout::settings::{Settings, Ticks};
use crate::reason::DropReason;
use crate::scratch::Scratch;
use crate::testing::packet::{Packet, tcp};
use crate::wire::ip::Extent;
use crate::wire::ipv4;

/// `tcp_conntracks` of the kernel. IV: invalid, IG: ignored; `*`: only if the old connection was closed
/// properly, else ignored.
const ORIGINAL: &str = "
    pkt     NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
    S       SS  SS  IG  IG  IG  IG  IG  SS* SS* S2
    SA      IV  IV  SR  IV  IV  IV  IV  IV  IV  SR
    FA      IV  IV  FW  FW  LA  LA  LA  TW  CL  IV
    A       ES  IV  ES  ES  CW  CW  TW  TW  CL  IV
    R       IV  CL  CL  CL  CL  CL  CL  CL  CL  CL
    -       IV  IV  IV  IV  IV  IV  IV  IV  IV  IV";

const REPLY: &str = "
    pkt     NO  SS  SR  ES  FW  CW  LA  TW  CL  S2
    S       IV  S2  IV  IV  IV  IV  IV  SS* IV  S2
    SA      IV  SR  IG  IG  IG  IG  IG  IG  IG  SR
    FA      IV  IV  FW  FW  LA  LA  LA  TW  CL  IV
    A       IV  IG  SR  ES  CW  CW  TW  TW  CL  IG
    R       IV  CL  CL  CL  CL  CL  CL  CL  CL  CL
    -       IV  IV  IV  IV  IV  IV  IV  IV  IV  IV";

fn name(state: u8) -> &'static str {
    ["NO", "SS", "SR", "ES", "FW", "CW", "LA", "TW", "CL", "S2"][state as usize]
}

/// Shows a segment to a flow.
pub(super) fn show(flow: &mut Flow, side: Side, packet: &Packet) -> Next {
    show_at(flow, side, packet, &Settings::DEFAULT, 0)
}

/// Shows a segment to a flow at a time.
pub(super) fn show_at(
    flow: &mut Flow,
    side: Side,
    packet: &Packet,
    settings: &Settings,
    now: Ticks,
) -> Next {
    let bytes = packet.bytes();
    let mut ip = Scratch::EMPTY.ip;
    assert!(ipv4::parse(&bytes[..], 0, Extent::Whole, &mut ip));
    let mut room = Room::EMPTY;
    let terms = Terms { settings, now };
    read(&mut room, &bytes[..], &ip);
    next(flow, &mut room, side, &terms)
}

/// The connection that begins with a segment, and how long it lives.
pub(super) fn reach(packet: &Packet, settings: &Settings) -> Result<(Flow, Ticks), DropReason> {
    let bytes = packet.bytes();
    let mut ip = Scratch::EMPTY.ip;
    assert!(ipv4::parse(&bytes[..], 0, Extent::Whole, &mut ip));
    let (mut flow, mut room) = (Flow::new(Hook::FromVm, 1, 0), Room::EMPTY);
    read(&mut room, &bytes[..], &ip);
    opens(&room, settings)?;
    let lifetime = first(&mut flow, &mut room, settings);
    Ok((flow, lifetime))
}

/// An answered connection in a state, of whose segments nothing is remembered.
fn in_state(state: u8, closed_properly: bool) -> Flow {
    const NO_CLASS: u8 = 5;
    let mut flow = Flow::new(Hook::FromVm, 1, 0);
    flow.change(|word| {
        word.set_state(state);
        word.set_seen_reply(true);
        word.set_last_class(NO_CLASS);
        word.set_close_initiated(Side::Original, closed_properly);
    });
    flow
}

/// What the tracker says, in the words of the table.
fn outcome(state: u8, side: Side, flags: &str, closed_properly: bool) -> String {
    let mut flow = in_state(state, closed_properly);
    let packet = tcp("10.0.0.5:1", "192.0.2.1:2").flags(flags);
    let unchanged = |flow: &Flow| assert_eq!(flow.word().state(), state);
    let word = match show(&mut flow, side, &packet) {
        Next::Invalid(reason) => {
            let expected = match flags {
                "" => DropReason::InvalidTcpFlags,
                _ => DropReason::InvalidTcpState,
            };
            assert_eq!(reason, expected);
            unchanged(&flow);
            "IV"
        }
        Next::Keep => {
            unchanged(&flow);
            "IG"
        }
        Next::Reopen => "SS",
        Next::Refresh(_) => name(flow.word().state()),
        Next::Delete => "deleted",
    };
    word.into()
}

#[test]
fn every_cell_is_the_kernels() {
    let mut cells = 0;
    for (side, table) in [(Side::Original, ORIGINAL), (Side::Reply, REPLY)] {
        for line in table.lines().skip(2) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let flags = words[0].trim_matches('-');
            for (state, cell) in words[1..].iter().enumerate() {
                let what = format!("{side:?} {flags:?} in {}", name(state as u8));
                let found = outcome(state as u8, side, flags, true);
                assert_eq!(found, cell.trim_end_matches('*'), "{what}");
                if cell.ends_with('*') {
                    let found = outcome(state as u8, side, flags, false);
                    assert_eq!(found, "IG", "{what}, not closed properly");
                }
                cells += 1;
            }
        }
    }
    assert_eq!(cells, 120);
}

#[test]
fn a_connection_begins_with_a_syn_or_in_the_middle() {
    let begin = |flags: &str, settings: &Settings| {
        let packet = tcp("10.0.0.5:1", "192.0.2.1:2").flags(flags);
        reach(&packet, settings).map(|(flow, _)| name(flow.word().state()))
    };
    let loose = Settings::DEFAULT;
    let strict = Settings {
        switches: 0,
        ..loose
    };
    for flags in ["S", "SU", "SP", "SEC"] {
        assert_eq!(begin(flags, &loose), Ok("SS"), "{flags}");
        assert_eq!(begin(flags, &strict), Ok("SS"), "{flags}");
    }
    for flags in ["A", "AP", "AU", "APU"] {
        assert_eq!(begin(flags, &loose), Ok("ES"), "{flags}");
        assert_eq!(
            begin(flags, &strict),
            Err(DropReason::InvalidTcpState),
            "{flags}"
        );
    }
    for flags in ["SA", "FA", "R", "RA"] {
        assert_eq!(
            begin(flags, &loose),
            Err(DropReason::InvalidTcpState),
            "{flags}"
        );
    }
}

#[test]
fn only_these_combinations_of_flags_are_valid() {
    // Without PSH, ECE and CWR, which may be set on any.
    let valid = ["S", "SU", "SA", "R", "RA", "FA", "FAU", "A", "AU"];
    let bits = |letters: &str| {
        let bit = |letter| 1u8 << "FSRPAUEC".find(letter).unwrap();
        letters.chars().map(bit).sum::<u8>()
    };
    let valid: Vec<u8> = valid.iter().map(|letters| bits(letters)).collect();
    for flags in 0..=255u8 {
        let mut flow = in_state(State::Established as u8, false);
        let packet = tcp("10.0.0.5:1", "192.0.2.1:2").with(13, flags);
        let outcome = show(&mut flow, Side::Original, &packet);
        let refused = outcome == Next::Invalid(DropReason::InvalidTcpFlags);
        assert_eq!(
            !refused,
            valid.contains(&(flags & !bits("PEC"))),
            "{flags:#04x}"
        );
    }
}
