//! The same scenario on both sides.

use std::collections::BTreeSet;

use super::Side;
use super::passage::{Kinds, Way};
use crate::inventory::Inventory;
use crate::parity::deviations;
use crate::parity::scenario::{End, Scenario, Step};

/// Something the guest is to achieve, or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub what: &'static str,
    /// Whether it did.
    pub seen: bool,
    /// Whether it should have, on this side.
    pub expected: bool,
}

/// A difference that a scenario expects by a row of `docs/parity.md`, where the frame alone does not tell it.
#[derive(Clone, Copy, Debug)]
pub struct Excuse {
    /// How the kind of frame begins.
    pub kind: &'static str,
    /// Where it falls, and not on the other side.
    pub fell: Side,
    /// The row.
    pub row: u32,
}

/// A kind that fell on one side only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which way it went.
    pub way: Way,
    /// What it is.
    pub kind: String,
    /// Where it fell.
    pub fell: Side,
    /// The row of `docs/parity.md` that expects it.
    pub row: Option<u32>,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The kinds that fell on both sides.
    pub both: Vec<(Way, String)>,
    /// Those that fell on one and passed on the other.
    pub differences: Vec<Difference>,
    /// Those that fell on one and were not sent at all on the other: they say nothing.
    pub lone: Vec<(Way, String, Side)>,
}

impl Comparison {
    /// Compares the sets of kinds that fell, here and under iptables.
    #[must_use]
    pub fn of(here: &Kinds, iptables: &Kinds, inventory: &Inventory, excuses: &[Excuse]) -> Self {
        let keys: BTreeSet<_> = here.keys().chain(iptables.keys()).cloned().collect();
        let mut comparison = Self::default();
        for key in keys {
            let [a, b] = [here, iptables].map(|kinds| kinds.get(&key));
            let fell = [a, b].map(|frames| frames.is_some_and(|frames| !frames.fell.is_empty()));
            let side = match fell {
                [false, false] => continue,
                [true, true] => {
                    comparison.both.push(key);
                    continue;
                }
                [true, false] => Side::Here,
                [false, true] => Side::Iptables,
            };
            let (way, kind) = key;
            let (frames, other) = match side {
                Side::Here => (a, b),
                Side::Iptables => (b, a),
            };
            let (Some(frames), Some(_)) = (frames, other) else {
                comparison.lone.push((way, kind, side));
                continue;
            };
            let excuse = excuses
                .iter()
                .find(|excuse| excuse.fell == side && kind.starts_with(excuse.kind));
            let row = excuse
                .map(|excuse| excuse.row)
                .or_else(|| row(inventory, way, &frames.fell, side == Side::Here));
            comparison.differences.push(Difference {
                way,
                kind,
                fell: side,
                row,
            });
        }
        comparison
    }
}

/// The row that expects every one of these frames to be judged otherwise, told by the frames and the port.
fn row(inventory: &Inventory, way: Way, frames: &[Vec<u8>], stricter: bool) -> Option<u32> {
    let (from, to) = match way {
        Way::FromVm => (End::VM1, End::Fabric),
        Way::ToVm => (End::Fabric, End::VM1),
    };
    let rows = frames.iter().map(|frame| {
        let scenario = Scenario {
            name: String::new(),
            inventory: inventory.json(),
            steps: vec![Step::frames(from, vec![frame.clone()])],
        };
        deviations::expected(&scenario, 0, to, stricter)
    });
    let rows: Option<BTreeSet<u32>> = rows.collect();
    rows?.first().copied()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::{Comparison, Excuse};
    use crate::guests::Side;
    use crate::guests::passage::{Frames, Kinds, Way};
    use crate::inventory::{Inventory, port};
    use crate::packet::{tcp, udp};

    fn kinds(of: &[(&str, usize, &[Vec<u8>])]) -> Kinds {
        let frames = |(kind, went, fell): &(&str, usize, &[Vec<u8>])| {
            let frames = Frames {
                went: *went,
                fell: fell.to_vec(),
                longest: 60,
            };
            ((Way::FromVm, (*kind).to_owned()), frames)
        };
        of.iter().map(frames).collect()
    }

    #[test]
    fn what_falls_on_one_side_only_is_a_row_or_a_failure() {
        let inventory = Inventory::new().port(port("VM1").ip("10.0.0.5"));
        let tagged = udp("10.0.0.5:1", "10.0.0.1:2").vlan(7).bytes();
        let plain = udp("10.0.0.5:1", "10.0.0.1:2").bytes();
        let segment = tcp("10.0.0.5:1", "10.0.0.1:2").ack().bytes();
        let here = kinds(&[
            ("tagged", 1, &[tagged]),
            ("plain", 3, from_ref(&plain)),
            ("both", 3, from_ref(&plain)),
            ("lone", 3, from_ref(&plain)),
            ("segment", 1, &[]),
            ("passes", 1, &[]),
        ]);
        let iptables = kinds(&[
            ("tagged", 1, &[]),
            ("plain", 3, &[]),
            ("both", 3, &[plain.clone(), plain]),
            ("segment", 1, &[segment]),
            ("passes", 2, &[]),
        ]);
        let excuses = [Excuse {
            kind: "seg",
            fell: Side::Iptables,
            row: 99,
        }];

        let comparison = Comparison::of(&here, &iptables, &inventory, &excuses);

        let differences = comparison.differences.iter();
        let differences: Vec<_> = differences
            .map(|d| (d.kind.as_str(), d.fell, d.row))
            .collect();
        assert_eq!(
            differences,
            [
                ("plain", Side::Here, None),
                ("segment", Side::Iptables, Some(99)),
                ("tagged", Side::Here, Some(2)),
            ]
        );
        assert_eq!(comparison.both, [(Way::FromVm, "both".to_owned())]);
        assert_eq!(
            comparison.lone,
            [(Way::FromVm, "lone".to_owned(), Side::Here)]
        );
    }
}
