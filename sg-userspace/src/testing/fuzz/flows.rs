//! An export of connections that somebody has edited: whatever of it is taken cannot be told from what the
//! filter itself has stored.

use sg_common::layout::flow::Word;
use sg_common::layout::settings::passed;

use crate::flows::FlowDocument;

const SLOT: u32 = 9;

fn check(text: &[u8]) {
    let document = match FlowDocument::parse(text) {
        Ok(document) => document,
        Err(error) => {
            assert!(!error.is_empty());
            return;
        }
    };
    let again = serde_json::to_vec(&document).unwrap();
    assert_eq!(FlowDocument::parse(&again).as_ref(), Ok(&document));
    for record in &document.flows {
        assert_eq!(record.key(SLOT).slot(), SLOT, "of no other port");
        for now in [0, 1, i32::MAX as u32, u32::MAX] {
            for age in [0, 1, record.expires - 1, record.expires, i32::MAX as u32] {
                for nonce in [0, 1, 1 << 24, u32::MAX] {
                    let Some(flow) = record.flow(now, age, nonce) else {
                        assert!(passed(record.expires, age));
                        continue;
                    };
                    let word = flow.word();
                    assert!(flow.lives(now), "{flow:?}");
                    assert!(word != Word::ENDED && word != Word::CLAIMED && word.nonce() != 0);
                    assert_eq!(flow.generation, 0, "it is judged at its first packet");
                    assert!(!word.revoked() && !word.source_vouched());
                }
            }
        }
    }
}

super::target!("flows", check, json);
