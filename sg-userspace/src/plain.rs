//! Text that others chose, as a terminal and a log may show it.
//!
//! Names, ids and values are written by tenants and read by operators. A newline in one could forge a
//! line of the log, an escape sequence could move the cursor, and a mark of direction could turn the text
//! around. All that is shown, but JSON, passes here: answers before they are laid out and once more when
//! they are written, errors, and the fields of the log.

use std::{
    fmt,
    io::{self, Write},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tracing::field::Field;
use tracing_subscriber::fmt::{FormatFields, format};

/// The text with control and format characters escaped as Rust does, `\n` or `\u{1b}`. Letters of every
/// script and quotes stay as they are; a backslash does too, so that text may pass here twice.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for piece in text.split_inclusive(STANDARD_ESCAPES_TOO) {
        let body = piece.trim_end_matches(STANDARD_ESCAPES_TOO);
        plain.extend(body.escape_debug());
        plain.push_str(&piece[body.len()..]);
    }
    plain
}

/// What [`str::escape_debug`] escapes for the sake of Rust's syntax.
const STANDARD_ESCAPES_TOO: [char; 3] = ['"', '\'', '\\'];

/// The same for text that is laid out in lines.
pub fn plain_lines(text: &str) -> String {
    let line = |line: &str| plain(line.trim_end_matches('\n')) + if_ends(line);
    text.split_inclusive('\n').map(line).collect()
}

fn if_ends(line: &str) -> &'static str {
    if line.ends_with('\n') { "\n" } else { "" }
}

/// An answer with every string in it [`plain`]; `None` if it is so already.
///
/// # Errors
///
/// When the answer has no JSON form, or another one than it is read from.
pub fn plain_answer<T>(answer: &T) -> serde_json::Result<Option<T::Owned>>
where
    T: Serialize + ToOwned + ?Sized,
    T::Owned: DeserializeOwned,
{
    // Most answers are, and lists of connections are long.
    let mut looked_at = Looked { is_plain: true };
    serde_json::to_writer(&mut looked_at, answer)?;
    if looked_at.is_plain {
        return Ok(None);
    }
    let mut value = serde_json::to_value(answer)?;
    make_plain(&mut value);
    serde_json::from_value(value).map(Some)
}

fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) => *text = plain(text),
        Value::Array(list) => list.iter_mut().for_each(make_plain),
        Value::Object(fields) => fields.values_mut().for_each(make_plain),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether the JSON written to it is printable ASCII without an escape: then all strings in it are plain.
struct Looked {
    is_plain: bool,
}

impl Write for Looked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
        self.is_plain &= bytes.iter().all(is_plain);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The fields of log lines, made plain.
pub fn log_fields() -> impl for<'a> FormatFields<'a> + 'static {
    format::debug_fn(log_field)
}

fn log_field(line: &mut format::Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = plain(&format!("{value:?}"));
    match field.name() {
        "message" => write!(line, "{value}"),
        // Where in the code a line of the `log` crate comes from.
        name if name.starts_with("log.") => Ok(()),
        name => write!(line, " {name}={value}"),
    }
}

#[cfg(test)]
mod tests;
