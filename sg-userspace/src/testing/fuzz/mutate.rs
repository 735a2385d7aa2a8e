//! Changes that leave most of an input as it was.

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::corpus::Input;

/// The longest that an input becomes.
const LONGEST: usize = 1 << 16;

/// One of these with some of its bytes changed.
pub fn bytes(seeds: Vec<Input>) -> impl Strategy<Value = Input> {
    let changes = vec(change(seeds.clone()), 0..6);
    (select(seeds), changes).prop_map(|(Input(mut bytes), changes)| {
        changes.iter().for_each(|change| change.apply(&mut bytes));
        bytes.truncate(LONGEST);
        Input(bytes)
    })
}

/// One of those that are JSON with some of its values changed.
pub fn json(seeds: Vec<Input>) -> impl Strategy<Value = Input> {
    let values: Vec<Value> = seeds
        .iter()
        .filter_map(|seed| serde_json::from_slice(&seed.0).ok())
        .collect();
    let twists = vec((any::<Index>(), twist(&values)), 1..5);
    (select(values), twists).prop_map(|(mut value, twists)| {
        for (place, twist) in twists {
            twist.apply(&mut value, place);
        }
        Input(value.to_string().into_bytes())
    })
}

#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    /// A part of the input once more.
    Repeat(Index, Index, usize),
    Cut(Index),
}

fn change(seeds: Vec<Input>) -> impl Strategy<Value = Change> {
    let edge = select(vec![0, 1, 4, 6, 0x0f, 0x40, 0x45, 0x7f, 0x80, 0xfe, 0xff]);
    // A part of another input.
    let part = (select(seeds), any::<Index>(), 1..64usize);
    let part = part.prop_map(|(Input(bytes), at, length)| {
        let at = at.index(bytes.len() + 1);
        bytes[at..].iter().take(length).copied().collect()
    });
    let piece = prop_oneof![part, vec(any::<u8>(), 1..8)];
    prop_oneof![
        (any::<Index>(), prop_oneof![any::<u8>(), edge]).prop_map(|(at, to)| Change::Set(at, to)),
        (any::<Index>(), 0..8u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (any::<Index>(), 1..32usize).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<Index>(), piece).prop_map(|(at, piece)| Change::Insert(at, piece)),
        (any::<Index>(), any::<Index>(), 1..256usize)
            .prop_map(|(at, from, length)| Change::Repeat(at, from, length)),
        any::<Index>().prop_map(Change::Cut),
    ]
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Set(at, to) => bytes[at.index(length)] = *to,
            Self::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
            Self::Remove(at, count) => {
                let at = at.index(length);
                bytes.drain(at..length.min(at + count));
            }
            Self::Insert(at, piece) => {
                let at = at.index(length);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Repeat(at, from, count) => {
                let from = from.index(length);
                let part = bytes[from..length.min(from + count)].to_vec();
                let at = at.index(length);
                bytes.splice(at..at, part);
            }
            Self::Cut(at) => bytes.truncate(at.index(length)),
        }
    }
}

#[derive(Clone, Debug)]
enum Twist {
    /// Another value in its place.
    Replace(Value),
    /// The field or the element is not there.
    Remove,
    /// The element is there more than once.
    Again,
    /// The field has another name.
    Rename(String),
}

fn twist(values: &[Value]) -> impl Strategy<Value = Twist> + use<> {
    let mut parts = Vec::new();
    let mut names = vec!["".to_owned(), "remote_ip_prefx".into(), "\u{202e}".into()];
    for value in values {
        walk(value, &mut parts, &mut names);
    }
    prop_oneof![
        select(odd()).prop_map(Twist::Replace),
        any::<i64>().prop_map(|number| Twist::Replace(number.into())),
        select(parts).prop_map(Twist::Replace),
        Just(Twist::Remove),
        Just(Twist::Again),
        select(names).prop_map(Twist::Rename),
    ]
}

/// All that is within, and the names of all fields.
fn walk(value: &Value, parts: &mut Vec<Value>, names: &mut Vec<String>) {
    parts.push(value.clone());
    match value {
        Value::Array(list) => list.iter().for_each(|value| walk(value, parts, names)),
        Value::Object(fields) => {
            for (name, value) in fields {
                names.push(name.clone());
                walk(value, parts, names);
            }
        }
        _ => {}
    }
}

/// Values at the edges of what fields take.
fn odd() -> Vec<Value> {
    let deep = (0..120).fold(json!(0), |inner, _| json!([inner]));
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(255),
        json!(256),
        json!(65_535),
        json!(65_536),
        json!(4_294_967_295_u64),
        json!(u64::MAX),
        json!(1.5),
        json!(""),
        json!(" "),
        json!("any"),
        json!("0.0.0.0/0"),
        json!("::/0"),
        json!("::ffff:10.0.0.5"),
        json!("10.0.0.5/33"),
        json!("fe80::1%eth0"),
        json!("255.255.255.255"),
        json!("\u{0}\n\u{1b}[2J"),
        json!("x".repeat(3000)),
        json!([]),
        json!({}),
        json!([[]]),
        deep,
    ]
}

impl Twist {
    fn apply(self, value: &mut Value, place: Index) {
        let mut pointers = Vec::new();
        point(value, String::new(), &mut pointers);
        let pointer = place.get(&pointers).clone();
        let Some((outer, key)) = pointer.rsplit_once('/') else {
            if let Self::Replace(with) = self {
                *value = with;
            }
            return;
        };
        let key = key.replace("~1", "/").replace("~0", "~");
        match (self, value.pointer_mut(outer)) {
            (Self::Replace(with), Some(Value::Array(list))) => {
                list[key.parse::<usize>().unwrap()] = with;
            }
            (Self::Replace(with), Some(outer)) => outer[key] = with,
            (Self::Remove, Some(Value::Array(list))) => drop(list.remove(key.parse().unwrap())),
            (Self::Remove, Some(Value::Object(fields))) => drop(fields.remove(&key)),
            (Self::Again, Some(Value::Array(list))) => {
                let again = list[key.parse::<usize>().unwrap()].clone();
                list.push(again);
            }
            (Self::Rename(name), Some(Value::Object(fields))) => {
                if let Some(value) = fields.remove(&key) {
                    fields.insert(name, value);
                }
            }
            _ => {}
        }
    }
}

/// The JSON pointers (RFC 6901) of all that is within.
fn point(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                point(value, format!("{at}/{index}"), pointers);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                point(value, format!("{at}/{name}"), pointers);
            }
        }
        _ => {}
    }
    pointers.push(at);
}
