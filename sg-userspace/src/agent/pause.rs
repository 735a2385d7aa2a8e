//! How long to wait before something is tried again.

/// The longest wait, in rounds.
const LONGEST: u32 = 12;

/// Counts rounds: the first try comes at once, and each wait is twice as long as the one before.
#[derive(Debug, Default)]
pub struct Pause {
    length: u32,
    left: u32,
}

impl Pause {
    /// Whether it is time, asked once a round.
    pub fn is_over(&mut self) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return false;
        }
        self.left = self.length;
        self.length = (self.length * 2).clamp(1, LONGEST);
        true
    }

    /// It has worked: the next failure is tried again at once.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_try_comes_at_once_and_the_waits_grow_to_a_limit() {
        let mut pause = Pause::default();
        let tries: Vec<_> = (0..60).filter(|_| pause.is_over()).collect();
        assert_eq!(tries, [0, 1, 3, 6, 11, 20, 33, 46, 59]);
        pause.reset();
        assert!(pause.is_over());
    }
}
