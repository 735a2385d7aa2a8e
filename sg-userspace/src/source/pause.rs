//! How long to wait before a store is asked again.

use std::time::Duration;

/// At first.
const FIRST: Duration = Duration::from_secs(1);

/// At most.
const MOST: Duration = Duration::from_secs(30);

/// Ever longer, and not all nodes at the same time: a thousand come back at once.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Pause {
    /// The next one; `chance` is from 0 to 1.
    pub fn next(&mut self, chance: f64) -> Duration {
        let most = self.0;
        self.0 = (most * 2).min(MOST);
        most.mul_f64(chance)
    }
}

/// When a store is asked again that has failed, or whose telling could not be taken. One that is read whole and fails
/// at once, time after time, is asked ever less often: the pauses begin anew only when what was taken has held.
#[derive(Debug, Default)]
pub(super) struct Pace {
    pause: Pause,
    is_following: bool,
}

impl Pace {
    /// What was told is taken. A change has come by a watch, which so is good.
    pub fn took(&mut self, is_complete: bool) {
        if !is_complete {
            self.pause = Pause::default();
        }
        self.is_following = true;
    }

    /// It has failed after it was waited for so long; returns how long to wait now.
    pub fn failed(&mut self, waited: Duration, chance: f64) -> Duration {
        if self.is_following && waited > self.pause.0 {
            self.pause = Pause::default();
        }
        self.is_following = false;
        self.pause.next(chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::from_millis(5);

    #[test]
    fn a_watch_that_fails_right_after_all_was_read_is_begun_ever_less_often() {
        let mut pace = Pace::default();
        let mut failed = |waited| {
            pace.took(true);
            pace.failed(waited, 1.0).as_secs()
        };
        assert_eq!([0; 6].map(|_| failed(AT_ONCE)), [1, 2, 4, 8, 16, 30]);
        assert_eq!(failed(Duration::from_secs(29)), 30);
        assert_eq!(failed(Duration::from_secs(31)), 1, "it has held");
        assert_eq!(failed(AT_ONCE), 2);
        pace.took(true);
        pace.took(false);
        assert_eq!(pace.failed(AT_ONCE, 1.0).as_secs(), 1, "a change came");
    }

    #[test]
    fn what_cannot_be_taken_is_read_ever_less_often_however_long_the_reading_takes() {
        let mut pace = Pace::default();
        let slow = Duration::from_secs(60);
        let pauses = [0; 6].map(|_| pace.failed(slow, 1.0).as_secs());
        assert_eq!(pauses, [1, 2, 4, 8, 16, 30]);
    }

    #[test]
    fn pauses_grow_up_to_half_a_minute_and_are_left_to_chance() {
        let mut pause = Pause::default();
        let seconds: Vec<f64> = (0..7).map(|_| pause.next(1.0).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(pause.next(0.5), Duration::from_secs(15));
        assert_eq!(pause.next(0.0), Duration::ZERO);
    }
}
