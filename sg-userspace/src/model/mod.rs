//! Neutron's objects, parsed into types that cannot be wrong.
//!
//! The inventory is one JSON document of objects in the shape of Neutron's API. Each object is
//! read on its own: what is wrong with one is reported as a [`Fault`] and left out, towards less
//! access, and the rest is kept.

pub mod address;
mod address_group;
mod api;
mod document;
mod fault;
mod fields;
mod group;
mod id;
mod interface;
mod inventory;
mod json;
mod mac;
mod members;
mod port;
mod printed;
pub mod protocol;
mod references;
mod rule;
pub(crate) mod told;
mod touched;
mod trunk;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

pub use address_group::AddressGroup;
use document::Document;
pub(crate) use fault::Problem;
pub use fault::{Effect, Fault, Kind, Object};
use fields::Fields;
pub use group::Group;
pub use id::{AddressGroupId, GroupId, PortId, RuleId};
pub use interface::Interface;
pub use inventory::{ClosedPort, Inventory};
pub use mac::Mac;
pub use members::Members;
pub use port::{AddressPair, Port, Security};
pub use protocol::PortProtocol;
pub use rule::{Matches, PortPair, PortRange, Remote, Rule};
pub use sg_common::hook::Direction;
pub use sg_common::wire::addr::Family;
pub use told::{Conflict, Count, Named, Objects, Step, Told, Transaction};
pub use touched::Touched;
pub use trunk::{Trunk, Vlan};

/// An inventory and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// All that could be read.
    pub inventory: Inventory,
    /// All that could not.
    pub faults: Vec<Fault>,
}

/// The document is no inventory: nothing in it can be applied.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It is not JSON.
    #[error("the inventory is not JSON: {0}; check the file for a cut-off or stray text")]
    Json(#[from] serde_json::Error),
    /// It is not encoded as JSON has to be (RFC 8259, section 8.1).
    #[error(
        "the inventory begins with a byte order mark, which JSON does not have; save it as UTF-8 \
         without one"
    )]
    ByteOrderMark,
    /// There is more than one document in it.
    #[error(
        "the inventory is more than one JSON document; put all lists into one: \
         {{\"ports\": [...], \"security_groups\": [...], \"address_groups\": [...]}}"
    )]
    Several,
    /// A field is there twice in one object.
    #[error(
        "the inventory has one field twice in the same object: {0}; keep the one that is meant"
    )]
    Twice(serde_json::Error),
    /// It is only a part of the API's answer.
    #[error(
        "the inventory has only a page of a list: {0} links the others; ask the API for the whole list, \
         without a limit"
    )]
    Page(String),
    /// It is what a client prints, not what the API answers.
    #[error(
        "{place} has the field {field:?}, which is not the API's but that of what the openstack client \
         and openstacksdk print; save what the API answers: {API_FORM}",
        place = if .place.is_empty() { "the inventory" } else { .place }
    )]
    Printed {
        /// Where, as `ports[0]`; empty for the document itself.
        place: String,
        /// The field.
        field: String,
    },
    /// It is JSON of another shape.
    #[error(
        "the inventory is not of the expected shape: {0}; write \
         {{\"ports\": [...], \"security_groups\": [...], \"address_groups\": [...]}}"
    )]
    Shape(String),
}

/// What saves the API's answers as one document, with openstacksdk and what it logs in with.
pub const API_FORM: &str = "python3 -c 'import json, openstack; c = openstack.connect(); d = {}; \
    [d.update(c.network.get(p).json()) for p in (\"/ports\", \"/security-groups\", \
    \"/address-groups\")]; print(json.dumps(d))' > inventory.json";

/// Reads an inventory.
///
/// # Errors
/// When the document is not JSON, says two things at once, or is not what the API answers: its top level
/// is not an object with the lists `ports` and `security_groups` (`address_groups` may be absent), the
/// lists are not whole, or a client has printed it. Anything else is a fault of one object.
pub fn parse(text: &[u8]) -> Result<Parsed, Malformed> {
    let document = Document::new(text)?;
    check_shape(&document).map_err(|fault| document.refused(fault))?;
    let mut faults = unknown_fields(&document);
    let mut inventory = Inventory {
        groups: security_groups(&document, &mut faults)?,
        address_groups: address_groups(&document, &mut faults)?,
        ..Inventory::default()
    };
    let trunks = add_ports(&mut inventory, &document, &mut faults)?;
    trunk::resolve(&mut inventory, trunks, &mut faults);
    references::check(&mut inventory, &mut faults);
    inventory.note_sites();
    Ok(Parsed { inventory, faults })
}

fn check_shape(document: &Document<'_>) -> Result<(), Malformed> {
    whole(&document.fields)?;
    is_there(document, "ports")?;
    is_there(document, "security_groups")?;
    match document.fields.contains_key("address_groups") {
        true => is_there(document, "address_groups"),
        false => Ok(()),
    }
}

fn is_there(document: &Document<'_>, list: &str) -> Result<(), Malformed> {
    match (document.list(list), document.fields.contains_key(list)) {
        (Some(_), _) => Ok(()),
        (None, true) => Err(Malformed::Shape(format!("{list} is not a list"))),
        (None, false) => Err(Malformed::Shape(format!("{list} is missing"))),
    }
}

/// The objects of a list, one after the other.
fn objects<'a>(
    document: &'a Document<'_>,
    list: &'static str,
    kind: Kind,
) -> impl Iterator<Item = Result<(Object, Value), Malformed>> + 'a {
    let texts = document.list(list).into_iter().flatten().enumerate();
    texts.map(move |(place, text)| {
        let value = document.object(list, place, text)?;
        Ok((object(kind, list, place, &value), value))
    })
}

/// The API links the pages of a list that it does not answer at once, each to the next and the previous.
fn whole(document: &Map<String, Value>) -> Result<(), Malformed> {
    let is_other = |link: &Value| matches!(link["rel"].as_str(), Some("next" | "previous"));
    let mut lists = document
        .iter()
        .filter(|(field, _)| field.ends_with("_links"));
    let page = lists.find(|(_, links)| {
        let links = links.as_array();
        links.is_some_and(|links| links.iter().any(is_other))
    });
    page.map_or(Ok(()), |(field, _)| Err(Malformed::Page(field.clone())))
}

/// A list that nobody reads narrows nothing: what is not in the inventory permits nothing.
fn unknown_fields(document: &Document<'_>) -> Vec<Fault> {
    let object = Object {
        kind: Kind::Inventory,
        id: "inventory".into(),
        name: String::new(),
    };
    let unknown = api::DOCUMENT.unknown(Fields(&document.fields));
    unknown
        .map(|problem| problem.of(&object, Effect::FieldLeftOut))
        .collect()
}

fn security_groups(
    document: &Document<'_>,
    faults: &mut Vec<Fault>,
) -> Result<BTreeMap<GroupId, Group>, Malformed> {
    let mut groups = BTreeMap::<GroupId, Group>::new();
    for object in objects(document, "security_groups", Kind::SecurityGroup) {
        let (object, value) = object?;
        let group = fields_of(&value, "security_groups")
            .and_then(|fields| group::parse(fields, &object, faults));
        match group {
            Ok(group) => match groups.get_mut(&group.id) {
                Some(twin) => {
                    faults.push(duplicate(&object, Effect::RulesLeftOut));
                    twin.rules.clear();
                    twin.stateful = false;
                }
                None => drop(groups.insert(group.id, group)),
            },
            Err(problem) => faults.push(problem.of(&object, Effect::GroupLeftOut)),
        }
    }
    Ok(groups)
}

fn address_groups(
    document: &Document<'_>,
    faults: &mut Vec<Fault>,
) -> Result<BTreeMap<AddressGroupId, AddressGroup>, Malformed> {
    let mut groups = BTreeMap::<AddressGroupId, AddressGroup>::new();
    for object in objects(document, "address_groups", Kind::AddressGroup) {
        let (object, value) = object?;
        let group = fields_of(&value, "address_groups")
            .and_then(|fields| address_group::parse(fields, &object, faults));
        match group {
            Ok(group) => match groups.get_mut(&group.id) {
                Some(twin) => {
                    faults.push(duplicate(&object, Effect::AddressesLeftOut));
                    twin.addresses.clear();
                }
                None => drop(groups.insert(group.id, group)),
            },
            Err(problem) => faults.push(problem.of(&object, Effect::AddressGroupLeftOut)),
        }
    }
    Ok(groups)
}

/// Adds the ports, and returns what their trunks say of other ports.
fn add_ports(
    inventory: &mut Inventory,
    document: &Document<'_>,
    faults: &mut Vec<Fault>,
) -> Result<Vec<trunk::Claim>, Malformed> {
    let mut trunks = Vec::new();
    let (mut once, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for text in document.list("ports").into_iter().flatten() {
        let id = port_id(text);
        twice.extend(id.filter(|id| !once.insert(*id)));
    }
    for object in objects(document, "ports", Kind::Port) {
        let (object, value) = object?;
        let fields = fields_of(&value, "ports");
        let interface = fields
            .as_ref()
            .ok()
            .and_then(|fields| port::interface_of(*fields));
        if let Ok(fields) = fields {
            trunks.extend(trunk::claims(fields, &object, interface.as_ref(), faults));
        }
        let fault = match fields.and_then(|fields| port::parse(fields, &object, faults)) {
            Ok(port) if !twice.contains(&port.id) => {
                inventory.ports.insert(port.id, port);
                continue;
            }
            Ok(_) => duplicate(&object, Effect::PortClosed),
            Err(problem) => problem.of(&object, Effect::PortClosed),
        };
        faults.push(fault);
        inventory.closed.push(ClosedPort {
            id: object.id,
            name: object.name,
            interface,
            vlan: None,
        });
    }
    Ok(trunks)
}

/// The id of a port of which nothing else is read.
fn port_id(text: &RawValue) -> Option<PortId> {
    #[derive(Deserialize)]
    struct Port<'a> {
        #[serde(borrow)]
        id: Cow<'a, str>,
    }
    let port: Port<'_> = serde_json::from_str(text.get()).ok()?;
    port.id.parse().ok()
}

fn duplicate(object: &Object, effect: Effect) -> Fault {
    let advice = "give each object an id of its own";
    Problem::new(
        "id",
        &object.id,
        "is the id of more than one object",
        advice,
    )
    .of(object, effect)
}

/// How faults name an object that may be wrong in every field.
fn object(kind: Kind, list: &str, place: usize, value: &Value) -> Object {
    let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    Object {
        kind,
        id: text("id").unwrap_or_else(|| format!("{list}[{place}]")),
        name: text("name").unwrap_or_default(),
    }
}

fn fields_of<'a>(value: &'a Value, list: &str) -> Result<Fields<'a>, Problem> {
    value.as_object().map(Fields).ok_or_else(|| {
        Problem::new(
            list,
            value,
            "is not an object",
            "write an object in the API's shape",
        )
    })
}

fn parse_id<T: FromStr>(fields: Fields<'_>, field: &str) -> Result<T, Problem> {
    let advice = "write a UUID, e.g. 3d2f1b6c-5a0e-4c39-9d7e-1f0a2b3c4d5e";
    let text = Fields::required(field, fields.text(field)?, advice)?;
    text.parse()
        .map_err(|_| Problem::new(field, format_args!("{text:?}"), "is not a UUID", advice))
}

#[cfg(test)]
mod tests;
