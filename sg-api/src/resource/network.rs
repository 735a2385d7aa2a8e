//! Networks.

use serde_json::{Value, json};

use super::{Collection, Create, id, port, security_group, shown, subnet};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{Fields, Network, Object, Port, Subnet};
use crate::python;
use crate::query::Filters;
use crate::world::{Draft, World};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "networks",
    resource: "network",
    plural: "networks",
    attributes: tables::NETWORKS,
    is_core: true,
    is_tagged: true,
    has_bulk: true,
    has_quota: true,
    list,
    show,
    create: Some(Create::Each(create)),
    update: Some(update),
    delete: Some(delete),
    key: "id",
    always: &[],
    actions: &[],
};

/// The type of every network.
const LOCAL: &str = "local";

/// The largest packet if nothing is said, and the largest that can be said: Neutron's, unless it is configured.
const MTU: u64 = 1500;

/// Who has ports that go with their network.
pub const GOES_ALONG: [&str; 3] = [
    "network:dhcp",
    "network:distributed",
    "network:floatingip_agent_gateway",
];

/// The network of an id.
pub fn find<'a>(world: &'a World, text: &str) -> Result<&'a Network> {
    let network = id(text).and_then(|id| world.networks.get(&id));
    network.ok_or_else(|| not_found(Missing::Network, text))
}

fn view(world: &World, network: &Network) -> Fields {
    let mut fields = shown(network);
    let subnets = world.subnets_of(network.id).into_iter();
    let subnets: Vec<Value> = subnets.map(|subnet| subnet.id.to_string().into()).collect();
    let derived = json!({
        "subnets": subnets,
        "status": "ACTIVE",
        "availability_zones": [],
        "availability_zone_hints": [],
        "ipv4_address_scope": null,
        "ipv6_address_scope": null,
        "provider:network_type": LOCAL,
        "provider:physical_network": null,
        "provider:segmentation_id": null,
    });
    if let Value::Object(derived) = derived {
        fields.extend(derived);
    }
    if network.external {
        fields.insert("is_default".into(), false.into());
    }
    fields
}

fn list(draft: &mut Draft, filters: &Filters) -> Result<Vec<Fields>> {
    let networks = draft.world.networks.values();
    let networks = networks.filter(|network| filters.may_have_id(network.id));
    Ok(networks
        .map(|network| view(&draft.world, network))
        .collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(world, find(world, text)?))
}

fn create(draft: &mut Draft, attributes: Attrs) -> Result<Fields> {
    let project = attributes.string("project_id");
    security_group::ensure_default(draft, &project)?;
    check_provider(&attributes)?;
    check_default(&attributes)?;
    check_zones(&attributes)?;
    check_mtu(&attributes)?;
    let is = |name| attributes.bool(name).unwrap_or(false);
    let mtu = attributes.get("mtu").and_then(Value::as_u64);
    let mut standard = draft.standard(attributes.text("description").map(str::to_owned));
    standard.revision_number = 1;
    let network = Network {
        id: draft.id(),
        name: attributes.string("name"),
        project_id: project,
        admin_state_up: is("admin_state_up"),
        shared: is("shared"),
        external: is("router:external"),
        port_security_enabled: is("port_security_enabled"),
        mtu: mtu.filter(|mtu| *mtu != 0).unwrap_or(MTU),
        standard,
    };
    let mut fields = view(&draft.world, &network);
    // Of a network that is not external, only the answer to the one who makes it has this.
    fields.insert("is_default".into(), false.into());
    draft.put(Object::Network(network));
    Ok(fields)
}

/// There is one physical network here: whatever the nodes are on.
fn check_provider(attributes: &Attrs) -> Result<()> {
    let is_said = |name| attributes.get(name).is_some();
    let details = ["provider:physical_network", "provider:segmentation_id"];
    match attributes.text("provider:network_type") {
        Some(LOCAL) => match details.into_iter().find(|name| is_said(name)) {
            None => Ok(()),
            Some(name) => Err(ApiError::input(format!(
                "{} prohibited for local provider network",
                name.trim_start_matches("provider:")
            ))),
        },
        Some(other) => Err(ApiError::input(format!(
            "network_type value '{other}' not supported"
        ))),
        None if details.into_iter().any(is_said) => Err(ApiError::input("network_type required")),
        None => Ok(()),
    }
}

/// A network stays what it is.
fn check_same_provider(attributes: &Attrs) -> Result<()> {
    let kind = attributes.text("provider:network_type");
    let is_other = kind.is_some_and(|kind| kind != LOCAL);
    if is_other || attributes.get("provider:physical_network").is_some() {
        return Err(ApiError::input(
            "Plugin does not support updating the following provider network attributes: \
             provider:network_type, provider:physical_network",
        ));
    }
    let segment = attributes.get("provider:segmentation_id");
    match segment.is_some_and(python::is_true) {
        true => Err(ApiError::input("Only VLAN type networks can be updated.")),
        false => Ok(()),
    }
}

/// The default network is the one that routers are set up on for who asks for a topology.
fn check_default(attributes: &Attrs) -> Result<()> {
    match attributes.bool("is_default") {
        Some(true) => Err(ApiError::input(
            "is_default: this server has no routers whose network this could be",
        )),
        _ => Ok(()),
    }
}

fn check_mtu(attributes: &Attrs) -> Result<()> {
    let mtu = attributes.get("mtu").and_then(Value::as_u64);
    match mtu.is_some_and(|mtu| mtu > MTU) {
        false => Ok(()),
        true => Err(ApiError::input(format!(
            "Requested MTU is too big, maximum is {MTU}"
        ))),
    }
}

/// There are no zones here.
fn check_zones(attributes: &Attrs) -> Result<()> {
    let zones = attributes.texts("availability_zone_hints");
    match zones.and_then(|zones| zones.into_iter().next()) {
        None => Ok(()),
        Some(zone) => Err(ApiError::missing(
            "AvailabilityZoneNotFound",
            format!("AvailabilityZone {zone} could not be found."),
        )),
    }
}

fn update(draft: &mut Draft, text: &str, attributes: Attrs) -> Result<Fields> {
    let old = find(&draft.world, text)?.clone();
    let mut network = old.clone();
    check_same_provider(&attributes)?;
    check_default(&attributes)?;
    check_mtu(&attributes)?;
    let mtu = attributes.get("mtu").and_then(Value::as_u64);
    if let Some(mtu) = mtu {
        for subnet in draft.world.subnets_of(network.id) {
            // What is too small for IPv4 is told so whatever there is.
            subnet::check_mtu(network.id, mtu, 4)?;
            subnet::check_mtu(network.id, mtu, subnet.ip_version)?;
        }
        network.mtu = if mtu == 0 { MTU } else { mtu };
    }
    if network.shared && attributes.bool("shared") == Some(false) {
        still_own(&draft.world, &network)?;
    }
    if network.external && attributes.bool("router:external") == Some(false) {
        has_no_gateway(&draft.world, &network)?;
    }
    let say = |name, field: &mut bool| {
        if let Some(is) = attributes.bool(name) {
            *field = is;
        }
    };
    say("admin_state_up", &mut network.admin_state_up);
    say("shared", &mut network.shared);
    say("router:external", &mut network.external);
    say("port_security_enabled", &mut network.port_security_enabled);
    if let Some(name) = attributes.text("name") {
        network.name = name.into();
    }
    if let Some(description) = attributes.get("description") {
        network.standard.description = description.as_str().map(str::to_owned);
    }
    draft.touch(network != old, &mut network.standard)?;
    let fields = view(&draft.world, &network);
    draft.put(Object::Network(network));
    Ok(fields)
}

/// A router must not be left without the network by which it reaches others.
fn has_no_gateway(world: &World, network: &Network) -> Result<()> {
    let mut ports = world.ports_of(network.id);
    match ports.any(|port| port.device_owner == "network:router_gateway") {
        false => Ok(()),
        true => Err(ApiError::conflict(
            "ExternalNetworkInUse",
            format!(
                "External network {} cannot be updated to be made non-external, since it has existing gateway ports.",
                network.id
            ),
        )),
    }
}

/// Others must not be left on a network that is theirs no more.
fn still_own(world: &World, network: &Network) -> Result<()> {
    let ports = world.ports_of(network.id);
    let ports = ports.filter(|port| !port.device_owner.starts_with("network:"));
    let subnets = world.subnets_of(network.id).into_iter();
    let mut projects = ports
        .map(|port| &port.project_id)
        .chain(subnets.map(|subnet| &subnet.project_id));
    match projects.any(|project| *project != network.project_id) {
        false => Ok(()),
        true => Err(ApiError::conflict(
            "InvalidSharedSetting",
            format!(
                "Unable to reconfigure sharing settings for network {}. Multiple projects are using it.",
                network.name
            ),
        )),
    }
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let network = find(&draft.world, text)?.clone();
    let ports = draft.world.ports_of(network.id);
    let (along, others): (Vec<Port>, Vec<Port>) = ports
        .cloned()
        .partition(|port| GOES_ALONG.contains(&port.device_owner.as_str()));
    if !others.is_empty() {
        let ids: Vec<String> = others.iter().map(|port| port.id.to_string()).collect();
        return Err(ApiError::conflict(
            "NetworkInUse",
            format!(
                "Unable to complete operation on network {}. There are one or more ports still in use on the \
                 network, id for these ports is: {}.",
                network.id,
                ids.join(",")
            ),
        ));
    }
    draft.expect(&network.standard)?;
    for port in along {
        port::remove(draft, &port);
    }
    let subnets = draft.world.subnets_of(network.id).into_iter();
    let subnets: Vec<Subnet> = subnets.cloned().collect();
    for subnet in subnets {
        draft.delete(&Object::Subnet(subnet));
    }
    draft.delete(&Object::Network(network));
    Ok(())
}
