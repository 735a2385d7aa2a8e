//! Finding a port by whatever a person knows of it.

use std::{fmt, net::IpAddr};

use crate::{
    error::{Error, Result},
    model::{ClosedPort, Interface, Inventory, Mac, Port, PortId, Vlan},
};

/// A port of the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnyPort<'a> {
    /// One that could be read.
    Read(&'a Port),
    /// One that could not, and is closed.
    Closed(&'a ClosedPort),
}

impl<'a> AnyPort<'a> {
    /// The port, if it could be read.
    pub fn read(self) -> Option<&'a Port> {
        match self {
            Self::Read(port) => Some(port),
            Self::Closed(_) => None,
        }
    }

    /// Its name, possibly empty.
    pub fn name(self) -> &'a str {
        match self {
            Self::Read(port) => &port.name,
            Self::Closed(port) => &port.name,
        }
    }

    /// The interface that the port has or would have.
    pub fn interface(self) -> Option<&'a Interface> {
        match self {
            Self::Read(port) => Some(&port.interface),
            Self::Closed(port) => port.interface.as_ref(),
        }
    }

    /// The VLAN of a subport on it.
    pub fn vlan(self) -> Option<Vlan> {
        match self {
            Self::Read(port) => port.vlan(),
            Self::Closed(port) => port.vlan,
        }
    }

    /// Its id; of one that could not be read, what is written there.
    pub fn id(self) -> String {
        match self {
            Self::Read(port) => port.id.to_string(),
            Self::Closed(port) => port.id.clone(),
        }
    }
}

/// Every port, in the order of their ids, the closed ones last.
pub fn all(inventory: &Inventory) -> impl Iterator<Item = AnyPort<'_>> {
    let closed = inventory.closed.iter().map(AnyPort::Closed);
    inventory.ports.values().map(AnyPort::Read).chain(closed)
}

/// The port whose frames have this VLAN tag on the interface of a port: a subport of its trunk, or else
/// the port itself.
pub fn in_vlan<'a>(inventory: &'a Inventory, port: AnyPort<'a>, vlan: u16) -> AnyPort<'a> {
    let is_it = |other: &AnyPort<'_>| {
        other.vlan().map(Vlan::id) == Some(vlan) && other.interface() == port.interface()
    };
    all(inventory).find(is_it).unwrap_or(port)
}

/// The port with this id, interface, MAC or IP address, or else with this name.
///
/// What identifies a port goes before what somebody chose: a port that is called like the address of
/// another one does not hide it.
///
/// # Errors
///
/// [`Error::NoSuchPort`]; [`Error::AmbiguousPort`] with all that it may be.
pub fn find<'a>(inventory: &'a Inventory, reference: &str) -> Result<AnyPort<'a>> {
    for way in [by_id, by_interface, by_mac, by_address, by_name] {
        match way(inventory, reference).as_slice() {
            [] => {}
            [port] => return Ok(*port),
            several => {
                let candidates = several.iter().map(ToString::to_string).collect();
                return Err(Error::AmbiguousPort {
                    reference: reference.into(),
                    candidates,
                });
            }
        }
    }
    Err(Error::NoSuchPort(reference.into()))
}

impl fmt::Display for AnyPort<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id())?;
        match (self.name(), self.interface()) {
            ("", None) => Ok(()),
            ("", Some(interface)) => write!(f, " ({interface})"),
            (name, None) => write!(f, " ({name})"),
            (name, Some(interface)) => write!(f, " ({name}, {interface})"),
        }
    }
}

fn by_id<'a>(inventory: &'a Inventory, reference: &str) -> Vec<AnyPort<'a>> {
    let Ok(id) = reference.parse::<PortId>() else {
        return Vec::new();
    };
    let is_its = move |port: &AnyPort<'_>| port.id().parse() == Ok(id);
    let port = inventory.ports.get(&id).map(AnyPort::Read);
    port.into_iter().chain(closed(inventory, is_its)).collect()
}

/// A subport is `INTERFACE.VLAN`, as Linux names VLAN interfaces.
fn by_interface<'a>(inventory: &'a Inventory, reference: &str) -> Vec<AnyPort<'a>> {
    let is_there = |port: &AnyPort<'_>| match (port.interface(), port.vlan()) {
        (Some(interface), None) => interface.as_str() == reference,
        (Some(interface), Some(vlan)) => format!("{interface}.{}", vlan.id()) == reference,
        (None, _) => false,
    };
    let tagged = reference.rsplit_once('.').map(|(interface, _)| interface);
    let names = std::iter::once(reference).chain(tagged);
    let ports = names
        .flat_map(|name| inventory.ports_at(name))
        .map(AnyPort::Read);
    let ports = ports.filter(is_there);
    ports.chain(closed(inventory, is_there)).collect()
}

fn by_mac<'a>(inventory: &'a Inventory, reference: &str) -> Vec<AnyPort<'a>> {
    let mac = Mac::parse(reference);
    read(inventory, |port| mac == Some(port.mac))
}

fn by_address<'a>(inventory: &'a Inventory, reference: &str) -> Vec<AnyPort<'a>> {
    match reference.parse::<IpAddr>() {
        Ok(address) => read(inventory, |port| port.fixed_ips.contains(&address)),
        Err(_) => Vec::new(),
    }
}

/// A closed port also by what is written for its id, which need not be one.
fn by_name<'a>(inventory: &'a Inventory, reference: &str) -> Vec<AnyPort<'a>> {
    if reference.is_empty() {
        return Vec::new();
    }
    let is_its = |port: &AnyPort<'_>| port.name() == reference || port.id() == reference;
    let ports = read(inventory, |port| port.name == reference);
    ports.into_iter().chain(closed(inventory, is_its)).collect()
}

fn read(inventory: &Inventory, is_it: impl Fn(&Port) -> bool) -> Vec<AnyPort<'_>> {
    let ports = inventory.ports.values().filter(|port| is_it(port));
    ports.map(AnyPort::Read).collect()
}

fn closed<'a>(
    inventory: &'a Inventory,
    is_it: impl Fn(&AnyPort<'_>) -> bool,
) -> impl Iterator<Item = AnyPort<'a>> {
    let ports = inventory.closed.iter().map(AnyPort::Closed);
    ports.filter(move |port| is_it(port))
}
