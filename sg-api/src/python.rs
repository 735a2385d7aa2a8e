//! Values as Python writes them: the texts of Neutron's errors name what was sent so, and clients show them.

use serde_json::Value;

/// As `str()` has it.
pub fn str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// As `repr()` has it.
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<String> = fields
                .map(|(name, value)| format!("{}: {}", quoted(name), repr(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}

/// A list of texts.
pub fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items
        .into_iter()
        .map(|item| quoted(item.as_ref()))
        .collect();
    format!("[{}]", items.join(", "))
}

fn quoted(text: &str) -> String {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut quoted = String::from(quote);
    for character in text.chars() {
        match character {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            _ if character == quote => {
                quoted.push('\\');
                quoted.push(quote);
            }
            _ if character.is_control() => {
                quoted.push_str(&format!("\\x{:02x}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push(quote);
    quoted
}

/// As `int()` reads it; `None` where it raises.
pub fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(bool) => Some(i64::from(*bool)),
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|float| float.trunc() as i64)),
        Value::String(text) => int_of(text),
        _ => None,
    }
}

/// The same for a text. Lines between digits part them.
pub fn int_of(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_group =
        |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = digits.split('_').all(is_group);
    is_number
        .then(|| text.replace('_', "").parse().ok())
        .flatten()
}

/// As oslo's `bool_from_string` reads it when it is strict.
pub fn bool(value: &Value) -> Option<bool> {
    if let Value::Bool(bool) = value {
        return Some(*bool);
    }
    let text = str(value);
    match text.trim().to_lowercase().as_str() {
        "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
        "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
        _ => None,
    }
}

/// Whether a condition takes it for true.
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(bool) => *bool,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        let value = json!({"a": [null, true, 1, "it's"], "b": "x\n"});
        assert_eq!(
            repr(&value),
            r#"{'a': [None, True, 1, "it's"], 'b': 'x\n'}"#
        );
        assert_eq!(str(&json!("plain")), "plain");
    }

    #[test]
    fn a_number_is_read_from_what_python_reads_one_from() {
        assert_eq!(int(&json!(" 80 ")), Some(80));
        assert_eq!(int(&json!("+8_0")), Some(80));
        assert_eq!(int(&json!("8__0")), None);
        assert_eq!(int(&json!("_80")), None);
        assert_eq!(int(&json!(80.5)), Some(80));
        assert_eq!(int(&json!(true)), Some(1));
        assert_eq!(int(&json!("80.5")), None);
        assert_eq!(int(&json!([])), None);
    }

    #[test]
    fn a_truth_is_read_from_many_words_and_from_no_others() {
        assert_eq!(bool(&json!("Yes")), Some(true));
        assert_eq!(bool(&json!(0)), Some(false));
        assert_eq!(bool(&json!(2)), None);
        assert_eq!(bool(&json!(null)), None);
    }
}
