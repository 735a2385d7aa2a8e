//! The sweep: which stored connections are removed, and how often they are looked at.
//!
//! A look-up takes what has expired for absent, so the sweep decides nothing about packets: it makes
//! room, and keeps the clock from wrapping (after half of 52 days an expiry that has passed would look
//! like one to come).
//!
//! Every assured connection has one *turn* in a queue. The sweep takes some turns from its head at every
//! step; a connection that lives gets back in line. So a step is short however large the tables are, and
//! the work goes on where it stopped. nf_conntrack's worker does the same over its buckets (`gc_worker`,
//! `net/netfilter/nf_conntrack_core.c`). Only the sweep removes assured connections, and it removes the
//! turn with the entry: the number of turns is the number of entries.
//!
//! Tables that evict are walked through, slot by slot; that also finds what they have evicted.

use crate::conntrack::tcp::State;
use crate::layout::flow::Word;
use crate::layout::settings::{EXPIRY_STEP, Ticks, passed, ticks};
use crate::layout::sweep::Room;
use crate::wire::protocol;

/// Turns of each family in one step.
pub const TURNS: u32 = 128;

/// How long it takes until every assured connection had its turn, in nanoseconds.
pub const ROUND: u64 = 30_000_000_000;

/// The same while there is little room.
pub const ROUND_PRESSED: u64 = 5_000_000_000;

/// The longest time between two steps, in nanoseconds.
pub const SLOWEST: u64 = 1_000_000_000;

/// The shortest.
pub const FASTEST: u64 = 1_000_000;

/// Every so often the tables of some slots are walked through.
pub const WALK: Ticks = ticks(1);

/// Slots of one walk, at most.
pub const WALK_SLOTS: u32 = 64;

/// What one walk costs, in entries: none is begun at a slot after so much.
pub const WALK_COST: u32 = 8192;

/// What a table costs that is empty: its buckets are looked into.
pub const TABLE_COST: u32 = 128;

/// Entries of one table that a walk looks at. It cannot go on where another stopped, but what it removes
/// makes way for what comes after it, and these tables evict what is in nobody's way.
pub const TABLE_VISITS: u32 = 8192;

/// In one of so many rounds it goes to the end of every table, long before the clock wraps.
pub const ROUNDS_TO_END: u32 = 16;

/// Whether room is to be made in a hurry.
#[inline(always)]
pub const fn is_pressed(rooms: &[Room; 2], refused: bool) -> bool {
    refused || rooms[0].fuller_than(80) || rooms[1].fuller_than(80)
}

/// Nanoseconds until the next step.
#[inline(always)]
pub const fn pause(rooms: &[Room; 2], pressed: bool) -> u64 {
    let most = match rooms[0].used > rooms[1].used {
        true => rooms[0].used,
        false => rooms[1].used,
    };
    let round = match pressed {
        true => ROUND_PRESSED,
        false => ROUND,
    };
    if most == 0 {
        return SLOWEST;
    }
    match round * TURNS as u64 / most as u64 {
        pause if pause > SLOWEST => SLOWEST,
        pause if pause < FASTEST => FASTEST,
        pause => pause,
    }
}

/// Whether an entry can be removed. What has expired gets a moment more: a packet that found it alive is
/// then done with it.
#[inline(always)]
pub const fn is_over(word: u64, expires: Ticks, now: Ticks) -> bool {
    word == Word::ENDED.0 || passed(expires.wrapping_add(EXPIRY_STEP), now)
}

/// Whether an assured connection makes room for others when there is hardly any: it is closing
/// (`nf_conntrack_tcp_can_early_drop`).
#[inline(always)]
pub const fn gives_way(transport: u8, word: u64) -> bool {
    transport == protocol::TCP
        && matches!(
            State::from_number(Word(word).state()),
            State::FinWait | State::LastAck | State::TimeWait | State::Close | State::CloseWait
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Room = Room {
        used: 0,
        capacity: 262_144,
    };

    fn room(used: u32) -> Room {
        Room { used, ..EMPTY }
    }

    #[test]
    fn every_connection_has_its_turn_within_the_round() {
        for used in [1, 100, 10_000, 262_144, 1 << 20] {
            for (pressed, round) in [(false, ROUND), (true, ROUND_PRESSED)] {
                let pause = pause(&[room(used), EMPTY], pressed);
                let steps = u64::from(used.div_ceil(TURNS));
                let longest = round.max(steps * FASTEST) + SLOWEST;
                assert!(
                    steps * pause <= longest,
                    "{used} take {steps} steps of {pause} ns"
                );
            }
        }
    }

    #[test]
    fn every_table_is_walked_to_its_end_long_before_an_expiry_looks_like_one_to_come() {
        // A walk is at one slot at least, however much is in it.
        let slots = 100_000;
        let longest = u64::from(ROUNDS_TO_END) * slots * u64::from(WALK);
        assert!(longest < i32::MAX as u64, "{longest} ticks");
    }

    #[test]
    fn an_empty_table_is_looked_at_once_in_a_second() {
        assert_eq!(pause(&[EMPTY; 2], false), SLOWEST);
    }

    #[test]
    fn the_sweep_hurries_when_a_table_is_four_fifths_full_or_refuses() {
        assert!(!is_pressed(&[room(262_144 / 5 * 4), EMPTY], false));
        assert!(is_pressed(&[EMPTY, room(262_144 / 5 * 4 + 100)], false));
        assert!(is_pressed(&[EMPTY; 2], true));
    }

    #[test]
    fn an_entry_is_over_a_moment_after_it_expired_or_when_it_has_ended() {
        let alive = 1 << 32;
        assert!(!is_over(alive, 100, 100 + EXPIRY_STEP - 1));
        assert!(is_over(alive, 100, 100 + EXPIRY_STEP));
        assert!(is_over(alive, u32::MAX - 5, EXPIRY_STEP));
        assert!(is_over(Word::ENDED.0, 1000, 0));
    }

    #[test]
    fn only_closing_tcp_gives_way() {
        let word = |state: State| {
            let mut word = Word(0);
            word.set_state(state as u8);
            word.0
        };
        assert!(gives_way(protocol::TCP, word(State::TimeWait)));
        assert!(!gives_way(protocol::TCP, word(State::Established)));
        assert!(!gives_way(protocol::UDP, word(State::TimeWait)));
    }
}
