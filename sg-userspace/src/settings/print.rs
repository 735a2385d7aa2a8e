//! Settings as a settings file: what `sgctl settings` prints.

use std::fmt::Write;

use serde_json::Value;

use super::{Key, StartKey, audit, from_vm, logs};
use crate::view::SettingView;

/// Prints settings with what they are for. Read again it comes to the same settings.
pub fn to_toml(settings: &[SettingView]) -> String {
    let (mut text, mut section) = (String::new(), "");
    for setting in settings {
        let (of, name) = setting.key.rsplit_once('.').unwrap_or(("", &setting.key));
        if of != section {
            let _ = write!(text, "\n[{of}]\n");
            section = of;
        }
        let doc = Key::find(&setting.key).map(|key| key.doc);
        let doc = doc
            .or(from_vm::doc(&setting.key))
            .or(audit::doc(&setting.key))
            .or(logs::doc(&setting.key));
        let option = StartKey::find(&setting.key).map(|key| key.option);
        let option = option.map(|option| format!("As `sgd run --{option}`"));
        let doc = doc.map_or(option.unwrap_or_default(), Into::into);
        let _ = writeln!(text, "# {doc}{}", instead_of(setting));
        let _ = writeln!(text, "{name} = {}", toml(&setting.value));
    }
    text
}

/// A value as TOML has it; tables of a list stand in a line each.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<_> = fields
                .map(|(name, value)| format!("{name} = {}", toml(value)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let items = items.iter();
            let items: String = items.map(|item| format!("    {},\n", toml(item))).collect();
            format!("[\n{items}]")
        }
        other => other.to_string(),
    }
}

fn instead_of(setting: &SettingView) -> String {
    match setting.value == setting.default {
        true => String::new(),
        false => format!(". Default: {}", setting.default),
    }
}
