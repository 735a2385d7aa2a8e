//! Source ports with destination ports.

use std::collections::{BTreeMap, BTreeSet};

use super::ranges::RangeSet;
use crate::model::{PortPair, PortRange};

/// A set of source ports with destination ports, as rectangles of which none is within another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairSet(Vec<PortPair>);

impl PairSet {
    /// The rectangles, in their order.
    pub fn pairs(&self) -> &[PortPair] {
        &self.0
    }

    /// The pairs of both.
    pub fn union(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).copied().collect()
    }

    /// Whether every pair of the other is in this set, or goes to a port that is `open` to all. In doubt it is
    /// not: each rectangle of the other must be within one of this set.
    pub fn covers(&self, open: &RangeSet, other: &Self) -> bool {
        let is_covered = |pair: &PortPair| self.0.iter().any(|mine| mine.covers(*pair));
        other
            .0
            .iter()
            .all(|pair| open.covers(&[pair.destination].into_iter().collect()) || is_covered(pair))
    }

    /// Without the rectangles all of whose destinations are `open` to all.
    pub fn beside(mut self, open: &RangeSet) -> Self {
        self.0
            .retain(|pair| !open.covers(&[pair.destination].into_iter().collect()));
        self
    }
}

/// Rectangles that have a side in common and touch become one.
impl FromIterator<PortPair> for PairSet {
    fn from_iter<T: IntoIterator<Item = PortPair>>(pairs: T) -> Self {
        let mut joined: BTreeSet<PortPair> = pairs.into_iter().collect();
        loop {
            let before = joined.len();
            joined = joined_by_source(joined);
            joined = joined_by_source(joined.into_iter().map(flipped));
            joined = joined.into_iter().map(flipped).collect();
            if joined.len() == before {
                break;
            }
        }
        let is_within_another = |pair: &PortPair| {
            let mut others = joined.iter().filter(|other| *other != pair);
            others.any(|other| other.covers(*pair))
        };
        let pairs = joined.iter().filter(|pair| !is_within_another(pair));
        Self(pairs.copied().collect())
    }
}

fn flipped(pair: PortPair) -> PortPair {
    PortPair {
        source: pair.destination,
        destination: pair.source,
    }
}

fn joined_by_source(pairs: impl IntoIterator<Item = PortPair>) -> BTreeSet<PortPair> {
    let mut by_source = BTreeMap::<PortRange, Vec<PortRange>>::new();
    for pair in pairs {
        by_source
            .entry(pair.source)
            .or_default()
            .push(pair.destination);
    }
    let joined = by_source.into_iter().flat_map(|(source, destinations)| {
        let destinations: RangeSet = destinations.into_iter().collect();
        let pair = move |destination| PortPair {
            source,
            destination,
        };
        destinations
            .ranges()
            .iter()
            .copied()
            .map(pair)
            .collect::<Vec<_>>()
    });
    joined.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    type Ends = (u16, u16);

    fn range((low, high): Ends) -> PortRange {
        PortRange::new(low, high).unwrap()
    }

    fn set(pairs: &[(Ends, Ends)]) -> PairSet {
        let pair = |(source, destination): &(_, _)| PortPair {
            source: range(*source),
            destination: range(*destination),
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn rectangles_that_touch_along_a_whole_side_are_one() {
        let one = set(&[((1, 9), (80, 90))]);
        assert_eq!(set(&[((1, 9), (80, 84)), ((1, 9), (85, 90))]), one);
        assert_eq!(set(&[((1, 4), (80, 90)), ((5, 9), (80, 90))]), one);
        let quarters = [
            ((1, 4), (80, 84)),
            ((1, 4), (85, 90)),
            ((5, 9), (80, 84)),
            ((5, 9), (85, 90)),
        ];
        assert_eq!(set(&quarters), one);
    }

    #[test]
    fn a_rectangle_within_another_is_none() {
        assert_eq!(
            set(&[((1, 9), (80, 90)), ((2, 3), (85, 85))]),
            set(&[((1, 9), (80, 90))])
        );
        // A corner sticks out.
        assert_eq!(
            set(&[((1, 9), (80, 90)), ((2, 10), (85, 85))])
                .pairs()
                .len(),
            2
        );
    }

    #[test]
    fn what_is_open_to_all_needs_no_pairs() {
        let open: RangeSet = [range((80, 90))].into_iter().collect();
        let pairs = set(&[((1, 9), (81, 82)), ((1, 9), (85, 95))]);
        assert_eq!(pairs.beside(&open), set(&[((1, 9), (85, 95))]));
    }

    #[test]
    fn a_set_covers_what_is_within_one_of_its_rectangles_or_open_to_all() {
        let open: RangeSet = [range((443, 443))].into_iter().collect();
        let outer = set(&[((10, 20), (80, 90))]);
        for (inner, expected) in [
            (set(&[]), true),
            (set(&[((10, 20), (80, 90))]), true),
            (set(&[((12, 13), (80, 80))]), true),
            (set(&[((1, 65535), (443, 443))]), true),
            (set(&[((9, 13), (80, 80))]), false),
            (set(&[((12, 13), (80, 91))]), false),
            (set(&[((12, 13), (80, 80)), ((1, 1), (1, 1))]), false),
        ] {
            assert_eq!(outer.covers(&open, &inner), expected, "{inner:?}");
        }
    }
}
