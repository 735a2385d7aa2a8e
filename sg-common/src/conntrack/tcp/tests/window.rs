//! Windows that are enforced, and what is let through where they are not.

use super::dialogue::Dialogue;

const ESTABLISHED: &str = "ESTABLISHED 432000 ASSURED";

/// After a handshake in which both windows are 64,240 bytes: says a conversation, once with enforced
/// windows and once without, and compares labels and entry.
fn check(text: &str, strict: (&str, &str), liberal: (&str, &str)) {
    for (mut dialogue, (labels, entry)) in
        [(Dialogue::strict(), strict), (Dialogue::new(), liberal)]
    {
        dialogue.say(">S <SA >A");
        assert_eq!(dialogue.say(text), labels, "{text}");
        assert_eq!(dialogue.entry(), entry, "{text}");
    }
}

#[test]
fn what_fits_is_taken() {
    let both = ("EST EST EST EST", ESTABLISHED);
    check(">A:100 <A >A:1000 <A", both, both);
}

#[test]
fn data_beyond_the_window_is_invalid() {
    check(">A+200000:10", ("INV", ESTABLISHED), ("EST", ESTABLISHED));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_invalid() {
    check(">A^1", ("INV", ESTABLISHED), ("EST", ESTABLISHED));
    check(">A^9000000", ("INV", ESTABLISHED), ("EST", ESTABLISHED));
}

#[test]
fn a_segment_from_below_the_window_is_ignored() {
    for (mut dialogue, entry) in [
        (Dialogue::strict(), "ESTABLISHED 431900 ASSURED"),
        (Dialogue::new(), ESTABLISHED),
    ] {
        dialogue.say(">S <SA >A");
        dialogue.world.wait(100);
        assert_eq!(dialogue.say(">A-3000000:1"), "EST");
        assert_eq!(dialogue.entry(), entry);
    }
}

#[test]
fn a_very_late_acknowledgement_is_ignored() {
    // 200,000 bytes that were acknowledged on their way.
    let text = ">A:60000 <A >A:60000 <A >A:60000 <A";
    for (mut dialogue, entry) in [
        (Dialogue::strict(), "ESTABLISHED 431900 ASSURED"),
        (Dialogue::new(), ESTABLISHED),
    ] {
        dialogue.say(">S <SA >A");
        dialogue.say(text);
        dialogue.world.wait(100);
        assert_eq!(dialogue.say("<Av100000"), "EST");
        assert_eq!(dialogue.entry(), entry);
    }
}

#[test]
fn a_little_more_than_the_window_is_ignored_but_may_be_acknowledged() {
    // The window ends 64,240 bytes behind the handshake.
    let overshot = ">A:64240 >A:100";
    check(
        overshot,
        ("EST EST", "ESTABLISHED 300 ASSURED"),
        ("EST EST", "ESTABLISHED 300 ASSURED"),
    );
    let mut dialogue = Dialogue::strict();
    dialogue.say(">S <SA >A");
    dialogue.say(overshot);
    assert_eq!(dialogue.say("<A"), "EST");
    assert_eq!(dialogue.entry(), ESTABLISHED);
}

#[test]
fn a_side_whose_connection_was_picked_up_is_not_held_to_its_window() {
    let mut dialogue = Dialogue::strict();
    assert_eq!(dialogue.say(">A <A >A"), "NEW EST EST");
    assert_eq!(dialogue.say(">A+900000:10 <A^900000"), "EST EST");
}

#[test]
fn a_reset_outside_of_the_window_is_invalid() {
    check(
        "<R+200000",
        ("INV", ESTABLISHED),
        ("EST", "ESTABLISHED 10 ASSURED"),
    );
}

#[test]
fn both_sides_that_end_outside_of_the_windows_shorten_its_life() {
    let mut dialogue = Dialogue::strict();
    dialogue.say(">S <SA >A");
    assert_eq!(dialogue.say("<R+200000"), "INV");
    assert_eq!(dialogue.say("<R+200000"), "INV", "the same side again");
    assert_eq!(dialogue.entry(), ESTABLISHED);
    assert_eq!(dialogue.say(">FA+200000"), "INV");
    assert_eq!(dialogue.entry(), "ESTABLISHED 300 ASSURED");
    assert_eq!(dialogue.say("<R+200000"), "INV");
    assert_eq!(dialogue.entry(), "ESTABLISHED 300 ASSURED", "never longer");
}

#[test]
fn data_outside_of_the_windows_shorten_nothing() {
    let mut dialogue = Dialogue::strict();
    dialogue.say(">S <SA >A");
    assert_eq!(dialogue.say("<A+200000:1 >A+200000:1"), "INV INV");
    assert_eq!(dialogue.entry(), ESTABLISHED);
}

#[test]
fn resets_out_of_sequence_may_be_let_through() {
    use crate::layout::settings::switch::TCP_IGNORE_INVALID_RST;
    let mut dialogue = Dialogue::after(">S <SA >A");
    dialogue.world.memory.settings.switches |= TCP_IGNORE_INVALID_RST;
    assert_eq!(dialogue.say("<R-50"), "EST");
    assert_eq!(
        dialogue.entry(),
        "ESTABLISHED 10 ASSURED",
        "but does not close"
    );
}
