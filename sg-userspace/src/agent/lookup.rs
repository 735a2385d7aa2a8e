//! Finding a port by whatever a person knows of it.

use std::net::IpAddr;

use crate::{
    error::{Error, Result},
    model::{ClosedPort, Inventory, Mac, Port},
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

    fn id(self) -> String {
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

/// The port with this id, name, interface, MAC or IP address.
///
/// What identifies a port goes before what merely describes it: a name that is another port's id
/// does not hide it.
pub fn find<'a>(inventory: &'a Inventory, reference: &str) -> Result<AnyPort<'a>> {
    for matches in [is_id, is_interface, is_name, is_mac, is_address] {
        let found: Vec<_> = all(inventory)
            .filter(|port| matches(*port, reference))
            .collect();
        match found.as_slice() {
            [] => {}
            [port] => return Ok(*port),
            several => {
                let ids: Vec<_> = several.iter().map(|port| port.id()).collect();
                let (reference, ids) = (reference.into(), ids.join(", "));
                return Err(Error::AmbiguousPort { reference, ids });
            }
        }
    }
    Err(Error::NoSuchPort(reference.into()))
}

fn is_id(port: AnyPort<'_>, reference: &str) -> bool {
    port.id().eq_ignore_ascii_case(reference)
}

fn is_interface(port: AnyPort<'_>, reference: &str) -> bool {
    match port {
        AnyPort::Read(port) => port.interface.as_str() == reference,
        AnyPort::Closed(port) => port
            .interface
            .as_ref()
            .is_some_and(|i| i.as_str() == reference),
    }
}

fn is_name(port: AnyPort<'_>, reference: &str) -> bool {
    let name = match port {
        AnyPort::Read(port) => &port.name,
        AnyPort::Closed(port) => &port.name,
    };
    !name.is_empty() && name == reference
}

fn is_mac(port: AnyPort<'_>, reference: &str) -> bool {
    let AnyPort::Read(port) = port else {
        return false;
    };
    Mac::parse(reference) == Some(port.mac)
}

fn is_address(port: AnyPort<'_>, reference: &str) -> bool {
    let AnyPort::Read(port) = port else {
        return false;
    };
    reference
        .parse::<IpAddr>()
        .is_ok_and(|address| port.fixed_ips.contains(&address))
}
