//! What an operator can set: a TOML file, read into the [`Settings`] of the kernel programs and what a daemon
//! is started with.
//!
//! Names and defaults are those of nf_conntrack's sysctls
//! (`Documentation/networking/nf_conntrack-sysctl.rst`) wherever it has the same.

mod audit;
mod ethertypes;
mod file;
mod from_vm;
mod key;
mod keys;
mod logs;
mod parse;
mod print;
mod quota;
mod startup;
mod system;
#[cfg(test)]
mod tests;

use sg_common::layout::settings::Settings;

use startup::restarts;

use crate::view::SettingView;

pub use self::audit::{Audit, doc_of_audit};
pub use self::file::{Changes, File};
pub use self::from_vm::{FromVm, Wishes, doc_of_from_vm};
pub use self::key::{Key, LONGEST_TIMEOUT};
pub use self::keys::KEYS;
pub use self::logs::{Form, LOG_KEYS, Log, LogKey, Target, What};
pub use self::parse::{Malformed, Mistake};
pub use self::print::to_toml;
pub use self::quota::Quota;
pub use self::startup::{LARGEST_TABLE, SOURCES, START_KEYS, StartKey, Startup};

/// What a settings file asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    settings: Settings,
    quota: Quota,
    /// Where what VMs send is to be judged.
    pub from_vm: Wishes,
    /// What the daemon is to log of packets.
    pub logs: Vec<Log>,
    /// Where what no rule permits passes.
    pub audit: Audit,
    /// Whether the timeouts are those of the node's own nf_conntrack.
    system_timeouts: bool,
    /// What a daemon is to be started with.
    pub startup: Startup,
    /// What an operator should know of how it was read.
    pub notes: Vec<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            settings: Settings::DEFAULT,
            quota: Quota::DEFAULT,
            from_vm: Wishes::default(),
            logs: Vec::new(),
            audit: Audit::default(),
            system_timeouts: false,
            startup: Startup::new(),
            notes: Vec::new(),
        }
    }
}

impl Wanted {
    /// Reads the text of a settings file. What it does not name has its default.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for what is no TOML, and for keys and values that there are not.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        parse::parse(text)
    }

    /// With a note of what takes a restart, because a daemon was not started so.
    #[must_use]
    pub fn since(mut self, started: &Startup) -> Self {
        self.notes.extend(restarts(started, &self.startup));
        self
    }

    /// The settings on a node whose table of assured IPv4 connections has this room.
    pub fn settings(&self, capacity: u32) -> Settings {
        Settings {
            assured_per_port: self.quota.count(capacity),
            ..self.settings
        }
    }
}

/// Every setting, as settings are, and as they are on this node if nothing is set.
pub fn views(
    settings: &Settings,
    default: &Settings,
    from_vm: &Wishes,
    audit: &Audit,
    logs: &[Log],
) -> Vec<SettingView> {
    let (node, ports) = from_vm.views();
    let keys = KEYS.iter();
    let keys = keys.map(|key| SettingView {
        key: key.name.into(),
        value: key.value(settings),
        default: key.value(default),
    });
    let own = [node, audit.view(), logs::view(logs)].into_iter();
    own.chain(keys).chain(ports).collect()
}
