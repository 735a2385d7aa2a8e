//! What the logs are told of ports.

use std::sync::Arc;

use super::Agent;
use crate::logs::Logs;

impl Agent {
    /// Has these logs follow the settings and the ports from now on.
    pub fn log_to(&mut self, logs: Arc<Logs>) {
        self.logs = Some(logs);
    }

    /// Says which ports there are, before they are written: what is logged of one is logged from its first packet on.
    pub(super) fn tell_logs(&self) {
        if let Some(logs) = &self.logs {
            logs.ports_are(&self.desired.inventory);
        }
    }
}
