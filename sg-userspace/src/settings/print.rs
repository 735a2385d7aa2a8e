//! Settings as a settings file: what `sgctl settings` prints.

use std::fmt::Write;

use super::{Key, StartKey, audit, from_vm};
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
            .or(audit::doc(&setting.key));
        let option = StartKey::find(&setting.key).map(|key| key.option);
        let option = option.map(|option| format!("As `sgd run --{option}`"));
        let doc = doc.map_or(option.unwrap_or_default(), Into::into);
        let _ = writeln!(text, "# {doc}{}", instead_of(setting));
        let _ = writeln!(text, "{name} = {}", setting.value);
    }
    text
}

fn instead_of(setting: &SettingView) -> String {
    match setting.value == setting.default {
        true => String::new(),
        false => format!(". Default: {}", setting.default),
    }
}
