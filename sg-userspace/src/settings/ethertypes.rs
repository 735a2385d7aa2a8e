//! Which ethertypes pass beside those of IP and ARP.

use serde_json::Value;
use sg_common::layout::settings::ethertypes::{ANY, LENGTH, MOST};
use sg_common::wire::ethernet::{ethertype, is_length, is_tag};

const EVERY: &str = "any";
const NONE: &str = "none";

/// Which values there are, for people.
pub(super) const VALUES: &str = "\"any\", \"none\", or up to 16 ethertypes as in [\"0x8035\"], \
     \"0x05ff\" for all frames with a length instead; IP, ARP and VLAN tags are no matter of it";
const _: () = assert!(MOST == 16);

/// Reads a value of the settings file, for [`sg_common::layout::settings::Settings::ethertypes`].
pub(super) fn of(value: &Value) -> Option<[u16; MOST]> {
    let mut list = [0; MOST];
    match value {
        Value::String(word) if word == EVERY => list[0] = ANY,
        Value::String(word) if word == NONE => {}
        Value::Array(items) if items.len() <= MOST => {
            for (place, item) in list.iter_mut().zip(items) {
                *place = number(item)?;
            }
        }
        _ => return None,
    }
    Some(list)
}

/// As in the settings file.
pub(super) fn value(list: &[u16; MOST]) -> Value {
    if list[0] == ANY {
        return EVERY.into();
    }
    let given = list.iter().filter(|one| **one != 0);
    let words: Vec<Value> = given.map(|one| format!("{one:#06x}").into()).collect();
    match words.is_empty() {
        true => NONE.into(),
        false => words.into(),
    }
}

/// A number in hexadecimal digits, as Neutron has it, or TOML's own.
fn number(item: &Value) -> Option<u16> {
    let number = match item {
        Value::String(text) => u16::from_str_radix(text.strip_prefix("0x")?, 16).ok()?,
        other => other.as_u64()?.try_into().ok()?,
    };
    let judged = matches!(number, ethertype::IPV4 | ethertype::IPV6 | ethertype::ARP);
    let none = is_length(number) && number != LENGTH || number == ANY;
    (!judged && !none && !is_tag(number)).then_some(number)
}
