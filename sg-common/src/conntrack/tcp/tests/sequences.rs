//! Conversations that were played to nf_conntrack.

use super::dialogue::{Dialogue, check, check_established};

const ESTABLISHED: &str = "ESTABLISHED 432000 ASSURED";

#[test]
fn a_handshake() {
    check(">S", "NEW", "SYN_SENT 120 UNREPLIED");
    check(">S <SA", "NEW EST", "SYN_RECV 60");
    check(">S <SA >A", "NEW EST EST", ESTABLISHED);
    check("<S >SA <A", "NEW EST EST", ESTABLISHED);
}

#[test]
fn a_refused_connection_is_gone() {
    check(">S <RA", "NEW EST", "gone");
    check(">S >R", "NEW EST", "gone");
}

#[test]
fn an_ack_before_the_answer_is_invalid() {
    check(">S >A", "NEW INV", "SYN_SENT 120 UNREPLIED");
    check(">S >FA", "NEW INV", "SYN_SENT 120 UNREPLIED");
    check(">S <FA", "NEW INV", "SYN_SENT 120 UNREPLIED");
}

#[test]
fn a_challenge_ack_leaves_the_syn_sent() {
    check(">S <A", "NEW EST", "SYN_SENT 120");
}

#[test]
fn a_syn_on_an_established_connection_is_let_through_by_its_opener_only() {
    check_established(">S!", "EST", ESTABLISHED);
    check_established("<S!", "INV", ESTABLISHED);
}

#[test]
fn a_syn_ack_from_the_wrong_side_is_invalid() {
    check_established(">SA", "INV", ESTABLISHED);
}

#[test]
fn a_connection_closes() {
    check_established(">FA", "EST", "FIN_WAIT 120 ASSURED");
    check_established(">FA <A", "EST EST", "CLOSE_WAIT 60 ASSURED");
    check_established(">FA <A <FA", "EST EST EST", "LAST_ACK 30 ASSURED");
    check_established(">FA <A <FA >A", "EST EST EST EST", "TIME_WAIT 120 ASSURED");
    check_established("<FA >A >FA <A", "EST EST EST EST", "TIME_WAIT 120 ASSURED");
    check_established(">FA <FA >A", "EST EST EST", "TIME_WAIT 120 ASSURED");
}

#[test]
fn a_closed_connection_is_opened_anew_from_either_side() {
    let closed = ">FA <A <FA >A";
    for (syn, from_vm) in [(">S!", true), ("<S!", false)] {
        let mut dialogue = Dialogue::after(">S <SA >A");
        dialogue.say(closed);
        assert_eq!(dialogue.say(syn), "NEW");
        assert_eq!(dialogue.entry(), "SYN_SENT 120 UNREPLIED");
        assert_eq!(dialogue.world.flow().unwrap().word().from_vm(), from_vm);
        assert_eq!(dialogue.world.stored(), (0, 1, 0));
    }
}

#[test]
fn a_reset_connection_is_opened_anew() {
    check_established(">R >S!", "EST NEW", "SYN_SENT 120 UNREPLIED");
}

#[test]
fn a_simultaneous_open() {
    check(">S <S", "NEW EST", "SYN_SENT2 120");
    check(">S <S >SA <SA", "NEW EST EST EST", "SYN_RECV 60");
    check(">S <S >SA <A", "NEW EST EST EST", ESTABLISHED);
}

#[test]
fn without_a_simultaneous_open_the_answerer_ack_establishes_nothing() {
    check(">S <SA <A", "NEW EST EST", "SYN_RECV 60");
}

#[test]
fn a_connection_is_picked_up_in_the_middle() {
    check(">A", "NEW", "ESTABLISHED 300 UNREPLIED");
    check(">A <A", "NEW EST", "ESTABLISHED 300");
    check(">A <A >A", "NEW EST EST", ESTABLISHED);
    check("<A:10 >A <A", "NEW EST EST", ESTABLISHED);
}

#[test]
fn an_old_segment_is_let_through() {
    check_established(">A-5000:10", "EST", ESTABLISHED);
}
