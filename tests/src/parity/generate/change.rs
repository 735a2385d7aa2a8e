//! What happens to an inventory while connections are open.

use super::rule::{Remote, Rule};
use super::world::{World, list, other, some_groups};
use crate::parity::random::Random;

/// A pair that no port has at the beginning.
const ADDED: (&str, bool) = ("203.0.113.44", false);

/// The world after one or two changes.
pub fn changed(world: &World, random: &mut Random) -> World {
    let mut next = world.clone();
    for _ in 0..1 + random.below(2) {
        change(&mut next, random);
    }
    next
}

fn change(world: &mut World, random: &mut Random) {
    let machine = random.below(world.machines.len());
    let used = world.machines[machine].groups.first();
    let used = used.and_then(|name| super::world::GROUPS.iter().position(|other| other == name));
    let group = match used {
        Some(used) if random.percent(75) => used,
        _ => random.below(world.groups.len()),
    };
    let rules = &mut world.groups[group].rules;
    let machine = &mut world.machines[machine];
    let others = world.others.len();
    let at = random.below(others);
    let list_at = random.below(world.lists.len());
    match random.below(100) {
        // A group without rules is stateful, whatever it says: the first rule of a stateless group and
        // the last one to go would change how its ports are tracked.
        0..35 if rules.len() > 1 => {
            // One that permits much, if there is one: more connections are open by it.
            let wide = rules.iter().position(|rule| rule.remote == Remote::Anyone);
            let at = wide.filter(|_| random.percent(60));
            rules.remove(at.unwrap_or_else(|| random.below(rules.len())));
        }
        0..50 if !rules.is_empty() => {
            let rule = Rule::random(random);
            if rules.iter().all(|other| other.words != rule.words) {
                rules.push(rule);
            }
        }
        50..58 if others > 0 => world.others[at].groups = some_groups(random),
        58..62 if others > 0 => world.others[at].pair = None,
        62..66 if others > 0 => drop(world.others.remove(at)),
        66..70 if world.others.iter().all(|other| other.name != "R3") => {
            world
                .others
                .push(other(random, "R3", ["203.0.113.9", "3fff::1"]));
        }
        70..75 => world.lists[list_at] = list(random),
        75..80 => machine.pairs.clear(),
        80..84 if !machine.pairs.contains(&ADDED) => machine.pairs.push(ADDED),
        84..88 => {
            machine.groups.pop();
        }
        88..92 => machine.groups = some_groups(random),
        92..96 => machine.secured = !machine.secured,
        _ => {
            for addresses in &mut machine.addresses {
                addresses.truncate(1);
            }
            machine.addresses[0].push(random.pick(&["10.0.7.55", "10.0.7.66"]).to_owned());
        }
    }
}
