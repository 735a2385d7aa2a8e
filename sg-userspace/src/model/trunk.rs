//! Trunks: ports whose frames are on another port's interface, in a VLAN
//! (`neutron_lib.api.definitions.{trunk,trunk_details}`).
//!
//! A trunk joins a parent, whose frames have no tag, and subports, each in a VLAN of its own. The API
//! tells it with the parent: `trunk_details` names the subports, which are ports like any other.

use std::collections::BTreeMap;

use serde_json::Value;

use super::api;
use super::fault::{Effect, Fault, Object, Problem};
use super::fields::Fields;
use super::id::PortId;
use super::interface::Interface;
use super::inventory::{ClosedPort, Inventory};
use super::port::Port;

/// A port's part in a trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trunk {
    /// It has the interface; its own frames have no tag.
    Parent,
    /// Its frames are on the parent's interface, with a tag.
    Subport {
        /// Whose interface it is.
        parent: PortId,
        /// `segmentation_id`.
        vlan: Vlan,
    },
}

/// A VLAN id that names a VLAN: 1 to 4094 (IEEE 802.1Q, table 9-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vlan(u16);

impl Vlan {
    /// A VLAN by its id, if it is one.
    pub fn new(id: i64) -> Option<Self> {
        let id = u16::try_from(id).ok()?;
        (1..=4094).contains(&id).then_some(Self(id))
    }

    /// The id.
    pub fn id(self) -> u16 {
        self.0
    }
}

pub(super) const TRUNK: &str = "trunk_details";
const PORT_ID: &str = "trunk_details.sub_ports.port_id";
const TYPE: &str = "trunk_details.sub_ports.segmentation_type";
const SEGMENTATION_ID: &str = "trunk_details.sub_ports.segmentation_id";

/// What a parent says of one subport.
pub(super) struct Claim {
    subport: PortId,
    parent: Object,
    interface: Option<Interface>,
    vlan: Result<Vlan, Problem>,
}

/// Reads the subports of a port that may be wrong in every other field.
pub(super) fn claims(
    fields: Fields<'_>,
    parent: &Object,
    interface: Option<&Interface>,
    faults: &mut Vec<Fault>,
) -> Vec<Claim> {
    let entries = sub_ports(fields).unwrap_or_else(|problem| {
        faults.push(problem.of(parent, Effect::SubportsLeftOut));
        &[]
    });
    let mut claims = Vec::with_capacity(entries.len());
    for entry in entries {
        match port_id(entry) {
            Ok((subport, fields)) => claims.push(Claim {
                subport,
                parent: parent.clone(),
                interface: interface.cloned(),
                vlan: vlan(fields, parent),
            }),
            Err(problem) => faults.push(problem.of(parent, Effect::SubportLeftOut)),
        }
    }
    claims
}

fn sub_ports(fields: Fields<'_>) -> Result<&[Value], Problem> {
    match fields.get(TRUNK) {
        None => Ok(&[]),
        Some(details) => {
            let fields = super::fields_of(details, TRUNK)?;
            let known = api::TRUNK.check(fields);
            known
                .and_then(|()| fields.list("sub_ports"))
                .map_err(|problem| problem.within(TRUNK))
        }
    }
}

fn port_id(entry: &Value) -> Result<(PortId, Fields<'_>), Problem> {
    const LIST: &str = "trunk_details.sub_ports";
    let fields = super::fields_of(entry, LIST)?;
    let known = api::SUBPORT.check(fields);
    let id = known
        .and_then(|()| super::parse_id(fields, "port_id"))
        .map_err(|problem| problem.within(LIST))?;
    Ok((id, fields))
}

fn vlan(fields: Fields<'_>, parent: &Object) -> Result<Vlan, Problem> {
    let wrong = |field, value: &Value, problem, what| {
        Problem::new(field, value, problem, format!("write {what} in {parent}"))
    };
    match fields.get("segmentation_type").unwrap_or(&Value::Null) {
        Value::String(kind) if kind == "vlan" => {}
        // The server turns `inherit` into what the parent's network has before it tells anyone.
        other => return Err(wrong(TYPE, other, "is not \"vlan\"", "\"vlan\"")),
    }
    let id = fields.get("segmentation_id").unwrap_or(&Value::Null);
    let vlan = id.as_i64().and_then(Vlan::new);
    vlan.ok_or_else(|| wrong(SEGMENTATION_ID, id, "is not a VLAN", "1 to 4094"))
}

/// Puts each subport into its VLAN of its parent's interface, or closes it.
pub(super) fn resolve(inventory: &mut Inventory, claims: Vec<Claim>, faults: &mut Vec<Fault>) {
    let mut users = BTreeMap::<_, usize>::new();
    let mut by_subport = BTreeMap::<PortId, Vec<&Claim>>::new();
    for claim in &claims {
        if let Ok(vlan) = claim.vlan {
            *users.entry((&*claim.parent.id, vlan)).or_default() += 1;
        }
        by_subport.entry(claim.subport).or_default().push(claim);
    }
    let is_shared = |claim: &Claim, vlan| users[&(&*claim.parent.id, vlan)] > 1;
    for (id, claims) in by_subport {
        let Some(port) = inventory.ports.get_mut(&id) else {
            place_closed(inventory, id, &claims, faults);
            continue;
        };
        if let Err(problem) = place(port, &claims, is_shared) {
            faults.push(problem.of(&port.object(), Effect::PortClosed));
            let closed = inventory.ports.remove(&id).map(ClosedPort::from);
            inventory.closed.extend(closed);
        }
    }
}

/// Closes the subports of parents that are closed: whose interface it is, is in doubt.
pub(super) fn close_orphans(inventory: &mut Inventory, faults: &mut Vec<Fault>) {
    let ports = &inventory.ports;
    let orphans: Vec<_> = ports
        .values()
        .filter_map(|port| match port.trunk {
            Some(Trunk::Subport { parent, .. }) if !ports.contains_key(&parent) => {
                Some((port.id, parent))
            }
            _ => None,
        })
        .collect();
    for (id, parent) in orphans {
        if let Some(port) = inventory.ports.remove(&id) {
            faults.push(without_parent(&parent.to_string()).of(&port.object(), Effect::PortClosed));
            inventory.closed.push(ClosedPort::from(port));
        }
    }
}

/// Puts a port where its trunk says. One of which that is in doubt keeps the interface that it would
/// have without a trunk.
fn place(
    port: &mut Port,
    claims: &[&Claim],
    is_shared: impl Fn(&Claim, Vlan) -> bool,
) -> Result<(), Problem> {
    let parents: Vec<_> = claims
        .iter()
        .map(|claim| claim.parent.to_string())
        .collect();
    let parents = parents.join(" and of ");
    if port.trunk.is_some() {
        let problem = format!("makes it a parent, but it is a subport of {parents}");
        return Err(Problem::new(TRUNK, "", problem, "let it be one of both"));
    }
    if port.interface != Interface::tap(port.id) {
        let problem = format!("is its own, but it is a subport of {parents}");
        let advice = "remove device: a subport is on the interface of its parent";
        return Err(Problem::new("device", port.interface, problem, advice));
    }
    let [claim] = claims else {
        let problem = format!("is a subport more than once: of {parents}");
        let advice = "name each subport once, in one trunk";
        return Err(Problem::new(PORT_ID, port.id, problem, advice));
    };
    let vlan = claim.vlan.clone()?;
    if is_shared(claim, vlan) {
        let problem = format!("is the VLAN of another subport of {parents} too");
        let advice = "give each subport a VLAN of its own";
        return Err(Problem::new(SEGMENTATION_ID, vlan.id(), problem, advice));
    }
    let (Ok(parent), Some(interface)) = (claim.parent.id.parse(), &claim.interface) else {
        return Err(without_parent(&claim.parent.id));
    };
    port.trunk = Some(Trunk::Subport { parent, vlan });
    port.interface = *interface;
    Ok(())
}

fn without_parent(parent: &str) -> Problem {
    let advice = "look for the fault of the parent";
    Problem::new(
        TRUNK,
        parent,
        "is the parent of its trunk, and is closed",
        advice,
    )
}

/// A port that is closed anyway is shown where it would be; one that is not there is at fault.
fn place_closed(inventory: &mut Inventory, id: PortId, claims: &[&Claim], faults: &mut Vec<Fault>) {
    let is_it = |port: &&mut ClosedPort| port.id.parse() == Ok(id);
    let mut closed = inventory.closed.iter_mut().filter(is_it).peekable();
    if closed.peek().is_none() {
        let advice = "add the port, or take it from the trunk";
        for claim in claims {
            let problem = Problem::new(PORT_ID, id, "is not in the inventory", advice);
            faults.push(problem.of(&claim.parent, Effect::SubportLeftOut));
        }
    } else if let [claim] = claims
        && let Ok(vlan) = claim.vlan
    {
        for port in closed {
            port.interface.clone_from(&claim.interface);
            port.vlan = Some(vlan);
        }
    }
}
