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
    leave_out_missing_groups(inventory, faults);
    leave_out_duplicate_rules(inventory, faults);
    leave_out_missing_remotes(inventory, faults);
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
fn leave_out_duplicate_rules(inventory: &mut Inventory, faults: &mut Vec<Fault>) {
    let mut count = BTreeMap::<RuleId, usize>::new();
    for rule in inventory.groups.values().flat_map(|group| &group.rules) {
        *count.entry(rule.id).or_default() += 1;
    }
    retain_rules(inventory, faults, |rule| {
        let advice = "give each rule an id of its own";
        (count[&rule.id] > 1)
            .then(|| Problem::new("id", rule.id, "is the id of more than one rule", advice))
    });
}

fn leave_out_missing_remotes(inventory: &mut Inventory, faults: &mut Vec<Fault>) {
    let groups: BTreeSet<GroupId> = inventory.groups.keys().copied().collect();
    let address_groups: BTreeSet<AddressGroupId> =
        inventory.address_groups.keys().copied().collect();
    retain_rules(inventory, faults, |rule| {
        let (field, id) = match rule.remote {
            Remote::Group(id) if !groups.contains(&id) => ("remote_group_id", id.0),
            Remote::AddressGroup(id) if !address_groups.contains(&id) => {
                ("remote_address_group_id", id.0)
            }
            _ => return None,
        };
        let advice = "add the group, or remove the rule";
        Some(Problem::new(field, id, "is not in the inventory", advice))
    });
}

fn retain_rules(
    inventory: &mut Inventory,
    faults: &mut Vec<Fault>,
    problem: impl Fn(&Rule) -> Option<Problem>,
) {
    for group in inventory.groups.values_mut() {
        let rules = std::mem::take(&mut group.rules);
        let (kept, left_out) = rules
            .into_iter()
            .partition::<Vec<_>, _>(|rule| problem(rule).is_none());
        faults.extend(left_out.iter().filter_map(|rule| {
            Some(problem(rule)?.of(&group.rule_object(rule), Effect::RuleLeftOut))
        }));
        group.rules = kept;
    }
}

/// Of two ports on one interface it is not known whose packets come from it. Subports are told apart by
/// their VLANs.
fn close_shared_interfaces(inventory: &mut Inventory, faults: &mut Vec<Fault>) {
    let mut users = BTreeMap::new();
    for interface in inventory.untagged_interfaces() {
        *users.entry(interface.clone()).or_insert(0) += 1;
    }
    let shared = |port: &Port| port.vlan().is_none() && users[&port.interface] > 1;
    let (closed, kept) = std::mem::take(&mut inventory.ports)
        .into_iter()
        .partition(|(_, port)| shared(port));
    inventory.ports = kept;
    for port in BTreeMap::into_values(closed) {
        let problem = "is the interface of another port too";
        let advice = "give each port an interface (device) of its own";
        let problem = Problem::new("device", &port.interface, problem, advice);
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
