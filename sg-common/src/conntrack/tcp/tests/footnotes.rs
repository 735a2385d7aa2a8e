//! The footnotes of the state tables.

use super::dialogue::{Dialogue, check_established};

const ESTABLISHED: &str = "ESTABLISHED 432000 ASSURED";
const CLOSING: &str = ">FA <A <FA";

#[test]
fn a_connection_that_was_reset_reopens_for_the_side_that_reset_it() {
    check_established(">R >S!", "EST NEW", "SYN_SENT 120 UNREPLIED");
    check_established("<R <S!", "EST INV", "CLOSE 10 ASSURED");
    // The peer has reset it: the opener's SYN is let through, and the answer resynchronises.
    check_established("<R >S!", "EST EST", "CLOSE 10 ASSURED");
    check_established("<R >S! <SA!", "EST EST EST", "SYN_RECV 60 ASSURED");
}

#[test]
fn an_ignored_syn_does_not_refresh() {
    let mut dialogue = Dialogue::after(">S <SA >A >FA");
    dialogue.world.wait(100);
    assert_eq!(dialogue.say(">S!"), "EST");
    assert_eq!(dialogue.entry(), "FIN_WAIT 20 ASSURED");
}

#[test]
fn a_syn_ack_that_answers_an_ignored_syn_resynchronises() {
    check_established(">S! <SA!", "EST EST", "SYN_RECV 60 ASSURED");
    check_established(">S! <SA! >A", "EST EST EST", ESTABLISHED);
}

#[test]
fn a_syn_ack_that_answers_something_else_is_ignored() {
    check_established("<SA", "EST", ESTABLISHED);
    check_established(">S! <SA^7", "EST EST", ESTABLISHED);
}

#[test]
fn what_resynchronised_is_followed_by_the_new_numbers() {
    let mut dialogue = Dialogue::after(">S <SA >A >S! <SA! >A");
    assert_eq!(dialogue.say("<R-50"), "INV", "a reset of the old numbers");
    assert_eq!(dialogue.say("<R"), "EST");
    assert_eq!(dialogue.entry(), "CLOSE 10 ASSURED");
}

#[test]
fn a_challenge_ack_does_not_answer_the_last_fin() {
    let mut dialogue = Dialogue::after(">S <SA >A");
    dialogue.say(CLOSING);
    assert_eq!(dialogue.say(">S!"), "EST");
    assert_eq!(dialogue.entry(), "LAST_ACK 30 ASSURED");
    assert_eq!(dialogue.say("<A"), "EST", "the challenge");
    assert_eq!(dialogue.entry(), "LAST_ACK 30 ASSURED");
    assert_eq!(dialogue.say("<A"), "EST", "only one is");
    assert_eq!(dialogue.entry(), "TIME_WAIT 120 ASSURED");
}

#[test]
fn an_ack_of_the_side_that_sent_the_ignored_syn_is_no_challenge() {
    let mut dialogue = Dialogue::after(">S <SA >A");
    dialogue.say(CLOSING);
    assert_eq!(dialogue.say(">S! >A"), "EST EST");
    assert_eq!(dialogue.entry(), "TIME_WAIT 120 ASSURED");
}

#[test]
fn the_side_of_the_first_fin_is_remembered() {
    use crate::layout::flow::Side;
    for (fin, side) in [(">FA", Side::Original), ("<FA", Side::Reply)] {
        let mut dialogue = Dialogue::after(">S <SA >A");
        dialogue.say(fin);
        let word = dialogue.world.flow().unwrap().word();
        assert!(word.close_initiated(side));
        assert!(!word.close_initiated(side.other()));
    }
}

#[test]
fn what_resynchronised_has_forgotten_what_was_acknowledged() {
    let entry = "CLOSE 10 ASSURED";
    check_established(">S! <SA-200000 <R-199999", "EST EST EST", entry);
}
