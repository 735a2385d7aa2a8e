//! An inventory: it is refused as a whole, or all of it is read or named.

use crate::compile::{Limits, compile};
use crate::model::parse;
use crate::testing::local;

fn check(text: &[u8]) {
    let parsed = match parse(text) {
        Ok(parsed) => parsed,
        Err(malformed) => {
            assert!(!malformed.to_string().is_empty());
            return;
        }
    };
    assert_eq!(
        parse(text).ok().as_ref(),
        Some(&parsed),
        "the same each time"
    );
    for fault in &parsed.faults {
        assert!(fault.to_string().len() < 10_000 + text.len());
    }
    let compiled = compile(&parsed.inventory, &local, &Limits::default());
    let places = compiled.image.ports.len();
    assert!(places <= parsed.inventory.ports.len() + parsed.inventory.closed.len());
}

super::target!("inventory", check, json);
