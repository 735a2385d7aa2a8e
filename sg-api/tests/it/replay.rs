//! What a real Neutron has answered, request by request, is answered here in the same way; what is wanted otherwise
//! is listed with its reason.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

use crate::common::{Server, store};
use crate::normal::{self, Names};

/// Where the answers are kept, and the reasons.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/openstack")
}

/// A difference that is wanted.
struct Wanted {
    topic: String,
    request: Regex,
    left: Option<Regex>,
    right: Option<Regex>,
    only: Option<Regex>,
}

impl Wanted {
    fn all() -> Vec<Self> {
        let text = fs::read_to_string(folder().join("expected.toml")).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let rows = table.get("difference").and_then(toml::Value::as_array);
        rows.into_iter().flatten().map(Self::of).collect()
    }

    fn of(row: &toml::Value) -> Self {
        let text = |name: &str| row.get(name).and_then(toml::Value::as_str);
        let pattern = |name: &str| text(name).map(|text| Regex::new(text).unwrap());
        Self {
            topic: text("topic").unwrap_or_default().into(),
            request: pattern("request").unwrap_or_else(|| Regex::new("").unwrap()),
            left: pattern("left"),
            right: pattern("right"),
            only: pattern("only"),
        }
    }

    fn explains(&self, topic: &str, title: &str, left: &[String], right: &[String]) -> bool {
        let has = |pattern: &Option<Regex>, lines: &[String]| {
            let has = |pattern: &Regex| lines.iter().any(|line| pattern.is_match(line));
            pattern.as_ref().is_none_or(has)
        };
        let is_only = |pattern: &Regex| {
            let mut lines = left.iter().chain(right);
            lines.all(|line| pattern.is_match(line))
        };
        topic.contains(&self.topic)
            && self.request.is_match(title)
            && has(&self.left, left)
            && has(&self.right, right)
            && self.only.as_ref().is_none_or(is_only)
    }
}

/// An answer as lines: its status, the headers that count, and its body.
fn lines(entry: &Value) -> Vec<String> {
    let mut lines = vec![entry["status"].to_string()];
    for (name, value) in entry["headers"].as_object().into_iter().flatten() {
        lines.push(format!("{name}: {}", value.as_str().unwrap_or_default()));
    }
    let body = serde_json::to_string_pretty(&entry["body"]).unwrap();
    lines.extend(
        body.lines()
            .map(|line| line.trim_end_matches(',').to_owned()),
    );
    lines
}

/// Addresses that happen to be ones that a request has written count as drawn where Neutron has drawn some.
fn drawn(lines: Vec<String>, others: &[String]) -> Vec<String> {
    let is_ip = |line: &String| line.trim_start().starts_with("\"ip_address\": ");
    let is_drawn = |line: &&String| is_ip(line) && line.contains("<ip>");
    let mut missing = others.iter().filter(is_drawn).count();
    missing = missing.saturating_sub(lines.iter().filter(is_drawn).count());
    let drawn = |line: String| match is_ip(&line) && !others.contains(&line) && missing > 0 {
        true => {
            missing -= 1;
            let indent = line.len() - line.trim_start().len();
            format!("{}\"ip_address\": \"<ip>\"", " ".repeat(indent))
        }
        false => line,
    };
    lines.into_iter().map(drawn).collect()
}

/// The lines of one that the other has not.
fn without(lines: &[String], others: &[String]) -> Vec<String> {
    let mut others = others.to_vec();
    let is_new = |line: &&String| match others.iter().position(|other| other == *line) {
        Some(place) => {
            others.swap_remove(place);
            false
        }
        None => true,
    };
    lines.iter().filter(is_new).cloned().collect()
}

async fn answered(server: &Server, names: &mut Names, request: &Value) -> Value {
    let text = |name: &str| request[name].as_str();
    let (method, path) = (text("method").unwrap(), text("path").unwrap());
    let filled = names.fill(path);
    let body = text("body").map(|body| names.fill(body));
    names.write(&format!("{path} {}", text("body").unwrap_or_default()));
    let headers: Vec<(&str, &str)> = request["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect();
    let answer = server.ask(method, &filled, &headers, body.as_deref()).await;
    let value = match serde_json::from_slice(&answer.body) {
        Ok(value) => value,
        Err(_) if answer.body.is_empty() => Value::Null,
        Err(_) => String::from_utf8_lossy(&answer.body).into_owned().into(),
    };
    let saved = request["save"].as_array().into_iter().flatten();
    for (name, object) in saved.zip(normal::objects(&value)) {
        names.save(name.as_str().unwrap(), object["id"].as_str().unwrap());
    }
    let mut shown = serde_json::Map::new();
    for name in ["Allow", "Content-Type", "Location", "WWW-Authenticate"] {
        if let Some(value) = answer.headers.get(name) {
            shown.insert(name.into(), names.text(value.to_str().unwrap()).into());
        }
    }
    serde_json::json!({
        "status": answer.status,
        "headers": shown,
        "body": names.json(&value, "", path.contains("sort_key")),
    })
}

#[tokio::test]
async fn recorded_requests_are_answered_as_neutron_answered_them() {
    let wanted = Wanted::all();
    let mut topics: Vec<PathBuf> = fs::read_dir(folder().join("recorded/raw"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    topics.sort();
    let (mut asked, mut differences) = (0, Vec::new());
    for path in topics {
        let stem = path.file_stem().unwrap().to_string_lossy();
        let topic = format!("raw/{stem}");
        let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let (_folder, store) = store();
        let server = Server::before(&store).await;
        let mut names = Names::default();
        for entry in record["entries"].as_array().unwrap() {
            asked += 1;
            let request = &entry["request"];
            let answer = answered(&server, &mut names, request).await;
            let (left, right) = (lines(entry), lines(&answer));
            let right = drawn(right, &left);
            let (left, right) = (without(&left, &right), without(&right, &left));
            let title = ["method", "path", "body"].map(|part| request[part].as_str());
            let title: Vec<&str> = title.into_iter().flatten().collect();
            let title = title.join(" ");
            let is_same = left.is_empty() && right.is_empty();
            let is_wanted = |wanted: &Wanted| wanted.explains(&topic, &title, &left, &right);
            if !is_same && !wanted.iter().any(is_wanted) {
                differences.push(format!("{topic}: {title}\n  - {left:?}\n  + {right:?}"));
            }
        }
    }
    assert!(asked > 1000, "{asked}");
    assert!(
        differences.is_empty(),
        "{} of {asked}:\n{}",
        differences.len(),
        differences.join("\n")
    );
}
