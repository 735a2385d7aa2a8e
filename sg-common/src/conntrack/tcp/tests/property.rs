//! Whatever two sides say, in whatever order. `PROPTEST_CASES=1000000 cargo test -p sg-common property`
//! makes a long fuzzing run of this and its like.

use proptest::collection::vec;
use proptest::prelude::{any, prop_oneof, proptest};
use proptest::sample::select;
use proptest::strategy::{Just, Strategy};
use proptest::{prop_assert, prop_assert_eq};

use super::table::{reach, show_at};
use crate::conntrack::Next;
use crate::conntrack::tcp::State;
use crate::layout::flow::{Flow, Side};
use crate::layout::settings::{Settings, switch};
use crate::reason::DropReason;
use crate::testing::packet::{Packet, tcp};

/// Numbers that are likely to matter, and any others.
fn numbers() -> impl Strategy<Value = u32> {
    prop_oneof![
        8 => (0u32..8).prop_map(|step| 1000 + step * 100),
        2 => Just(0),
        2 => (0u32..200_000).prop_map(|far| 1000u32.wrapping_sub(far)),
        1 => any::<u32>(),
    ]
}

fn segments() -> impl Strategy<Value = (bool, Packet)> {
    let flags = select(vec!["S", "SA", "A", "AP", "FA", "R", "RA", "", "SF"]);
    let options = select(vec![
        vec![],
        vec![2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7],
        vec![1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![5, 10, 0, 0, 3, 0xe8, 0, 0, 4, 0x4c],
        vec![5, 200, 1],
    ]);
    let parts = (
        any::<bool>(),
        flags,
        numbers(),
        numbers(),
        0u16..3,
        0usize..150,
        options,
    );
    parts.prop_map(|(reply, flags, sequence, ack, window, data, options)| {
        let packet = tcp("10.0.0.5:1", "192.0.2.1:2")
            .flags(flags)
            .numbers(sequence, ack)
            .window(window * 30_000)
            .options(&options)
            .data(data);
        (reply, packet)
    })
}

proptest! {
    #[test]
    fn a_connection_stays_one(
        strict in any::<bool>(),
        ignore in any::<bool>(),
        conversation in vec(segments(), 1..40),
    ) {
        let mut settings = Settings::DEFAULT;
        settings.switches |= if strict { switch::TCP_STRICT } else { 0 };
        settings.switches |= if ignore { switch::TCP_IGNORE_INVALID_RST } else { 0 };
        let mut flow: Option<Flow> = None;
        for (reply, packet) in conversation {
            let Some(mut known) = flow else {
                flow = reach(&packet, &settings).ok().map(|(flow, lifetime)| {
                    assert!(lifetime > 0 && lifetime <= settings.tcp_unacknowledged);
                    assert!(!flow.word().assured() && !flow.word().seen_reply());
                    flow
                });
                continue;
            };
            let side = if reply { Side::Reply } else { Side::Original };
            let before = known;
            let next = show_at(&mut known, side, &packet, &settings, 0);
            let (old, new) = (before.word(), known.word());
            prop_assert!(new.state() > State::None as u8 && new.state() <= State::SynSent2 as u8);
            prop_assert_eq!(new.nonce(), old.nonce());
            prop_assert_eq!(new.from_vm(), old.from_vm());
            prop_assert!(new.assured() >= old.assured(), "never taken back");
            prop_assert!(!new.assured() || old.seen_reply(), "only with an answer");
            match next {
                Next::Refresh(lifetime) => {
                    prop_assert!(settings.tcp.contains(&lifetime)
                        || lifetime == settings.tcp_unacknowledged
                        || lifetime == settings.tcp_max_retrans_timeout);
                }
                Next::Keep => {
                    let retransmitted = old.state() == State::SynSent as u8;
                    prop_assert!(new.state() == old.state() || retransmitted);
                }
                Next::Invalid(reason) => {
                    prop_assert_eq!(new.state(), old.state());
                    prop_assert_eq!(new.assured(), old.assured());
                    if reason == DropReason::InvalidTcpWindow {
                        prop_assert!(strict);
                    } else {
                        prop_assert_eq!(known, before, "{:?} changes nothing", reason);
                    }
                }
                Next::Delete => prop_assert!(!old.seen_reply()),
                Next::Reopen => prop_assert!(old.state() >= State::TimeWait as u8),
            }
            flow = match next {
                Next::Delete | Next::Reopen => None,
                Next::Invalid(_) => Some(known),
                _ => {
                    known.change(|word| word.set_seen_reply(word.seen_reply() || reply));
                    Some(known)
                }
            };
        }
    }
}
