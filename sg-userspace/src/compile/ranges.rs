//! Sets of ports.

use sg_common::layout::policy::PortSet;

use crate::model::PortRange;

/// A set of ports (or of ICMP's `type << 8 | code`), as the fewest ranges in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RangeSet(Vec<PortRange>);

impl RangeSet {
    /// The ranges, neither touching nor overlapping, in their order.
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// The ports of both.
    pub fn union(&self, other: &Self) -> Self {
        self.0.iter().chain(&other.0).copied().collect()
    }

    /// Whether every port of the other is in this set.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.iter().all(|inner| {
            let after = self.0.partition_point(|outer| outer.low() <= inner.low());
            after
                .checked_sub(1)
                .is_some_and(|at| inner.high() <= self.0[at].high())
        })
    }

    /// The set that a map value holds.
    pub fn from_bits(set: &PortSet) -> Self {
        let ports = (0..=u16::MAX).filter(|port| set.contains(*port));
        ports
            .filter_map(|port| PortRange::new(port, port))
            .collect()
    }

    /// The map value that holds the set.
    pub fn to_bits(&self, id: u64) -> Box<PortSet> {
        let mut set = Box::new(PortSet {
            id,
            words: [0; 1024],
        });
        for port in self.0.iter().flat_map(|range| range.low()..=range.high()) {
            set.words[usize::from(port >> 6)] |= 1 << (port & 63);
        }
        set
    }
}

impl FromIterator<PortRange> for RangeSet {
    fn from_iter<T: IntoIterator<Item = PortRange>>(ranges: T) -> Self {
        let mut ranges: Vec<_> = ranges.into_iter().collect();
        ranges.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if u32::from(range.low()) <= u32::from(last.high()) + 1 => {
                    *last = last.to(range.high());
                }
                _ => merged.push(range),
            }
        }
        Self(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u16, u16)]) -> RangeSet {
        ranges
            .iter()
            .map(|(low, high)| PortRange::new(*low, *high).unwrap())
            .collect()
    }

    #[test]
    fn ranges_that_touch_or_overlap_are_one() {
        assert_eq!(set(&[(5, 9), (1, 3), (4, 4), (8, 20)]), set(&[(1, 20)]));
        assert_eq!(set(&[(1, 9), (2, 3)]), set(&[(1, 9)]));
        assert_eq!(set(&[(0, 0), (2, 65535)]).ranges().len(), 2);
        assert_eq!(set(&[(0, 65535), (65535, 65535)]).ranges().len(), 1);
    }

    #[test]
    fn a_set_covers_what_is_within_one_of_its_ranges() {
        let outer = set(&[(10, 20), (30, 40)]);
        for (inner, expected) in [
            (set(&[]), true),
            (set(&[(10, 20)]), true),
            (set(&[(12, 13), (40, 40)]), true),
            (set(&[(9, 10)]), false),
            (set(&[(20, 21)]), false),
            (set(&[(12, 35)]), false),
            (set(&[(50, 60)]), false),
        ] {
            assert_eq!(outer.covers(&inner), expected, "{inner:?}");
        }
    }

    #[test]
    fn a_set_survives_its_way_through_the_map() {
        let ports = set(&[(0, 0), (63, 64), (80, 90), (65535, 65535)]);
        assert_eq!(RangeSet::from_bits(&ports.to_bits(7)), ports);
    }
}
