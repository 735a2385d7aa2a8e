//! Subnets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use uuid::Uuid;

use super::{Collection, Create, addresses, id, network, pools, shown};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{Fields, Network, Object, Port, Subnet};
use crate::query::Filters;
use crate::world::{Draft, World};
use crate::{net, python};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "subnets",
    resource: "subnet",
    plural: "subnets",
    attributes: tables::SUBNETS,
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

/// How many servers of names a subnet may have.
const MOST_NAMESERVERS: usize = 5;

/// How many routes a subnet may have.
const MOST_ROUTES: usize = 20;

/// Who has ports without which a router would be on the subnet no more.
pub(super) const ROUTER_INTERFACES: [&str; 3] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
];

/// The subnet of an id.
pub fn find<'a>(world: &'a World, text: &str) -> Result<&'a Subnet> {
    let subnet = id(text).and_then(|id| world.subnets.get(&id));
    subnet.ok_or_else(|| not_found(Missing::Subnet, text))
}

fn view(world: &World, subnet: &Subnet) -> Fields {
    let mut fields = shown(subnet);
    fields.insert("subnetpool_id".into(), Value::Null);
    let network = world.networks.get(&subnet.network_id);
    let is_external = network.is_some_and(|network| network.external);
    fields.insert("router:external".into(), is_external.into());
    fields
}

fn list(draft: &mut Draft, filters: &Filters) -> Result<Vec<Fields>> {
    let world = &draft.world;
    let subnets = world.subnets.values();
    let subnets = subnets.filter(|subnet| filters.may_have_id(subnet.id));
    // No answer says it, but it can be asked for: a subnet is shared with its network.
    let shared = filters.get("shared").and_then(<[Value]>::first);
    let is_shared = |subnet: &Subnet| {
        let network = world.networks.get(&subnet.network_id);
        network.is_some_and(|network| network.shared)
    };
    let subnets = subnets.filter(|subnet| shared.is_none_or(|asked| *asked == is_shared(subnet)));
    Ok(subnets.map(|subnet| view(world, subnet)).collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(world, find(world, text)?))
}

fn create(draft: &mut Draft, attributes: Attrs) -> Result<Fields> {
    let cidr = attributes.text("cidr");
    if cidr.is_some() && attributes.is_set("prefixlen") {
        return Err(ApiError::bad_resource(
            "subnets",
            "cidr and prefixlen must not be supplied together",
        ));
    }
    check_default_pool(&attributes)?;
    if let Some(pool) = attributes.text("subnetpool_id") {
        return Err(ApiError::missing(
            "SubnetPoolNotFound",
            format!("Subnet pool {pool} could not be found."),
        ));
    }
    let Some(cidr) = cidr.and_then(net::network) else {
        return Err(ApiError::bad_resource(
            "subnets",
            "a subnetpool must be specified in the absence of a cidr",
        ));
    };
    let cidr = cidr.trunc();
    let version = attributes.get("ip_version").and_then(Value::as_u64);
    let version = version.unwrap_or_default() as u8;
    check_cidr(cidr, version, attributes.bool("enable_dhcp") == Some(true))?;
    check_gateway(&attributes, Some(cidr), version)?;
    check_lists(&attributes, version, "new subnet")?;
    check_modes(&attributes, version, cidr)?;
    let on = network::find(&draft.world, &attributes.string("network_id"))?.clone();
    check_mtu(on.id, on.mtu, version)?;
    let gateway = gateway(&attributes, cidr)?;
    let said_pools = attributes.list("allocation_pools");
    let allocation_pools = match said_pools.filter(|pools| !pools.is_empty()) {
        Some(pools) => pools::read(pools, cidr)?,
        None => pools::of(cidr, gateway),
    };
    if let Some(gateway) = gateway {
        pools::without(&allocation_pools, gateway)?;
    }
    check_overlap(&draft.world, &on, cidr)?;
    let mode = |name| attributes.text(name).map(str::to_owned);
    let service_types = attributes.texts("service_types").unwrap_or_default();
    let mut standard = draft.standard(attributes.text("description").map(str::to_owned));
    standard.revision_number = u64::from(!service_types.is_empty());
    let subnet = Subnet {
        id: draft.id(),
        name: attributes.string("name"),
        project_id: attributes.string("project_id"),
        network_id: on.id,
        ip_version: version,
        cidr,
        gateway_ip: gateway,
        allocation_pools,
        dns_nameservers: attributes
            .list("dns_nameservers")
            .cloned()
            .unwrap_or_default(),
        host_routes: attributes.list("host_routes").cloned().unwrap_or_default(),
        enable_dhcp: attributes.bool("enable_dhcp").unwrap_or(true),
        ipv6_ra_mode: mode("ipv6_ra_mode"),
        ipv6_address_mode: mode("ipv6_address_mode"),
        service_types,
        standard,
    };
    let fields = view(&draft.world, &subnet);
    draft.put(Object::Subnet(subnet.clone()));
    bump_network(draft, on.id);
    if subnet.is_auto() {
        addresses::add_auto(draft, &subnet)?;
    }
    Ok(fields)
}

/// There are no pools of subnets here, and so none by default.
fn check_default_pool(attributes: &Attrs) -> Result<()> {
    if attributes.bool("use_default_subnetpool") != Some(true) {
        return Ok(());
    }
    if attributes.is_set("subnetpool_id") {
        return Err(ApiError::bad_resource(
            "subnets",
            "subnetpool_id and use_default_subnetpool cannot both be specified",
        ));
    }
    let cidr = attributes.text("cidr").and_then(net::network);
    let version = match cidr {
        Some(cidr) => u64::from(net::version(cidr.addr())),
        None => attributes
            .get("ip_version")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
    };
    Err(ApiError::bad_resource(
        "subnets",
        format!("No default subnetpool found for IPv{version}"),
    ))
}

/// A network changes with its subnets.
fn bump_network(draft: &mut Draft, network: Uuid) {
    if let Some(mut network) = draft.world.networks.get(&network).cloned() {
        draft.bump(&mut network.standard);
        draft.put(Object::Network(network));
    }
}

fn check_cidr(cidr: IpNet, version: u8, has_dhcp: bool) -> Result<()> {
    same_version(version, cidr.network(), &cidr.to_string(), "cidr")?;
    if cidr.network() == IpAddr::from([0; 16]) {
        return Err(ApiError::input("IPv6 subnet '::' is not supported"));
    }
    if !has_dhcp {
        return Ok(());
    }
    let most = match version {
        4 => 30,
        _ => 126,
    };
    if cidr.prefix_len() > most {
        return Err(ApiError::input(
            "Subnet has a prefix length that is incompatible with DHCP service enabled",
        ));
    }
    if cidr.network().is_multicast() {
        return Err(ApiError::input(
            "Multicast IP subnet is not supported if enable_dhcp is True",
        ));
    }
    if cidr.network().is_loopback() {
        return Err(ApiError::input(
            "Loopback IP subnet is not supported if enable_dhcp is True",
        ));
    }
    if cidr.network() == IpAddr::from([0; 4]) {
        return Err(ApiError::input(
            "First IP '0.0.0.0' of network is not supported if enable_dhcp is True.",
        ));
    }
    Ok(())
}

fn same_version(version: u8, address: IpAddr, told: &str, name: &str) -> Result<()> {
    match net::version(address) == version {
        true => Ok(()),
        false => Err(ApiError::input(format!(
            "{name} '{told}' does not match the ip_version '{version}'"
        ))),
    }
}

fn check_gateway(attributes: &Attrs, cidr: Option<IpNet>, version: u8) -> Result<()> {
    let Some(text) = attributes.text("gateway_ip") else {
        return Ok(());
    };
    let Ok(gateway) = text.parse::<IpAddr>() else {
        return Ok(());
    };
    same_version(version, gateway, text, "gateway_ip")?;
    let is_wrong =
        |cidr: IpNet| version == 4 && (gateway == cidr.network() || gateway == cidr.broadcast());
    match cidr.is_some_and(is_wrong) {
        false => Ok(()),
        true => Err(ApiError::input("Gateway is not valid on subnet")),
    }
}

fn check_lists(attributes: &Attrs, version: u8, subnet: &str) -> Result<()> {
    let servers = attributes.texts("dns_nameservers").unwrap_or_default();
    if servers.len() > MOST_NAMESERVERS {
        return Err(ApiError::bad(
            "DNSNameServersExhausted",
            format!(
                "Unable to complete operation for {subnet}. The number of DNS nameservers exceeds the limit \
                 {MOST_NAMESERVERS}."
            ),
        ));
    }
    for server in servers {
        if let Ok(address) = server.parse() {
            same_version(version, address, &server, "dns_nameserver")?;
        }
    }
    let routes = attributes
        .list("host_routes")
        .map_or(&[][..], Vec::as_slice);
    if routes.len() > MOST_ROUTES {
        return Err(ApiError::bad(
            "HostRoutesExhausted",
            format!(
                "Unable to complete operation for {subnet}. The number of host routes exceeds the limit \
                 {MOST_ROUTES}."
            ),
        ));
    }
    for route in routes {
        let (hop, to) = (
            python::str(&route["nexthop"]),
            python::str(&route["destination"]),
        );
        if let Ok(address) = hop.parse() {
            same_version(version, address, &hop, "nexthop")?;
        }
        if let Some(network) = net::network(&to) {
            same_version(version, network.addr(), &to, "destination")?;
        }
    }
    Ok(())
}

fn check_modes(attributes: &Attrs, version: u8, cidr: IpNet) -> Result<()> {
    let router = attributes.text("ipv6_ra_mode");
    let address = attributes.text("ipv6_address_mode");
    if version == 4 {
        for (mode, name) in [(router, "ipv6_ra_mode"), (address, "ipv6_address_mode")] {
            if mode.is_some() {
                return Err(ApiError::input(format!(
                    "{name} is not valid when ip_version is 4"
                )));
            }
        }
        return Ok(());
    }
    let is_said = router.is_some() || address.is_some();
    if is_said && attributes.bool("enable_dhcp") == Some(false) {
        return Err(ApiError::input(
            "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False",
        ));
    }
    if let (Some(router), Some(address)) = (router, address)
        && router != address
    {
        return Err(ApiError::input(format!(
            "ipv6_ra_mode set to '{router}' with ipv6_address_mode set to '{address}' is not valid. If both \
             attributes are set, they must be the same value"
        )));
    }
    let is_auto = |mode: Option<&str>| matches!(mode, Some("slaac" | "dhcpv6-stateless"));
    if (is_auto(router) || is_auto(address)) && cidr.prefix_len() != 64 {
        return Err(ApiError::input(format!(
            "Invalid CIDR {cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, which \
             requires the prefix to be /64"
        )));
    }
    Ok(())
}

/// Frames of a network that a family of addresses can do with.
pub fn check_mtu(network: Uuid, mtu: u64, version: u8) -> Result<()> {
    let least = match version {
        4 => 68,
        _ => 1280,
    };
    match mtu >= least {
        true => Ok(()),
        false => Err(ApiError::conflict(
            "NetworkMTUSubnetConflict",
            format!("MTU of {network} is not valid, subnet requires a minimum of {least}"),
        )),
    }
}

/// The gateway: what is said, or else what Neutron takes.
fn gateway(attributes: &Attrs, cidr: IpNet) -> Result<Option<IpAddr>> {
    match attributes.get("gateway_ip") {
        Some(Value::Null) => Ok(None),
        Some(said) => {
            let gateway = said.as_str().and_then(|text| text.parse().ok());
            gateway.map(Some).ok_or_else(ApiError::internal)
        }
        None => {
            // Of IPv6 Neutron takes the network's own address, which all its routers answer to.
            let first = net::number(cidr.network());
            let step = u128::from(cidr.addr().is_ipv4());
            Ok(Some(net::address(cidr.network(), first + step)))
        }
    }
}

fn check_overlap(world: &World, on: &Network, cidr: IpNet) -> Result<()> {
    if cidr.prefix_len() == 0 {
        return Err(ApiError::input("0 is not allowed as CIDR prefix length"));
    }
    let meets = |other: &&Subnet| other.cidr.contains(&cidr) || cidr.contains(&other.cidr);
    match world.subnets_of(on.id).iter().any(meets) {
        false => Ok(()),
        true => Err(ApiError::input(format!(
            "Requested subnet with cidr: {cidr} for network: {} overlaps with another subnet",
            on.id
        ))),
    }
}

fn update(draft: &mut Draft, text: &str, attributes: Attrs) -> Result<Fields> {
    let before = find(&draft.world, text)?.clone();
    let mut subnet = before.clone();
    let has_dhcp = attributes.bool("enable_dhcp") == Some(true) && !subnet.enable_dhcp;
    check_cidr(subnet.cidr, subnet.ip_version, has_dhcp)?;
    check_gateway(&attributes, Some(subnet.cidr), subnet.ip_version)?;
    check_lists(&attributes, subnet.ip_version, text)?;
    let has_modes = subnet.ipv6_ra_mode.is_some() || subnet.ipv6_address_mode.is_some();
    if has_modes && attributes.bool("enable_dhcp") == Some(false) {
        return Err(ApiError::input(
            "Cannot disable enable_dhcp with ipv6 attributes set",
        ));
    }
    let said_pools = attributes.list("allocation_pools");
    if let Some(said) = said_pools {
        subnet.allocation_pools = pools::read(said, subnet.cidr)?;
    }
    let old = subnet.gateway_ip;
    if attributes.get("gateway_ip").is_some() {
        subnet.gateway_ip = gateway(&attributes, subnet.cidr)?;
    }
    if let Some(gateway) = subnet.gateway_ip
        && (subnet.gateway_ip != old || said_pools.is_some())
    {
        pools::without(&subnet.allocation_pools, gateway)?;
    }
    if let Some(name) = attributes.text("name") {
        subnet.name = name.into();
    }
    if let Some(servers) = attributes.list("dns_nameservers") {
        subnet.dns_nameservers = servers.clone();
    }
    if let Some(routes) = attributes.list("host_routes") {
        subnet.host_routes = routes.clone();
    }
    let said_types = attributes.texts("service_types");
    let (had_types, has_types) = (
        !before.service_types.is_empty(),
        said_types.as_ref().is_some_and(|types| !types.is_empty()),
    );
    // Neutron takes them off and writes them anew, also those that stay.
    let are_new = said_types.is_some() && (had_types || has_types);
    if let Some(types) = said_types {
        subnet.service_types = types;
    }
    if let Some(has_dhcp) = attributes.bool("enable_dhcp") {
        subnet.enable_dhcp = has_dhcp;
    }
    if let Some(description) = attributes.get("description") {
        subnet.standard.description = description.as_str().map(str::to_owned);
    }
    // What is kept beside a subnet does not make it another.
    let own = |subnet: &Subnet| Subnet {
        allocation_pools: Vec::new(),
        dns_nameservers: Vec::new(),
        host_routes: Vec::new(),
        service_types: Vec::new(),
        ..subnet.clone()
    };
    let has_changed = are_new || own(&subnet) != own(&before);
    draft.touch(has_changed, &mut subnet.standard)?;
    if has_changed {
        bump_network(draft, subnet.network_id);
    }
    let fields = view(&draft.world, &subnet);
    draft.put(Object::Subnet(subnet));
    Ok(fields)
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let subnet = find(&draft.world, text)?.clone();
    let held: Vec<Port> = draft
        .world
        .held(subnet.id)
        .filter_map(|(_, port)| draft.world.ports.get(&port).cloned())
        .collect();
    let is_in_use = |port: &Port| {
        let owner = port.device_owner.as_str();
        ROUTER_INTERFACES.contains(&owner)
            || !subnet.is_auto() && !network::GOES_ALONG.contains(&owner)
    };
    if held.iter().any(is_in_use) {
        return Err(ApiError::conflict(
            "SubnetInUse",
            format!(
                "Unable to complete operation on subnet {}: One or more ports have an IP allocation from this \
                 subnet.",
                subnet.id
            ),
        ));
    }
    draft.expect(&subnet.standard)?;
    for mut port in held {
        port.fixed_ips.retain(|fixed| fixed.subnet_id != subnet.id);
        draft.bump(&mut port.standard);
        draft.put(Object::Port(port));
    }
    draft.delete(&Object::Subnet(subnet));
    Ok(())
}
