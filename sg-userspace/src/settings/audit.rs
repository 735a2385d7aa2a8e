//! The ports that are in audit: what no rule permits passes there, and is counted and told.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use crate::{model::Port, view::SettingView};

/// The key.
pub(super) const KEY: &str = "audit";

/// What it is for, in one sentence for people.
const DOC: &str = "Ports in audit, by their ids or those of their security groups: what no rule permits \
                   passes there, and is counted and told as \"audit\"; all else is as without";

/// Which values it takes, for people. Tenants choose names; what they choose must open nothing.
pub(super) const VALUES: &str = "a list of ids of ports and of security groups, like \
                                 [\"11111111-1111-4111-8111-111111111111\"]; names are not taken, for tenants choose them";

/// Ids of ports and of security groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit(BTreeSet<Uuid>);

impl Audit {
    /// Of these ids.
    #[cfg(test)]
    pub fn of_ids(ids: impl IntoIterator<Item = Uuid>) -> Self {
        Self(ids.into_iter().collect())
    }

    /// Reads a value of the settings file.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let ids = value.as_array()?.iter();
        let ids = ids.map(|id| id.as_str()?.parse().ok());
        ids.collect::<Option<_>>().map(Self)
    }

    /// Whether no port is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a port is.
    pub fn holds(&self, port: &Port) -> bool {
        let mut groups = port.groups.iter();
        self.0.contains(&port.id.0) || groups.any(|group| self.0.contains(&group.0))
    }

    /// The ids that are neither a port's nor a group's.
    pub fn unknown(&self, is_known: impl Fn(&Uuid) -> bool) -> impl Iterator<Item = &Uuid> {
        self.0.iter().filter(move |id| !is_known(id))
    }

    /// As a setting.
    pub fn view(&self) -> SettingView {
        SettingView {
            key: KEY.into(),
            value: self.0.iter().map(ToString::to_string).collect(),
            default: Value::Array(Vec::new()),
        }
    }
}

/// What the key is for, if it is this one.
pub(super) fn doc(key: &str) -> Option<&'static str> {
    (key == KEY).then_some(DOC)
}

/// The key: its name, what it is for, and which values it takes.
pub fn doc_of_audit() -> (&'static str, &'static str, &'static str) {
    (KEY, DOC, VALUES)
}
