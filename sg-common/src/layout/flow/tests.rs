use proptest::prelude::{any, proptest};
use proptest::prop_assert_eq;

use super::*;

type Change = fn(&mut Word);

/// Every part of the word, with all its bits set.
const PARTS: [(&str, Change); 24] = [
    ("state", |word| word.set_state(15)),
    ("last_class", |word| word.set_last_class(7)),
    ("last_from_reply", |word| word.set_last_from_reply(true)),
    ("retransmissions", |word| word.set_retransmissions(255)),
    ("from_vm", |word| word.set_from_vm(true)),
    ("seen_reply", |word| word.set_seen_reply(true)),
    ("assured", |word| word.set_assured(true)),
    ("revoked", |word| word.set_revoked(true)),
    ("simultaneous_open", |word| word.set_simultaneous_open(true)),
    ("expect_challenge_ack", |word| {
        word.set_expect_challenge_ack(true)
    }),
    ("source_vouched", |word| word.set_source_vouched(true)),
    ("close_initiated 0", |word| {
        word.set_close_initiated(Side::Original, true)
    }),
    ("close_initiated 1", |word| {
        word.set_close_initiated(Side::Reply, true)
    }),
    ("max_ack_known 0", |word| {
        word.set_max_ack_known(Side::Original, true)
    }),
    ("max_ack_known 1", |word| {
        word.set_max_ack_known(Side::Reply, true)
    }),
    ("liberal 0", |word| word.set_liberal(Side::Original, true)),
    ("liberal 1", |word| word.set_liberal(Side::Reply, true)),
    ("unacknowledged 0", |word| {
        word.set_unacknowledged(Side::Original, true)
    }),
    ("unacknowledged 1", |word| {
        word.set_unacknowledged(Side::Reply, true)
    }),
    ("sack_permitted 0", |word| {
        word.set_sack_permitted(Side::Original, true)
    }),
    ("sack_permitted 1", |word| {
        word.set_sack_permitted(Side::Reply, true)
    }),
    ("scaling 0", |word| word.set_scaling(Side::Original, true)),
    ("scaling 1", |word| word.set_scaling(Side::Reply, true)),
    ("foreign_heartbeat", |word| word.set_foreign_heartbeat(true)),
];

#[test]
fn the_parts_of_the_word_do_not_overlap() {
    let mut taken = 0;
    for (name, set) in PARTS {
        let mut word = Word(0);
        set(&mut word);
        assert_ne!(word.0, 0, "{name}");
        assert_eq!(word.0 & taken, 0, "{name} overlaps");
        assert_eq!(word.nonce(), 0, "{name} is in the nonce");
        let mut full = Word(u64::MAX);
        set(&mut full);
        assert_eq!(full.0, u64::MAX, "{name} clears what is not its own");
        taken |= word.0;
    }
}

#[test]
fn a_part_is_read_as_it_was_written_and_can_be_cleared() {
    let mut word = Word(u64::MAX);
    word.set_state(9);
    word.set_last_class(4);
    word.set_retransmissions(2);
    word.set_revoked(false);
    word.set_unacknowledged(Side::Reply, false);
    assert_eq!(
        (word.state(), word.last_class(), word.retransmissions()),
        (9, 4, 2)
    );
    assert!(!word.revoked() && word.assured());
    assert!(!word.unacknowledged(Side::Reply) && word.unacknowledged(Side::Original));
    assert_eq!(word.nonce(), 0xff_ffff);
}

#[test]
fn the_side_is_told_by_the_hook_and_the_opener() {
    for (opener, sender, side) in [
        (Hook::FromVm, Hook::FromVm, Side::Original),
        (Hook::FromVm, Hook::ToVm, Side::Reply),
        (Hook::ToVm, Hook::ToVm, Side::Original),
        (Hook::ToVm, Hook::FromVm, Side::Reply),
    ] {
        assert_eq!(Flow::new(opener, 1, 7).side(sender), side);
    }
    assert_eq!(Flow::new(Hook::ToVm, 1, 7).word().nonce(), 7);
}

proptest! {
    #[test]
    fn the_narrow_key_loses_nothing(
        slot in 0..=Whose::LAST_SLOT,
        addresses in any::<([u8; 4], [u8; 4])>(),
        ports in any::<[u16; 2]>(),
        protocol in any::<u8>(),
        asks in any::<bool>(),
    ) {
        let (local, remote) = addresses;
        let whose = Whose::new(slot, protocol, Family::V4, asks);
        let key = FlowKey::new(whose, [from_v4(local), from_v4(remote)], ports);
        prop_assert_eq!(key.narrow().widen(), key);
        prop_assert_eq!(key.narrow().widen().narrow(), key.narrow());
    }

    #[test]
    fn no_two_kinds_of_connections_are_in_one_word(
        one in (0..=Whose::LAST_SLOT, any::<u8>(), any::<bool>(), any::<bool>()),
        other in (0..=Whose::LAST_SLOT, any::<u8>(), any::<bool>(), any::<bool>()),
    ) {
        let whose = |(slot, protocol, v6, asks)| {
            let family = if v6 { Family::V6 } else { Family::V4 };
            let whose = Whose::new(slot, protocol, family, asks);
            assert_eq!((whose.slot(), whose.protocol(), whose.family()), (slot, protocol, family));
            whose
        };
        prop_assert_eq!(whose(one) == whose(other), one == other);
    }
}
