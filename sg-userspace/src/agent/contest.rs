//! Others that undo what the daemon does, as often as it does it.

use std::collections::{BTreeMap, VecDeque};

/// How many rounds back is lately: a minute of five-second rounds.
const LATELY: u64 = 12;

/// How often a filter is put back lately before that is a contest.
const OFTEN: usize = 3;

/// How often each interface's filter was put back into its place lately. In a contest it is put back by the
/// clock alone and not on news, which the other side's answer would only make more of.
#[derive(Debug, Default)]
pub struct Contests {
    round: u64,
    rounds: BTreeMap<u32, VecDeque<u64>>,
}

impl Contests {
    /// Says that the next round has begun.
    pub fn next_round(&mut self) {
        self.round += 1;
        self.rounds.retain(|_, rounds| {
            rounds.retain(|round| round + LATELY > self.round);
            !rounds.is_empty()
        });
    }

    /// Notes that a filter was put back.
    pub fn note(&mut self, ifindex: u32) {
        let rounds = self.rounds.entry(ifindex).or_default();
        rounds.push_back(self.round);
        if rounds.len() > OFTEN {
            rounds.pop_front();
        }
    }

    /// Whether it is put back again and again.
    pub fn is_on(&self, ifindex: u32) -> bool {
        self.rounds
            .get(&ifindex)
            .is_some_and(|rounds| rounds.len() >= OFTEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_put_back_often_is_contested_until_it_is_left_alone_for_a_minute() {
        let mut contests = Contests::default();
        contests.note(7);
        contests.next_round();
        contests.note(7);
        assert!(!contests.is_on(7));
        contests.note(7);
        assert!(contests.is_on(7) && !contests.is_on(8));
        for _ in 0..LATELY - 1 {
            contests.next_round();
        }
        assert!(!contests.is_on(7), "only two were in the last minute");
        contests.next_round();
        assert!(contests.rounds.is_empty());
    }
}
