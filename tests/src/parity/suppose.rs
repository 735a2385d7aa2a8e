//! Which differences `docs/parity.md` expects, told by what iptables itself does under another
//! supposition: the row says why the sides differ, and without that they must agree.

use serde_json::Value;

use crate::inventory::port_id;
use crate::parity::flow::Flow;
use crate::parity::run::Difference;
use crate::parity::scenario::{End, Scenario, Step, Verdicts};
use crate::parity::side::{Iptables, Side};

/// What is supposed of iptables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Supposition {
    /// TCP windows are not checked.
    LiberalWindows,
    /// Checksums are not verified.
    NoChecksums,
    /// The inventory in force at the step has been so from the beginning.
    NothingChanged,
}

use Supposition::{LiberalWindows, NoChecksums, NothingChanged};

/// The row that explains a difference, if iptables agrees with this filter but for what it names.
/// `ours`: the verdicts here on the whole scenario.
pub fn explains(
    iptables: &mut Iptables,
    scenario: &Scenario,
    difference: &Difference,
    ours: &Verdicts,
) -> Option<u32> {
    let inventories = inventories(scenario, difference.step);
    let changed = inventories.len() > 1;
    let sticks = ends(scenario, difference).any(|end| is_late_stateless(end, &inventories));
    let row = match sticks {
        true => 33,
        false => changes(&inventories, difference),
    };
    let suppositions: [(u32, &[Supposition], bool); 5] = [
        (row, &[NothingChanged], changed),
        (14, &[LiberalWindows], true),
        (13, &[NoChecksums], true),
        (14, &[LiberalWindows, NoChecksums], true),
        (row, &[NothingChanged, LiberalWindows, NoChecksums], changed),
    ];
    for (row, suppositions, applies) in suppositions {
        if applies && verdict(iptables, scenario, difference, suppositions) == difference.filter {
            return Some(row);
        }
    }
    let cut = changed && is_stricter(difference) && is_cut(iptables, scenario, difference, ours);
    cut.then_some(row)
}

/// Where the packets of the step come from, and where the sides differ on them.
fn ends(scenario: &Scenario, difference: &Difference) -> impl Iterator<Item = End> + use<> {
    let from = match &scenario.steps[difference.step] {
        Step::Send { from, .. } => Some(*from),
        Step::Apply { .. } => None,
    };
    from.into_iter().chain([difference.end])
}

/// Whether the first group of the port at an end is stateless, has rules, and once had none.
fn is_late_stateless(end: End, inventories: &[&Value]) -> bool {
    let rules = |inventory: &Value| {
        let id = port_id(end.port()?).to_string();
        let ports = inventory["ports"].as_array()?;
        let port = ports.iter().find(|port| port["id"] == id.as_str())?;
        let groups = inventory["security_groups"].as_array()?;
        let mut first = groups
            .iter()
            .filter(|group| group["id"] == port["security_groups"][0]);
        let group = first.find(|group| group["stateful"] == false)?;
        Some(group["security_group_rules"].as_array()?.len())
    };
    let counts: Vec<_> = inventories.iter().filter_map(|one| rules(one)).collect();
    counts.contains(&0) && counts.last().is_some_and(|last| *last > 0)
}

fn is_stricter(difference: &Difference) -> bool {
    difference.iptables > difference.filter
}

/// The row about what a change does to connections. iptables cuts none when an address leaves an
/// address group, a pair or a fixed address goes, or port security is switched.
fn changes(inventories: &[&Value], difference: &Difference) -> u32 {
    let cutting: Vec<_> = inventories
        .iter()
        .map(|inventory| without_what_cuts_nothing(inventory))
        .collect();
    match is_stricter(difference) {
        false => 9,
        true if cutting.windows(2).all(|pair| pair[0] == pair[1]) => 10,
        true => 11,
    }
}

/// Those in force up to a step, the first and each that followed.
fn inventories(scenario: &Scenario, step: usize) -> Vec<&Value> {
    let changes = scenario.steps[..step].iter().filter_map(|step| match step {
        Step::Apply { inventory } => Some(inventory),
        Step::Send { .. } => None,
    });
    std::iter::once(&scenario.inventory)
        .chain(changes)
        .collect()
}

fn without_what_cuts_nothing(inventory: &Value) -> Value {
    let mut rest = inventory.clone();
    rest["address_groups"] = Value::Null;
    for port in rest["ports"].as_array_mut().into_iter().flatten() {
        for field in [
            "allowed_address_pairs",
            "fixed_ips",
            "port_security_enabled",
        ] {
            port[field] = Value::Null;
        }
    }
    rest
}

/// What iptables does at the step of a difference under suppositions.
fn verdict(
    iptables: &mut Iptables,
    scenario: &Scenario,
    difference: &Difference,
    suppositions: &[Supposition],
) -> usize {
    let mut steps = scenario.steps[..=difference.step].to_vec();
    let mut inventory = &scenario.inventory;
    if suppositions.contains(&NothingChanged) {
        inventory = scenario.inventory_at(difference.step);
        steps.retain(|step| matches!(step, Step::Send { .. }));
    }
    iptables.begin(inventory);
    iptables.check_windows(!suppositions.contains(&LiberalWindows));
    iptables.check_sums(!suppositions.contains(&NoChecksums));
    let verdicts = iptables.play(&steps);
    iptables.check_windows(true);
    iptables.check_sums(true);
    verdicts
        .last()
        .map_or(0, |counts| counts[difference.end as usize])
}

/// Whether the rules in force at the step no longer permit the packet that opened the connection.
fn is_cut(
    iptables: &mut Iptables,
    scenario: &Scenario,
    difference: &Difference,
    ours: &Verdicts,
) -> bool {
    let flows = Flow::of(&scenario.steps[difference.step]);
    let opening = (0..difference.step).find_map(|at| {
        let step = &scenario.steps[at];
        let same = Flow::of(step)
            .iter()
            .any(|flow| flows.iter().any(|other| flow.meets(other)));
        let came_out = |end: &End| ours[at][*end as usize] > 0;
        let end = End::ALL.into_iter().find(came_out).filter(|_| same)?;
        Some((step.clone(), end))
    });
    let Some((step, end)) = opening else {
        return false;
    };
    iptables.begin(scenario.inventory_at(difference.step));
    iptables.play(&[step])[0][end as usize] == 0
}
