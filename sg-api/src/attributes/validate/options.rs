//! DHCP options of a port.

use serde_json::Value;

use super::whole_list;
use crate::error::{ApiError, Result};
use crate::python;

/// What may be without a value.
const BLANK_OPTIONS: [&str; 2] = ["router", "classless-static-route"];

/// What is wrong with the options of a port.
pub(super) fn options(value: &Value) -> Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    match whole_list(value, option) {
        Some(reason) => Err(ApiError::input(reason)),
        None => Ok(None),
    }
}

fn option(option: &Value) -> Option<String> {
    let unfit = |option: &Value| format!("No valid key specs matched for: {}", python::str(option));
    if !has_name_and_value(option) {
        return Some(unfit(option));
    }
    let version = option.get("ip_version")?;
    // It is read when the rest is right, and told as it was read.
    match python::int(version) {
        Some(4 | 6) => None,
        Some(version) => {
            let mut option = option.clone();
            option["ip_version"] = version.into();
            Some(unfit(&option))
        }
        None => Some(format!("'{}' is not an integer", python::str(version))),
    }
}

fn has_name_and_value(option: &Value) -> bool {
    let Some(fields) = option.as_object() else {
        return false;
    };
    let known = ["opt_name", "opt_value", "ip_version"];
    let line = |text: &str| !text.trim().is_empty() && text.lines().count() == 1;
    let name = option["opt_name"].as_str().unwrap_or_default();
    let may_be_blank = BLANK_OPTIONS.contains(&name);
    let has_value = match &option["opt_value"] {
        Value::Null => fields.contains_key("opt_value"),
        Value::String(text) => text.len() <= 255 && (may_be_blank || line(text)),
        _ => false,
    };
    fields.keys().all(|name| known.contains(&name.as_str()))
        && line(name)
        && name.len() <= 64
        && has_value
}
