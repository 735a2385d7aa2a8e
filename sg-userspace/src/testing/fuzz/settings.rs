//! A settings file: it is refused as a whole, or says what its printed form says.

use sg_common::layout::settings::Settings;

use crate::settings::{Mistake, Wanted, to_toml, views};

/// Connections that the table of a node holds.
const ROOM: u32 = 262_144;

fn check(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    match Wanted::parse(text) {
        Ok(wanted) => {
            let settings = wanted.settings(ROOM);
            let printed = to_toml(&views(
                &settings,
                &Settings::DEFAULT,
                &wanted.from_vm,
                &wanted.audit,
                &wanted.logs,
            ));
            let again = Wanted::parse(&printed).unwrap_or_else(|e| panic!("{e}: {printed}"));
            assert_eq!(again.settings(ROOM), settings, "{printed}");
            assert_eq!(again.from_vm, wanted.from_vm, "{printed}");
            assert_eq!(again.audit, wanted.audit, "{printed}");
        }
        Err(malformed) => {
            let lines = text.split('\n').count();
            let is_there = |mistake: &Mistake| (1..=lines).contains(&mistake.line);
            assert!(malformed.0.iter().all(is_there), "{malformed}");
        }
    }
}

super::target!("settings", check);
