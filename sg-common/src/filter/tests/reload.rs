//! Settings are one element of a map, which a packet may read while it is written.

use proptest::prelude::{any, prop_assert, proptest};
use proptest::sample::select;
use proptest::strategy::Strategy;

use super::property::{frames, world};
use crate::hook::Hook;
use crate::layout::settings::{Settings, ethertypes, ticks};
use crate::reason::Verdict;

/// Bytes that are never seen half written.
const WORD: usize = 4;

fn settings() -> impl Strategy<Value = Settings> {
    let list = select(vec![
        [ethertypes::ANY, 0],
        [0, 0],
        [0x8035, 0],
        [0x888e, 0x8035],
        [ethertypes::LENGTH, 0x9000],
    ]);
    (any::<u32>(), list, 1..10_000u64).prop_map(|(switches, list, seconds)| {
        let mut settings = Settings {
            switches,
            udp: ticks(seconds),
            assured_per_port: seconds as u32,
            ..Settings::DEFAULT
        };
        settings.ethertypes = [0; ethertypes::MOST];
        settings.ethertypes[..2].copy_from_slice(&list);
        settings
    })
}

fn judge(settings: &Settings, hook: Hook, frame: &[u8]) -> Verdict {
    let mut world = world();
    world.memory.settings = *settings;
    world.judge(hook, frame)
}

proptest! {
    #[test]
    fn a_packet_that_meets_half_of_new_settings_is_judged_by_the_old_or_the_new(
        old in settings(), new in settings(), ethertype in select(vec![None, Some(0x8035u16), Some(0x9000)]),
        frame in select(frames()), from_vm in any::<bool>(),
    ) {
        let mut frame = frame;
        if let Some(ethertype) = ethertype {
            frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
        }
        let hook = if from_vm { Hook::FromVm } else { Hook::ToVm };
        let either = [&old, &new].map(|settings| judge(settings, hook, &frame));
        for written in (0..size_of::<Settings>()).step_by(WORD) {
            let mut torn = old;
            let (torn_bytes, new_bytes) = (bytemuck::bytes_of_mut(&mut torn), bytemuck::bytes_of(&new));
            torn_bytes[..written].copy_from_slice(&new_bytes[..written]);
            let verdict = judge(&torn, hook, &frame);
            prop_assert!(either.contains(&verdict), "{verdict:?} at {written}, not {either:?}");
        }
    }
}
