//! Resets (RFC 5961, as nf_conntrack reads it).

use super::dialogue::{Dialogue, check, check_established};

const ESTABLISHED: &str = "ESTABLISHED 432000 ASSURED";
const CLOSE: &str = "CLOSE 10 ASSURED";
const SUSPECTED: &str = "ESTABLISHED 10 ASSURED";

#[test]
fn an_exact_reset_closes() {
    check_established(">R", "EST", CLOSE);
    check_established("<R", "EST", CLOSE);
    check_established("<RA", "EST", CLOSE);
}

#[test]
fn a_reset_below_what_was_acknowledged_is_invalid() {
    check_established("<R-1", "INV", ESTABLISHED);
    check_established(">R-1", "INV", ESTABLISHED);
    check_established("<A:100 >A <R-50", "EST EST INV", ESTABLISHED);
}

#[test]
fn a_reset_in_the_window_is_suspected() {
    check_established("<R+100", "EST", SUSPECTED);
    check_established(">R+100", "EST", SUSPECTED);
}

#[test]
fn an_ack_restores_a_suspected_connection() {
    // For five minutes only: the reset's number counts as data in flight.
    check_established("<R+100 >A", "EST EST", "ESTABLISHED 300 ASSURED");
    let mut dialogue = Dialogue::after(">S <SA >A <R+100");
    dialogue.world.wait(11);
    assert_eq!(dialogue.say("<A"), "NEW", "over, and picked up anew");
}

#[test]
fn a_reset_that_continues_its_own_segments_closes() {
    // Data that nobody has acknowledged, and the reset right behind it.
    check_established("<A:100 <R", "EST EST", CLOSE);
    check_established("<A:100 >A-0:10 <R", "EST EST EST", CLOSE);
    check_established(">A:100 >R", "EST EST", CLOSE);
}

#[test]
fn after_another_segment_the_reset_no_longer_continues() {
    // The other side speaks, but acknowledges less.
    check_established(
        "<A:100 >A^0 <A:50 >A-1^0 <R+7",
        "EST EST EST EST EST",
        SUSPECTED,
    );
}

#[test]
fn before_the_connection_is_proven_any_reset_in_sequence_closes() {
    check(">S <SA >R", "NEW EST EST", "CLOSE 10");
    check(">S <SA <R+100", "NEW EST EST", "CLOSE 10");
    check(">S <SA <R-1", "NEW EST EST", "CLOSE 10");
    check(">A <A >R+100", "NEW EST EST", "CLOSE 10");
    check(">A <A >R-1", "NEW EST INV", "ESTABLISHED 300");
}

#[test]
fn while_closing_no_reset_is_checked() {
    for (closing, resets) in [
        (">FA", "<R-500"),
        (">FA <A", ">R-500"),
        (">FA <A <FA >A", "<R-9"),
    ] {
        let mut dialogue = Dialogue::after(">S <SA >A");
        dialogue.say(closing);
        assert_eq!(dialogue.say(resets), "EST", "{closing} {resets}");
        assert_eq!(dialogue.entry(), CLOSE, "{closing} {resets}");
    }
}

#[test]
fn after_an_ignored_syn_no_reset_is_checked() {
    check_established(">S! <R-500", "EST EST", CLOSE);
}

#[test]
fn a_reset_that_nobody_answered_deletes() {
    check(">A >R", "NEW EST", "gone");
    check("<S <R", "NEW EST", "gone");
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_proves_nothing() {
    // Else a forged ACK would make the true resets invalid.
    check_established(">A^100000 <R", "EST EST", CLOSE);
}

#[test]
fn before_the_connection_is_proven_a_reset_of_number_zero_closes() {
    // The answer to a SYN that was let through. The VM's numbers begin at 1000.
    check("<A >R-1000", "NEW EST", "gone");
    // What the segment that was picked up acknowledges is not known to be sent, so it proves nothing.
    check("<A >R-999", "NEW EST", "gone");
}
