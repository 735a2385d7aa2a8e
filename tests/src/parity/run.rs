//! Both labs side by side.

use crate::parity::deviations;
use crate::parity::flow::Flow;
use crate::parity::scenario::{End, Scenario, Verdicts};
use crate::parity::side::{Filter, Iptables, Side};
use crate::parity::suppose;

/// Both sides.
#[derive(Debug, Default)]
pub struct Both {
    /// Neutron's iptables rules.
    pub iptables: Iptables,
    /// This filter.
    pub filter: Filter,
}

/// A step on which the sides differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Which step.
    pub step: usize,
    /// Where.
    pub end: End,
    /// How many frames came out under iptables.
    pub iptables: usize,
    /// How many came out here.
    pub filter: usize,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many frames were sent, and how many of them came out somewhere under iptables.
    pub frames: [usize; 2],
    /// The differences, each with the row of `docs/parity.md` that expects it, if one does.
    pub differences: Vec<(Difference, Option<u32>)>,
    /// How many differences did not show again when the scenario was played once more.
    pub unsteady: usize,
}

impl Both {
    /// Plays a scenario in both labs, from no connections on.
    pub fn play(&mut self, scenario: &Scenario) -> (Verdicts, Verdicts) {
        self.iptables.begin(&scenario.inventory);
        self.filter.begin(&scenario.inventory);
        (
            self.iptables.play(&scenario.steps),
            self.filter.play(&scenario.steps),
        )
    }

    /// Plays a scenario; where the sides differ. A difference counts if it shows a second time: a lab
    /// on a busy machine may lose a frame.
    pub fn compare(&mut self, scenario: &Scenario) -> Comparison {
        let (iptables, filter) = self.play(scenario);
        let mut comparison = Comparison {
            frames: [
                scenario.steps.len(),
                iptables.iter().filter(|counts| **counts != [0; 3]).count(),
            ],
            ..Comparison::default()
        };
        let mut found = differences(scenario, &iptables, &filter);
        if found.is_empty() {
            return comparison;
        }
        let (iptables, filter) = self.play(scenario);
        let again = differences(scenario, &iptables, &filter);
        let once = found.len();
        found.retain(|difference| again.contains(difference));
        comparison.unsteady = once - found.len();
        for difference in found {
            let row = self.row(scenario, &difference, &filter);
            comparison.differences.push((difference, row));
        }
        comparison
    }

    /// The row of `docs/parity.md` that expects a difference. `ours`: the verdicts here.
    pub fn row(
        &mut self,
        scenario: &Scenario,
        difference: &Difference,
        ours: &Verdicts,
    ) -> Option<u32> {
        let Difference {
            step,
            end,
            iptables,
            filter,
        } = *difference;
        deviations::expected(scenario, step, end, iptables > filter)
            .or_else(|| suppose::explains(&mut self.iptables, scenario, difference, ours))
    }
}

impl Comparison {
    /// The first difference that no row expects.
    #[must_use]
    pub fn unexpected(&self) -> Option<Difference> {
        let mut unexpected = self.differences.iter().filter(|(_, row)| row.is_none());
        unexpected.next().map(|(difference, _)| *difference)
    }
}

/// Where the verdicts differ, in order. Once they differ about a connection the labs know of different
/// ones, so what follows of it is not compared.
#[must_use]
pub fn differences(scenario: &Scenario, iptables: &Verdicts, filter: &Verdicts) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut apart: Vec<Flow> = Vec::new();
    for (step, (theirs, ours)) in iptables.iter().zip(filter).enumerate() {
        let flows = Flow::of(&scenario.steps[step]);
        if flows
            .iter()
            .any(|flow| apart.iter().any(|other| flow.meets(other)))
        {
            continue;
        }
        let before = found.len();
        for end in End::ALL {
            let (iptables, filter) = (theirs[end as usize], ours[end as usize]);
            if iptables != filter && scenario.compares(step, end) {
                found.push(Difference {
                    step,
                    end,
                    iptables,
                    filter,
                });
            }
        }
        if found.len() > before {
            apart.extend(flows);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::differences;
    use crate::inventory::{Inventory, port};
    use crate::packet::udp;
    use crate::parity::scenario::{End, Scenario, Step};

    #[test]
    fn what_follows_of_a_connection_they_differ_about_is_not_compared() {
        let (there, other) = (
            udp("10.0.0.5:9", "10.0.0.6:53"),
            udp("10.0.0.5:8", "10.0.0.6:53"),
        );
        let back = udp("10.0.0.6:53", "10.0.0.5:9");
        let scenario = Scenario {
            name: String::new(),
            inventory: Inventory::new().port(port("VM1").ip("10.0.0.5")).json(),
            steps: vec![
                Step::send(End::VM1, &there),
                Step::send(End::Fabric, &back),
                Step::send(End::VM1, &other),
            ],
        };
        let (theirs, ours) = (vec![[0, 0, 1]; 3], vec![[0, 0, 0]; 3]);
        let steps: Vec<usize> = differences(&scenario, &theirs, &ours)
            .iter()
            .map(|difference| difference.step)
            .collect();
        assert_eq!(steps, [0, 2]);
    }
}
