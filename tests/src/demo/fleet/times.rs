//! How long it took until a change was in force.

use std::fmt;
use std::time::Duration;

/// Times, sorted.
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn part(&self, percent: usize) -> Duration {
        let place = (self.0.len() * percent / 100).min(self.0.len().saturating_sub(1));
        self.0.get(place).copied().unwrap_or(Duration::MAX)
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |percent| self.part(percent).as_secs_f64() * 1e3;
        write!(
            f,
            "It was in force on a node after {:.1} ms (half of {} times), {:.1} ms (99 of 100), {:.1} ms at most.",
            ms(50),
            self.0.len(),
            ms(99),
            ms(100)
        )
    }
}
