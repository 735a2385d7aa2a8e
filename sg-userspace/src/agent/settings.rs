//! What the operator has set.

use sg_common::layout::settings::Settings;
use uuid::Uuid;

use super::{Agent, Occasion};
use crate::{
    error::Result,
    model::{GroupId, Port, PortId},
    settings::{Audit, Log, Wanted, Wishes, views},
    view::{SettingView, SettingsView},
};

/// How the operator's wishes were met.
#[derive(Default)]
pub(super) struct Operator {
    /// What could not be taken as it is, and what holds instead.
    notes: Vec<String>,
    /// Why the newest settings were not taken.
    error: Option<String>,
    /// Where what VMs send is to be judged.
    pub(super) from_vm: Wishes,
    /// What is to be logged of packets.
    logs: Vec<Log>,
    /// Where what no rule permits passes.
    pub(super) audit: Audit,
}

impl Agent {
    /// Takes what was read of the settings file. What cannot be taken leaves the settings in force as
    /// they are; the status says so until something can.
    ///
    /// # Errors
    ///
    /// That of the reading, and [`crate::error::Error::Datapath`] when the kernel refused; it is tried
    /// again when the file is read again.
    pub fn settings_changed(&mut self, read: Result<Wanted>) -> Result<()> {
        let done = read.and_then(|wanted| self.set(wanted));
        let error = done.as_ref().err().map(ToString::to_string);
        if let Some(error) = error.as_ref().filter(|_| error != self.operator.error) {
            tracing::warn!("the settings in force stay: {error}");
        }
        self.operator.error = error;
        done
    }

    /// Puts settings in force. When they switch anything, all connections are judged again: a source that
    /// was vouched for may no longer be.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Datapath`] when the kernel refused.
    pub fn set(&mut self, wanted: Wanted) -> Result<()> {
        for note in &wanted.notes {
            if !self.operator.notes.contains(note) {
                tracing::warn!("{note}");
            }
        }
        let new = wanted.settings(self.datapath.flow_capacity());
        self.operator.notes = wanted.notes;
        let old = self.datapath.settings()?;
        let moved = self.operator.from_vm != wanted.from_vm;
        self.operator.from_vm = wanted.from_vm;
        let relogs = self.operator.logs != wanted.logs;
        self.operator.logs = wanted.logs;
        // Also one that could not begin, each time the file is read.
        if let Some(logs) = &self.logs {
            logs.set(&self.operator.logs, &self.desired.inventory);
        }
        if old != new {
            self.datapath.set_settings(&new)?;
            self.due.judge |= old.switches != new.switches;
        }
        let audited = self.operator.audit != wanted.audit;
        if audited {
            self.operator.audit = wanted.audit;
            self.due.enforce = true;
            self.tell_audit();
        }
        if audited && self.operator.audit.is_empty() {
            tracing::info!(
                "set audit = []: what only audit has permitted is cut at its next packet"
            );
        }
        if old != new || moved || audited || relogs {
            for setting in self.views(&new).iter().filter(|set| set.is_changed()) {
                tracing::info!("set {} = {}", setting.key, setting.value);
            }
        }
        match moved {
            true => self.tend(Occasion::News),
            false => Ok(()),
        }
    }

    /// The settings in force.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Datapath`] when they cannot be read.
    pub fn settings(&self) -> Result<SettingsView> {
        Ok(SettingsView {
            path: self.about.settings.clone(),
            last_error: self.operator.error.clone(),
            notes: self
                .operator
                .notes
                .iter()
                .cloned()
                .chain(self.stray_audits())
                .collect(),
            settings: self.views(&self.datapath.settings()?),
        })
    }

    /// Whether the operator has put a port in audit.
    pub(super) fn is_audited(&self, port: &Port) -> bool {
        self.operator.audit.holds(port)
    }

    /// What is in audit and nowhere in the inventory.
    fn stray_audits(&self) -> impl Iterator<Item = String> {
        let inventory = &self.desired.inventory;
        let is_known = |id: &Uuid| {
            inventory.ports.contains_key(&PortId(*id))
                || inventory.groups.contains_key(&GroupId(*id))
        };
        let unknown = self.operator.audit.unknown(is_known);
        unknown.map(|id| {
            format!("audit: {id} is neither a port nor a security group of the inventory")
        })
    }

    /// Says in the log what audit means, and which of its ids are of nothing.
    fn tell_audit(&self) {
        let (audit, inventory) = (&self.operator.audit, &self.desired.inventory);
        let ports = inventory.ports.values().filter(|port| audit.holds(port));
        let ports = ports.count();
        if !audit.is_empty() {
            tracing::warn!(ports, "what no rule permits passes at ports in audit");
        }
    }

    /// The settings in force that are not at their defaults.
    pub(super) fn changed_settings(&self) -> Result<SettingsView> {
        let mut view = self.settings()?;
        view.settings.retain(SettingView::is_changed);
        Ok(view)
    }

    fn views(&self, settings: &Settings) -> Vec<SettingView> {
        let default = Wanted::default().settings(self.datapath.flow_capacity());
        views(
            settings,
            &default,
            &self.operator.from_vm,
            &self.operator.audit,
            &self.operator.logs,
        )
    }
}
