//! Finding a port by whatever a person knows of it.

use std::net::IpAddr;

use crate::{
    error::{Error, Result},
    model::{ClosedPort, Interface, Inventory, Mac, Port, Vlan},
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

/// The port whose frames have this VLAN tag on the interface of a port: a subport of its trunk, or else
/// the port itself.
pub fn in_vlan<'a>(inventory: &'a Inventory, port: AnyPort<'a>, vlan: u16) -> AnyPort<'a> {
    let is_it = |other: &AnyPort<'_>| {
        other.vlan().map(Vlan::id) == Some(vlan) && other.interface() == port.interface()
    };
    all(inventory).find(is_it).unwrap_or(port)
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

/// A subport is `INTERFACE.VLAN`, as Linux names VLAN interfaces.
fn is_interface(port: AnyPort<'_>, reference: &str) -> bool {
    match (port.interface(), port.vlan()) {
        (Some(interface), None) => interface.as_str() == reference,
        (Some(interface), Some(vlan)) => format!("{interface}.{}", vlan.id()) == reference,
        (None, _) => false,
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
