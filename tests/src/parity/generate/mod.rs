//! Random but valid inventories, conversations aimed at the edges of what they permit, and changes under
//! them.

mod change;
mod conversation;
mod peer;
mod rule;
mod talk;
mod world;

use crate::parity::random::Random;
use crate::parity::scenario::{Scenario, Step};
use world::World;

/// Scenarios of one batch share an inventory, which is what costs time.
pub const BATCH: usize = 40;

/// A scenario that stands for so many cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// How many conversations there are in it.
    pub cases: usize,
    /// The scenario.
    pub scenario: Scenario,
}

/// A batch of scenarios: the same seed and number make the same.
#[must_use]
pub fn batch(seed: u64, number: usize, cases: usize) -> Vec<Case> {
    let mut random = Random::new(seed ^ (number as u64).wrapping_mul(0xd1b5_4a32_d192_ed03));
    let world = World::new(&mut random);
    let name = format!("seed {seed}, batch {number}");
    if random.percent(25) {
        let scenario = Scenario {
            name,
            ..changing(&world, &mut random, cases)
        };
        return vec![Case { cases, scenario }];
    }
    let inventory = world.json();
    let case = |case| Case {
        cases: 1,
        scenario: Scenario {
            name: format!("{name}, case {case}"),
            inventory: inventory.clone(),
            steps: conversation::steps(&world, &mut random),
        },
    };
    (0..cases).map(case).collect()
}

/// Conversations over one or two changes of the inventory: some before, most across, some after.
fn changing(world: &World, random: &mut Random, count: usize) -> Scenario {
    let mut worlds = vec![world.clone()];
    for _ in 0..1 + random.below(2) {
        // Back to the beginning, now and then.
        let next = match worlds.len() {
            2 if random.percent(40) => world.clone(),
            _ => change::changed(&worlds[worlds.len() - 1], random),
        };
        worlds.push(next);
    }
    let mut parts = vec![Vec::new(); worlds.len()];
    for number in 0..count {
        let began = match number % 4 {
            0 => random.below(worlds.len()),
            _ => 0,
        };
        let mut steps = conversation::steps(&worlds[began], random);
        for part in &mut parts[began..worlds.len() - 1] {
            let rest = steps.split_off(random.below(steps.len() + 1));
            part.extend(std::mem::replace(&mut steps, rest));
        }
        parts[worlds.len() - 1].extend(steps);
    }
    let mut parts = parts.into_iter();
    let mut steps = parts.next().unwrap_or_default();
    for (part, world) in parts.zip(&worlds[1..]) {
        let inventory = world.json();
        steps.push(Step::Apply { inventory });
        steps.extend(part);
    }
    Scenario {
        name: String::new(),
        inventory: world.json(),
        steps,
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH, batch};

    #[test]
    fn a_seed_repeats_its_cases() {
        assert_eq!(batch(7, 3, 5), batch(7, 3, 5));
        assert_ne!(batch(7, 3, 5), batch(7, 4, 5));
    }

    #[test]
    fn every_batch_has_as_many_cases_as_asked_for() {
        for number in 0..200 {
            let cases: usize = batch(1, number, BATCH).iter().map(|case| case.cases).sum();
            assert_eq!(cases, BATCH);
        }
    }
}
