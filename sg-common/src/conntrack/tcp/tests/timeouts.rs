//! How long a connection lives.

use super::dialogue::{Dialogue, check, check_established};

const ESTABLISHED: &str = "ESTABLISHED 432000 ASSURED";

#[test]
fn data_in_flight_has_five_minutes() {
    check_established(">A:100", "EST", "ESTABLISHED 300 ASSURED");
    check_established(">A:100 <A", "EST EST", ESTABLISHED);
    check_established(">A:100 <A:200", "EST EST", "ESTABLISHED 300 ASSURED");
    check_established(">A:100 <A:200 >A", "EST EST EST", ESTABLISHED);
}

#[test]
fn shorter_timeouts_stay_short_with_data_in_flight() {
    check_established(">FA:100", "EST", "FIN_WAIT 120 ASSURED");
}

#[test]
fn a_closed_window_has_five_minutes() {
    check_established("<Aw0", "EST", "ESTABLISHED 300 ASSURED");
    check_established("<Aw0 <Aw500", "EST EST", ESTABLISHED);
}

#[test]
fn three_retransmissions_leave_five_minutes() {
    // The window keeps the first from being a repetition of the handshake's.
    check_established(">Aw9 >~ >~", "EST EST EST", ESTABLISHED);
    check_established(
        ">Aw9 >~ >~ >~",
        "EST EST EST EST",
        "ESTABLISHED 300 ASSURED",
    );
    check_established(">Aw9 >~ >~ >~ <A", "EST EST EST EST EST", ESTABLISHED);
}

#[test]
fn the_operator_sets_how_many_retransmissions() {
    let mut dialogue = Dialogue::new();
    dialogue.world.memory.settings.tcp_max_retrans = 20;
    dialogue.say(">S <SA >A >Aw9");
    for _ in 0..19 {
        assert_eq!(dialogue.say(">~"), "EST");
    }
    assert_eq!(dialogue.entry(), ESTABLISHED);
    assert_eq!(dialogue.say(">~"), "EST");
    assert_eq!(dialogue.entry(), "ESTABLISHED 300 ASSURED");
}

#[test]
fn a_repeated_syn_does_not_renew() {
    let mut dialogue = Dialogue::after(">S");
    dialogue.world.wait(100);
    assert_eq!(dialogue.say(">S >S"), "EST EST");
    assert_eq!(dialogue.entry(), "SYN_SENT 20 UNREPLIED");
    dialogue.world.wait(21);
    assert_eq!(dialogue.say(">S"), "NEW");
    assert_eq!(dialogue.entry(), "SYN_SENT 120 UNREPLIED");
}

#[test]
fn picked_up_and_not_answered_has_five_minutes() {
    check(">A >A:10 >A:10", "NEW EST EST", "ESTABLISHED 300 UNREPLIED");
}

#[test]
fn every_segment_renews() {
    let mut dialogue = Dialogue::after(">S <SA >A");
    dialogue.world.wait(86_400);
    assert_eq!(dialogue.entry(), "ESTABLISHED 345600 ASSURED");
    assert_eq!(dialogue.say("<A"), "EST");
    assert_eq!(dialogue.entry(), ESTABLISHED);
}

#[test]
fn a_renewal_by_less_than_a_second_is_not_written() {
    let mut dialogue = Dialogue::after(">S <SA >A <A");
    let clock = &dialogue.world.memory.clock;
    clock.set(clock.get() + crate::layout::settings::EXPIRY_STEP / 2);
    let before = dialogue.world.flow().unwrap().expires;
    dialogue.say("<A");
    assert_eq!(dialogue.world.flow().unwrap().expires, before);
}

#[test]
fn the_operators_timeouts_hold() {
    use crate::conntrack::tcp::State;
    let mut dialogue = Dialogue::new();
    let settings = &mut dialogue.world.memory.settings;
    settings.tcp[State::Established as usize] = crate::layout::settings::ticks(1_000);
    settings.tcp_unacknowledged = crate::layout::settings::ticks(50);
    dialogue.say(">S <SA >A");
    assert_eq!(dialogue.entry(), "ESTABLISHED 1000 ASSURED");
    dialogue.say(">A:10");
    assert_eq!(dialogue.entry(), "ESTABLISHED 50 ASSURED");
}
