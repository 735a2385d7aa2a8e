//! What only shows when the objects are seen together: references, duplicates, shared interfaces.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Effect, Fault, Problem};
use super::id::{AddressGroupId, GroupId, RuleId};
use super::inventory::{ClosedPort, Inventory};
use super::port::Port;
use super::rule::{Remote, Rule};
use super::trunk;

/// Leaves out what names an object that is not there or that cannot be told from another.
pub(super) fn check(inventory: &mut Inventory, faults: &mut Vec<Fault>) {
    let rules = inventory.groups.values().flat_map(|group| &group.rules);
    let twice = twice(rules);
    let groups: BTreeSet<GroupId> = inventory.groups.keys().copied().collect();
    let address_groups = &inventory.address_groups;
    for group in inventory.groups.values_mut() {
        group.leave_out(faults, |rule| duplicate_rule(rule, &twice));
    }
    for group in inventory.groups.values_mut() {
        group.leave_out(faults, |rule| {
            missing_remote(
                rule,
                |id| groups.contains(&id),
                |id| address_groups.contains_key(&id),
            )
        });
    }
    check_ports(inventory, faults);
}

/// The part of it that is about ports, which may be those of a part of an inventory: of all that share an
/// interface or a trunk with one of them.
pub(super) fn check_ports(inventory: &mut Inventory, faults: &mut Vec<Fault>) {
    leave_out_missing_groups(inventory, faults);
    close_shared_interfaces(inventory, faults);
    trunk::close_orphans(inventory, faults);
}

fn leave_out_missing_groups(inventory: &mut Inventory, faults: &mut Vec<Fault>) {
    for port in inventory.ports.values_mut() {
        let object = port.object();
        port.groups.retain(|group| {
            let known = inventory.groups.contains_key(group);
            if !known {
                let problem = "is not in the inventory";
                let advice = "add the security group, or take it from the port";
                let problem = Problem::new("security_groups", group, problem, advice);
                faults.push(problem.of(&object, Effect::ReferenceLeftOut));
            }
            known
        });
    }
}

/// Of two rules with one id it is not known which is meant, so neither permits anything.
pub(super) fn duplicate_rule(rule: &Rule, twice: &BTreeSet<RuleId>) -> Option<Problem> {
    let advice = "give each rule an id of its own";
    let is_twice = twice.contains(&rule.id);
    is_twice.then(|| Problem::new("id", rule.id, "is the id of more than one rule", advice))
}

/// The ids that more than one rule has.
pub(super) fn twice<'a>(rules: impl Iterator<Item = &'a Rule>) -> BTreeSet<RuleId> {
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for rule in rules {
        if !seen.insert(rule.id) {
            twice.insert(rule.id);
        }
    }
    twice
}

/// A remote that nobody knows permits nobody.
pub(super) fn missing_remote(
    rule: &Rule,
    is_group: impl Fn(GroupId) -> bool,
    is_address_group: impl Fn(AddressGroupId) -> bool,
) -> Option<Problem> {
    let (field, id) = match rule.remote {
        Remote::Group(id) if !is_group(id) => ("remote_group_id", id.0),
        Remote::AddressGroup(id) if !is_address_group(id) => ("remote_address_group_id", id.0),
        _ => return None,
    };
    let advice = "add the group, or remove the rule";
    Some(Problem::new(field, id, "is not in the inventory", advice))
}

/// Of two ports on one interface it is not known whose packets come from it. Subports are told apart by
/// their VLANs.
fn close_shared_interfaces(inventory: &mut Inventory, faults: &mut Vec<Fault>) {
    let mut users = BTreeMap::new();
    for interface in inventory.untagged_interfaces() {
        *users.entry(*interface).or_insert(0) += 1;
    }
    let shared = |port: &Port| port.vlan().is_none() && users[&port.interface] > 1;
    let (closed, kept) = std::mem::take(&mut inventory.ports)
        .into_iter()
        .partition(|(_, port)| shared(port));
    inventory.ports = kept;
    for port in BTreeMap::into_values(closed) {
        let problem = "is the interface of another port too";
        let advice = "give each port an interface (device) of its own";
        let problem = Problem::new("device", port.interface, problem, advice);
        faults.push(problem.of(&port.object(), Effect::PortClosed));
        inventory.closed.push(ClosedPort::from(port));
    }
}

impl From<Port> for ClosedPort {
    fn from(port: Port) -> Self {
        let vlan = port.vlan();
        Self {
            id: port.id.to_string(),
            name: port.name,
            interface: Some(port.interface),
            vlan,
        }
    }
}
