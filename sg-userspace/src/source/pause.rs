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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_half_a_minute_and_are_left_to_chance() {
        let mut pause = Pause::default();
        let seconds: Vec<f64> = (0..7).map(|_| pause.next(1.0).as_secs_f64()).collect();
        assert_eq!(seconds, [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(pause.next(0.5), Duration::from_secs(15));
        assert_eq!(pause.next(0.0), Duration::ZERO);
    }
}
