//! Answers without what differs from run to run, as `tests/openstack/normal.py` has them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// What is looked for in texts.
struct Patterns {
    request: Regex,
    id: Regex,
    time: Regex,
    mac: Regex,
    fixed: Regex,
    host: Regex,
    word: Regex,
    name: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    const ID: &str = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
    let pattern = |text: &str| Regex::new(text).unwrap();
    Patterns {
        request: pattern(&format!("req-{ID}")),
        id: pattern(ID),
        time: pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"),
        mac: pattern("fa:16:3e(:[0-9a-f]{2}){3}"),
        fixed: pattern(r#"(['"]?ip_address['"]?(?:=|: ?)['"])([0-9a-f:.]+)"#),
        host: pattern(r"http://127\.0\.0\.1:[0-9]+"),
        word: pattern("[0-9a-f:.-]+"),
        name: pattern(r"\$([a-z][A-Za-z0-9_]*)"),
    }
});

/// Lists whose order counts.
const ORDERED: [&str; 1] = ["dns_nameservers"];

/// What the requests of one run have named or written so far.
#[derive(Default)]
pub struct Names {
    saved: BTreeMap<String, String>,
    written: BTreeSet<String>,
}

impl Names {
    /// Takes note of what a request says.
    pub fn write(&mut self, text: &str) {
        let text = text.to_lowercase();
        let words = PATTERNS
            .word
            .find_iter(&text)
            .map(|word| word.as_str().to_owned());
        self.written.extend(words);
    }

    /// Takes note of an id.
    pub fn save(&mut self, name: &str, id: &str) {
        self.saved.insert(name.into(), id.into());
    }

    /// A text of a request, with ids in the place of names.
    pub fn fill(&self, text: &str) -> String {
        let fill = |found: &Captures<'_>| {
            let saved = self.saved.get(&found[1]);
            saved.map_or_else(|| found[0].to_owned(), String::clone)
        };
        PATTERNS.name.replace_all(text, fill).into_owned()
    }

    /// A text of an answer, with names in the place of ids.
    pub fn text(&self, text: &str) -> String {
        let named = |found: &Captures<'_>| {
            let mut saved = self.saved.iter();
            match saved.find(|(_, id)| **id == found[0]) {
                Some((name, _)) => format!("${name}"),
                None => self.chosen(&found[0], "<id>"),
            }
        };
        let mac = |found: &Captures<'_>| self.chosen(&found[0], "<mac>");
        let ip = |found: &Captures<'_>| format!("{}{}", &found[1], self.chosen(&found[2], "<ip>"));
        let text = PATTERNS.request.replace_all(text, "<request>");
        let text = PATTERNS.id.replace_all(&text, named);
        let text = PATTERNS.time.replace_all(&text, "<time>");
        let text = PATTERNS.mac.replace_all(&text, mac);
        let text = PATTERNS.fixed.replace_all(&text, ip);
        PATTERNS.host.replace_all(&text, "http://HOST").into_owned()
    }

    /// The same for a value.
    pub fn json(&self, value: &Value, key: &str, ordered: bool) -> Value {
        match value {
            Value::Object(fields) => {
                let fields = fields.iter();
                let fields =
                    fields.map(|(name, value)| (name.clone(), self.json(value, name, ordered)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
            Value::Array(rows) => {
                let mut rows: Vec<Value> =
                    rows.iter().map(|row| self.json(row, key, false)).collect();
                if !ordered && !ORDERED.contains(&key) {
                    rows.sort_by_key(Value::to_string);
                }
                rows.into()
            }
            _ if key == "standard_attr_id" => "<number>".into(),
            Value::String(ip) if key == "ip_address" => self.chosen(ip, "<ip>").into(),
            Value::String(text) => self.text(text).into(),
            other => other.clone(),
        }
    }

    /// What no request has written is one that the server has chosen.
    fn chosen(&self, value: &str, token: &str) -> String {
        match self.written.contains(&value.to_lowercase()) {
            true => value.into(),
            false => token.into(),
        }
    }
}

/// The objects of an answer.
pub fn objects(value: &Value) -> Vec<&Value> {
    let Some(fields) = value
        .as_object()
        .filter(|fields| !fields.contains_key("NeutronError"))
    else {
        return Vec::new();
    };
    match fields.values().next() {
        Some(Value::Array(rows)) => rows.iter().collect(),
        found => found.into_iter().collect(),
    }
}
