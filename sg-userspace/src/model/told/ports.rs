//! Ports as they were told.

use std::collections::BTreeSet;
use std::mem;

use serde_json::value::RawValue;
use serde_json::{Map, Value};
use sg_store::Key;

use super::super::fault::{Effect, Fault, Kind, Object, Problem};
use super::super::fields::Fields;
use super::super::id::{GroupId, PortId};
use super::super::interface::Interface;
use super::super::inventory::{ClosedPort, Inventory};
use super::super::port::{self, Port};
use super::super::{json, references, trunk};
use super::{Objects, Piece, Told, Touched};

impl Told {
    /// Takes ports, and reads those again that name one of `groups`, which came or went.
    pub(super) fn take_ports(
        &mut self,
        inventory: &mut Inventory,
        told: Objects<PortId>,
        trusted: Objects<PortId>,
        groups: &BTreeSet<GroupId>,
        touched: &mut Touched,
    ) {
        let holders = groups.iter();
        let mut stirred: BTreeSet<_> = holders
            .flat_map(|group| self.relations.holders.namers(group))
            .collect();
        for (id, text) in told.0 {
            put(&mut self.ports, id, text);
            stirred.insert(id);
        }
        for (id, text) in trusted.0 {
            put(&mut self.trusted, id, text);
            stirred.insert(id);
        }
        if stirred.is_empty() {
            return;
        }
        let read = self.read(stirred);
        let stirred: BTreeSet<_> = read.iter().map(|read| read.id).collect();
        let mut faults = Vec::new();
        let mut part = Inventory::default();
        let mut claims = Vec::new();
        for read in read {
            faults.extend(read.faults);
            claims.extend(read.claims);
            match read.port {
                Some(Ok(port)) => drop(part.ports.insert(read.id, port)),
                Some(Err(closed)) => part.closed.push(closed),
                None => {}
            }
        }
        mem::swap(&mut part.groups, &mut inventory.groups);
        trunk::resolve(&mut part, claims, &mut faults);
        references::check_ports(&mut part, &mut faults);
        mem::swap(&mut part.groups, &mut inventory.groups);
        self.blame(&stirred, faults);
        replace(inventory, part, &stirred, touched);
    }

    /// Reads ports, and all that share an interface or a trunk with them, before or now.
    fn read(&mut self, mut stirred: BTreeSet<PortId>) -> Vec<Read> {
        let had_trunks = !self.relations.parents.is_empty();
        let mut read: Vec<_> = stirred.iter().map(|id| self.read_port(*id)).collect();
        let mut interfaces = BTreeSet::new();
        for read in &read {
            interfaces.extend(self.relate(read));
        }
        let others: BTreeSet<_> = if had_trunks || !self.relations.parents.is_empty() {
            self.ports
                .keys()
                .chain(self.trusted.keys())
                .copied()
                .collect()
        } else {
            let users = interfaces.iter();
            users
                .flat_map(|at| self.relations.interfaces.namers(at))
                .collect()
        };
        for id in others {
            if stirred.insert(id) {
                read.push(self.read_port(id));
            }
        }
        // In the order that they have when all are told at once.
        read.sort_by_key(|read| read.id);
        read
    }

    /// Notes what a port hangs on; returns the interfaces that it has and had.
    fn relate(&mut self, read: &Read) -> BTreeSet<Interface> {
        let Relation {
            interface, groups, ..
        } = &read.relation;
        match read.relation.is_parent {
            true => self.relations.parents.insert(read.id),
            false => self.relations.parents.remove(&read.id),
        };
        self.relations.holders.set(read.id, groups.clone());
        let now: BTreeSet<_> = interface.iter().cloned().collect();
        let mut interfaces = self.relations.interfaces.set(read.id, now);
        interfaces.extend(*interface);
        interfaces
    }

    fn read_port(&self, id: PortId) -> Read {
        match (self.ports.get(&id), self.trusted.get(&id)) {
            (Some(piece), _) => read(id, &piece.text),
            (None, Some(piece)) => read_trusted(id, &piece.text),
            (None, None) => Read::of(id),
        }
    }

    /// Files the faults of some ports with them.
    fn blame(&mut self, stirred: &BTreeSet<PortId>, faults: Vec<Fault>) {
        for id in stirred {
            for pieces in [&mut self.ports, &mut self.trusted] {
                if let Some(piece) = pieces.get_mut(id) {
                    piece.faults.clear();
                }
            }
        }
        for fault in faults {
            let Ok(id) = fault.object.id.parse::<PortId>() else {
                continue;
            };
            let key = self.host.clone().map(|host| Key::Port {
                host: Some(host),
                id: id.0,
            });
            let fault = fault.at(key.map(|key| key.to_string()));
            let piece = self.ports.get_mut(&id).or(self.trusted.get_mut(&id));
            if let Some(piece) = piece {
                piece.faults.push(fault);
            }
        }
    }
}

fn put(
    pieces: &mut std::collections::BTreeMap<PortId, Piece>,
    id: PortId,
    text: Option<Box<RawValue>>,
) {
    match text {
        Some(text) => pieces.insert(id, Piece::new(text)),
        None => pieces.remove(&id),
    };
}

/// A port, read for itself alone.
struct Read {
    id: PortId,
    port: Option<Result<Port, ClosedPort>>,
    claims: Vec<trunk::Claim>,
    faults: Vec<Fault>,
    relation: Relation,
}

/// What a port hangs on.
#[derive(Default)]
struct Relation {
    interface: Option<Interface>,
    groups: BTreeSet<GroupId>,
    is_parent: bool,
}

impl Read {
    fn of(id: PortId) -> Self {
        Self {
            id,
            port: None,
            claims: Vec::new(),
            faults: Vec::new(),
            relation: Relation::default(),
        }
    }
}

fn read(id: PortId, text: &RawValue) -> Read {
    let mut object = object(id);
    let mut of = Read::of(id);
    let fields = fields_with_id(text, &object.id);
    of.relation.interface = interface_of(id, &fields);
    if let Ok(fields) = &fields {
        let name = fields.get("name").and_then(Value::as_str);
        object.name = name.unwrap_or_default().to_owned();
        of.relation.is_parent = Fields(fields).get(trunk::TRUNK).is_some();
        let interface = of.relation.interface.as_ref();
        of.claims = trunk::claims(Fields(fields), &object, interface, &mut of.faults);
    }
    let port = fields.and_then(|fields| port::parse(Fields(&fields), &object, &mut of.faults));
    if let Ok(port) = &port {
        of.relation.groups = port.groups.iter().copied().collect();
    }
    finish(of, object, port)
}

fn read_trusted(id: PortId, text: &RawValue) -> Read {
    let object = object(id);
    let mut of = Read::of(id);
    let fields = fields_with_id(text, &object.id);
    of.relation.interface = interface_of(id, &fields);
    let port =
        fields.and_then(|fields| port::parse_trusted(Fields(&fields), &object, &mut of.faults));
    finish(of, object, port)
}

/// Where a port is; one of which nothing can be read is at the tap of its id.
fn interface_of(id: PortId, fields: &Result<Map<String, Value>, Problem>) -> Option<Interface> {
    match fields {
        Ok(fields) => port::interface_of(Fields(fields)),
        Err(_) => Some(Interface::tap(id)),
    }
}

fn finish(mut of: Read, object: Object, port: Result<Port, Problem>) -> Read {
    of.port = Some(port.map_err(|problem| {
        of.faults.push(problem.of(&object, Effect::PortClosed));
        ClosedPort {
            id: object.id,
            name: object.name,
            interface: of.relation.interface,
            vlan: None,
        }
    }));
    of
}

fn object(id: PortId) -> Object {
    Object {
        kind: Kind::Port,
        id: id.to_string(),
        name: String::new(),
    }
}

/// The fields of an object that is named by its id.
pub(super) fn fields_with_id(text: &RawValue, id: &str) -> Result<Map<String, Value>, Problem> {
    let wrong = |problem: String| {
        let advice = "write an object in the API's shape, each field once";
        Problem::new("", text.get(), problem, advice)
    };
    let value = json::parse(text.get().as_bytes())
        .map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let Value::Object(mut fields) = value else {
        return Err(wrong("is not an object".to_owned()));
    };
    match fields.insert("id".to_owned(), id.into()) {
        Some(Value::String(own)) if own.eq_ignore_ascii_case(id) => Ok(fields),
        None | Some(Value::Null) => Ok(fields),
        Some(other) => {
            let advice = "leave it out, or write the id that the object is named by";
            Err(Problem::new(
                "id",
                other,
                "is not the id that the object is named by",
                advice,
            ))
        }
    }
}

/// Puts a part of the ports in the place of what they were.
fn replace(
    inventory: &mut Inventory,
    mut part: Inventory,
    stirred: &BTreeSet<PortId>,
    touched: &mut Touched,
) {
    let is_stirred = |port: &ClosedPort| port.id.parse().is_ok_and(|id| stirred.contains(&id));
    let (before, kept): (Vec<_>, Vec<_>) = mem::take(&mut inventory.closed)
        .into_iter()
        .partition(is_stirred);
    inventory.closed = kept;
    for id in stirred {
        let closed = |ports: &[ClosedPort]| {
            let is_it = |port: &&ClosedPort| port.id.parse() == Ok(*id);
            ports.iter().find(is_it).cloned()
        };
        let (old, new) = (inventory.ports.remove(id), part.ports.remove(id));
        if old != new || closed(&before) != closed(&part.closed) {
            touched.ports.insert(*id);
        }
        touched.note_members_by(old.as_ref(), new.as_ref());
        if let Some(port) = old {
            inventory.sites.remove(&(port.interface, *id));
        }
        if let Some(port) = new {
            inventory.sites.insert((port.interface, *id));
            inventory.ports.insert(*id, port);
        }
    }
    inventory.closed.append(&mut part.closed);
    // As they would be had all been told at once.
    inventory.closed.sort_by(|a, b| a.id.cmp(&b.id));
}
