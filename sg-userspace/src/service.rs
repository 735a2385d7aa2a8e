//! What a service manager is told: when all is in force, how it is, and that the daemon is alive.
//!
//! Without one (`NOTIFY_SOCKET` is not set) nothing is told.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{self, Interval, MissedTickBehavior};

/// How often it is told how things are where no watchdog asks for more.
const ROUND: Duration = Duration::from_secs(5);

/// The service manager, if there is one.
pub struct Service {
    round: Interval,
    told: String,
}

impl Service {
    /// The one that has started this process. To be called from within the runtime.
    pub fn of_this_process() -> Self {
        // Twice within the time, as sd_watchdog_enabled(3) has it, and once more for a busy host.
        let watchdog = sd_notify::watchdog_enabled().map(|limit| limit / 3);
        let mut round = time::interval(watchdog.map_or(ROUND, |limit| limit.min(ROUND)));
        round.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            round,
            told: String::new(),
        }
    }

    /// All is in force that can be.
    pub fn ready(&mut self, status: String) {
        tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
        self.told = status;
    }

    /// Returns when it is time to say that the daemon is alive. Safe to cancel.
    pub async fn due(&mut self) {
        self.round.tick().await;
    }

    /// The daemon is alive: whoever calls this has just done what it is there for.
    pub fn alive(&mut self, status: String) {
        tell(&[NotifyState::Watchdog]);
        if status != self.told {
            tell(&[NotifyState::Status(&status)]);
            self.told = status;
        }
    }

    /// The daemon ends, and not by a fault.
    pub fn stopping(&self) {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(news: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(news) {
        tracing::debug!("the service manager was not told: {error}");
    }
}
