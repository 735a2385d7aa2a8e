//! Ports (`neutron_lib.api.definitions.{port,port_security,allowedaddresspairs}`).

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use serde_json::Value;

use super::address;
use super::api;
use super::fault::{Effect, Fault, Kind, Object, Problem};
use super::fields::Fields;
use super::id::{GroupId, PortId};
use super::interface::{self, Interface};
use super::mac::{self, Mac};
use super::trunk::{self, Trunk, Vlan};

/// A port that could be read whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// `id`.
    pub id: PortId,
    /// `name`.
    pub name: String,
    /// `device` of the inventory, or the port's tap; of a subport the parent's.
    pub interface: Interface,
    /// Its part in a trunk, if it has one.
    pub trunk: Option<Trunk>,
    /// `mac_address`.
    pub mac: Mac,
    /// The `ip_address` of each of `fixed_ips`. None at all means any source address.
    pub fixed_ips: Vec<IpAddr>,
    /// `allowed_address_pairs`.
    pub pairs: Vec<AddressPair>,
    /// `security_groups` in their order, each once.
    pub groups: Vec<GroupId>,
    /// Whether the port is filtered.
    pub security: Security,
    /// `device_owner`.
    pub device_owner: String,
    /// `project_id`; may be empty.
    pub project: String,
}

/// An allowed address pair: a source the VM may use besides its fixed IPs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressPair {
    /// `ip_address`, host bits masked.
    pub net: IpNet,
    /// `mac_address`, or the port's.
    pub mac: Mac,
}

/// Whether a port is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// By its security groups.
    Filtered,
    /// Not at all: `port_security_enabled` is false.
    PortSecurityOff,
    /// Not at all: its owner is part of the network (`neutron_lib.utils.net.is_port_trusted`).
    Trusted,
}

impl Port {
    /// How faults name the port.
    pub(crate) fn object(&self) -> Object {
        Object {
            kind: Kind::Port,
            id: self.id.to_string(),
            name: self.name.clone(),
        }
    }

    /// The VLAN of a subport's frames on its interface.
    pub fn vlan(&self) -> Option<Vlan> {
        match self.trunk {
            Some(Trunk::Subport { vlan, .. }) => Some(vlan),
            Some(Trunk::Parent) | None => None,
        }
    }

    /// Every address the port may send from: fixed IPs, then pairs.
    pub fn addresses(&self) -> impl Iterator<Item = IpNet> + '_ {
        let fixed = self.fixed_ips.iter().map(|ip| IpNet::from(*ip));
        fixed.chain(self.pairs.iter().map(|pair| pair.net))
    }
}

/// Reads one port. Bad pairs are added to `faults`; any other problem closes the port.
pub(super) fn parse(
    fields: Fields<'_>,
    object: &Object,
    faults: &mut Vec<Fault>,
) -> Result<Port, Problem> {
    // The port is kept: what narrows a port is its MAC and its addresses, and without these it is closed.
    // All else (groups, pairs, port security that is off, a trunk) permits more, and a slip in its name
    // permits less. Of `device` too: the interface that is meant is filtered by no other port.
    let unknown = api::PORT.unknown(fields);
    faults.extend(unknown.map(|problem| problem.of(object, Effect::FieldLeftOut)));
    let id = super::parse_id(fields, "id")?;
    let mac = own_mac(fields)?;
    let device_owner = fields.text("device_owner")?.unwrap_or_default().to_owned();
    Ok(Port {
        id,
        name: object.name.clone(),
        interface: interface(fields, id)?,
        trunk: fields.get(trunk::TRUNK).map(|_| Trunk::Parent),
        mac,
        fixed_ips: fixed_ips(fields)?,
        pairs: pairs(fields, mac, object, faults),
        groups: groups(fields)?,
        security: security(fields.flag("port_security_enabled")?, &device_owner),
        device_owner,
        // Only what is logged names it.
        project: fields
            .text("project_id")
            .ok()
            .flatten()
            .unwrap_or_default()
            .to_owned(),
    })
}

/// Reads a port of which no more is known than that it is trusted, and where it is.
pub(super) fn parse_trusted(
    fields: Fields<'_>,
    object: &Object,
    faults: &mut Vec<Fault>,
) -> Result<Port, Problem> {
    // As of a port: a slip in the name of `device` filters the tap that the port would have.
    let unknown = api::TRUSTED.unknown(fields);
    faults.extend(unknown.map(|problem| problem.of(object, Effect::FieldLeftOut)));
    let id = super::parse_id(fields, "id")?;
    Ok(Port {
        id,
        name: String::new(),
        interface: interface(fields, id)?,
        trunk: None,
        mac: Mac::UNKNOWN,
        fixed_ips: Vec::new(),
        pairs: Vec::new(),
        groups: Vec::new(),
        security: Security::Trusted,
        device_owner: String::new(),
        project: String::new(),
    })
}

/// The interface of a port that may be wrong in every other field.
pub(super) fn interface_of(fields: Fields<'_>) -> Option<Interface> {
    let id = super::parse_id(fields, "id");
    match fields.get("device") {
        Some(_) => interface::parse("device", fields.text("device").ok()??).ok(),
        None => id.ok().map(Interface::tap),
    }
}

fn interface(fields: Fields<'_>, id: PortId) -> Result<Interface, Problem> {
    match fields.text("device")? {
        Some(name) => interface::parse("device", name),
        None => Ok(Interface::tap(id)),
    }
}

fn own_mac(fields: Fields<'_>) -> Result<Mac, Problem> {
    let advice = "give the MAC address of the VM's interface";
    let text = Fields::required("mac_address", fields.text("mac_address")?, advice)?;
    mac::sender("mac_address", text)
}

const FIXED_IPS: &str = "fixed_ips";

fn fixed_ips(fields: Fields<'_>) -> Result<Vec<IpAddr>, Problem> {
    // An empty list means any source, so a list forgotten must not be read as an empty one.
    let advice = "list the port's addresses, or write [] for a port that may send from any";
    Fields::required(FIXED_IPS, fields.get(FIXED_IPS), advice)?;
    fields.list(FIXED_IPS)?.iter().map(fixed_ip).collect()
}

/// An entry is the API's object, or the agents' RPC's plain string.
fn fixed_ip(value: &Value) -> Result<IpAddr, Problem> {
    if let Some(fields) = value.as_object().map(Fields) {
        // Left out alone, the last one would leave an empty list.
        api::FIXED_IP
            .check(fields)
            .map_err(|problem| problem.within(FIXED_IPS))?;
    }
    let text = value.as_str().or_else(|| value.get("ip_address")?.as_str());
    let text = text.ok_or_else(|| {
        let advice = "write {\"ip_address\": \"10.0.0.5\"}";
        Problem::new(FIXED_IPS, value, "has no address", advice)
    })?;
    address::ip(FIXED_IPS, text)
}

const PAIRS: &str = "allowed_address_pairs";

fn pairs(
    fields: Fields<'_>,
    port_mac: Mac,
    object: &Object,
    faults: &mut Vec<Fault>,
) -> Vec<AddressPair> {
    let values = fields.list(PAIRS).unwrap_or_else(|problem| {
        faults.push(problem.of(object, Effect::PairsLeftOut));
        &[]
    });
    let mut pairs = Vec::with_capacity(values.len());
    for value in values {
        match pair(value, port_mac) {
            Ok(pair) => pairs.push(pair),
            Err(problem) => faults.push(problem.of(object, Effect::PairLeftOut)),
        }
    }
    pairs
}

fn pair(value: &Value, port_mac: Mac) -> Result<AddressPair, Problem> {
    let in_pair = |problem: Problem| problem.within(PAIRS);
    let fields = super::fields_of(value, PAIRS)?;
    api::PAIR.check(fields).map_err(in_pair)?;
    let text = fields.text("ip_address").map_err(in_pair)?;
    let text = Fields::required(PAIRS, text, "give each pair an ip_address")?;
    let net = address::cidr(PAIRS, text)?;
    address::source(PAIRS, text, &net)?;
    let mac = match fields.text("mac_address").map_err(in_pair)? {
        Some(text) => mac::sender(PAIRS, text)?,
        None => port_mac,
    };
    Ok(AddressPair { net, mac })
}

fn groups(fields: Fields<'_>) -> Result<Vec<GroupId>, Problem> {
    let mut groups = Vec::new();
    for value in fields.list("security_groups")? {
        let id = value
            .as_str()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                let advice = "list the ids of the port's security groups";
                Problem::new("security_groups", value, "is not a UUID", advice)
            })?;
        if !groups.contains(&id) {
            groups.push(id);
        }
    }
    Ok(groups)
}

fn security(port_security_enabled: Option<bool>, device_owner: &str) -> Security {
    if port_security_enabled == Some(false) {
        Security::PortSecurityOff
    } else if device_owner.starts_with("network:") {
        Security::Trusted
    } else {
        Security::Filtered
    }
}
