//! Settings.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The settings in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsView {
    /// Their file; it may be absent.
    pub path: PathBuf,
    /// Why the newest file was not taken, until one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// What could not be taken as it is, and what holds instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Every setting; in a status, those that are not at their defaults.
    pub settings: Vec<SettingView>,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingView {
    /// Its name in the settings file: `tcp.loose`.
    pub key: String,
    /// Its value, as in the settings file; timeouts are in seconds.
    pub value: Value,
    /// What it is on this node unless set.
    pub default: Value,
}

impl SettingView {
    /// Whether it is not at its default.
    pub fn is_changed(&self) -> bool {
        self.value != self.default
    }
}
