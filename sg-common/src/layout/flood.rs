//! Whether so much of what a port sends is refused that it is worth refusing it earlier.

use crate::layout::settings::Ticks;
use crate::layout::shared::shared;

shared! {
    /// Value of the `floods` map, by slot, on each CPU.
    pub struct Flood: 16 {
        /// What of the port the rules had refused when this was last looked at, in packets.
        pub refused: u64,
        /// When that was.
        pub since: Ticks,
        /// Not 0 if the port floods.
        pub on: u32,
    }
}

/// What is counted together: an eighth of a second.
const WINDOW: Ticks = 128;

/// So many packets refused within [`WINDOW`] are a flood: a thousand a second.
const MANY: u64 = 134;

impl Flood {
    /// Whether the port floods, when the rules have refused so many of its packets: as soon as there are too
    /// many of them, and for as long as there are in each window.
    #[inline(always)]
    pub fn look(&mut self, refused: u64, now: Ticks) -> bool {
        // A new owner of the slot begins at 0.
        let is_many = refused.saturating_sub(self.refused) >= MANY;
        let span = now.wrapping_sub(self.since);
        if span >= WINDOW {
            // After a pause nobody knows how fast they came.
            self.on = (is_many && span < 2 * WINDOW) as u32;
            self.refused = refused;
            self.since = now;
        } else if is_many {
            self.on = 1;
        }
        self.on != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Flood = Flood {
        refused: 0,
        since: 0,
        on: 0,
    };

    #[test]
    fn a_thousand_refused_a_second_are_a_flood_from_the_first_window_that_has_them_to_the_last() {
        let mut flood = CALM;
        assert!(!flood.look(MANY - 1, 1));
        assert!(flood.look(MANY, 2), "at once");
        assert!(flood.look(MANY, WINDOW - 1), "to the end of the window");
        assert!(flood.look(2 * MANY, WINDOW), "and of the next");
        assert!(flood.look(2 * MANY, 2 * WINDOW - 1));
        assert!(!flood.look(3 * MANY - 1, 2 * WINDOW));
    }

    #[test]
    fn what_was_refused_over_a_long_time_is_none() {
        assert!(!CALM.clone().look(1 << 40, 2 * WINDOW));
        let across_the_wrap = Flood {
            since: u32::MAX - WINDOW + 6,
            ..CALM
        };
        assert!(across_the_wrap.clone().look(MANY, 5));
    }

    #[test]
    fn the_next_owner_of_a_slot_begins_without_one() {
        let former = Flood {
            refused: 1 << 40,
            ..CALM
        };
        assert!(!former.clone().look(0, 1));
    }
}
