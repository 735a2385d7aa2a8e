//! Ports.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::addresses::{self, For};
use super::{Collection, Create, id, network, security_group, shown};
use crate::attributes::{Attrs, tables, twice};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{Fields, Object, Pair, Port};
use crate::python;
use crate::query::Filters;
use crate::world::{Draft, World};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "ports",
    resource: "port",
    plural: "ports",
    attributes: tables::PORTS,
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

/// How many characters the name of a host has at most: it is a part of keys.
const LONGEST_HOST: usize = 255;

/// Who is taken for trusted: no filter is put before what the network itself has.
const TRUSTED: &str = "network:";

/// How a port is bound that has no host, and one whose host is not there.
const UNBOUND: &str = "unbound";
const FAILED: &str = "binding_failed";

/// The port of an id.
pub fn find<'a>(world: &'a World, text: &str) -> Result<&'a Port> {
    let port = id(text).and_then(|id| world.ports.get(&id));
    port.ok_or_else(|| not_found(Missing::Port, text))
}

fn view(world: &World, port: &Port) -> Fields {
    let mut fields = shown(port);
    let node = world.nodes.get(&port.host_id);
    // One that takes nothing of this store enforces something else.
    let node = node.filter(|node| node["connected"] != false);
    let state = node.and_then(|node| node["states"][port.id.to_string()].as_str());
    let status = match state {
        // All that was asked for is so: that nothing is refused, too.
        Some("enforcing" | "unfiltered" | "audit") => "ACTIVE",
        _ => "DOWN",
    };
    fields.insert("status".into(), status.into());
    fields.insert("binding:vif_type".into(), vif_type(world, port).into());
    fields.insert("binding:vif_details".into(), json!({}));
    fields
}

/// What has become of the binding to a host.
fn vif_type(world: &World, port: &Port) -> &'static str {
    match port.host_id.is_empty() {
        true => UNBOUND,
        false if world.nodes.contains_key(&port.host_id) => "tap",
        false => FAILED,
    }
}

fn list(draft: &mut Draft, filters: &Filters) -> Result<Vec<Fields>> {
    let world = &draft.world;
    let ports: Vec<&Port> = match filters.ids("network_id") {
        Some(networks) => networks
            .into_iter()
            .flat_map(|network| world.ports_of(network))
            .collect(),
        None => world.ports.values().collect(),
    };
    let ports = ports
        .into_iter()
        .filter(|port| filters.may_have_id(port.id));
    Ok(ports.map(|port| view(world, port)).collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(world, find(world, text)?))
}

fn create(draft: &mut Draft, attributes: Attrs) -> Result<Fields> {
    let project = attributes.string("project_id");
    security_group::ensure_default(draft, &project)?;
    let on = network::find(&draft.world, &attributes.string("network_id"))?.clone();
    only_services(&attributes, "create")?;
    let mac_address = match attributes.text("mac_address") {
        Some(mac) => {
            free_mac(&draft.world, on.id, mac, None)?;
            mac.to_owned()
        }
        None => random_mac(&draft.world, on.id),
    };
    let owner = attributes.string("device_owner");
    let asked = attributes.list("fixed_ips").map(Vec::as_slice);
    let place = For {
        port: None,
        network: on.id,
        mac: &mac_address,
        owner: &owner,
    };
    let fixed_ips = addresses::allocate(&draft.world, place, asked, &[])?;
    let is_trusted = owner.starts_with(TRUSTED);
    let said = attributes.bool("port_security_enabled");
    let port_security_enabled = !is_trusted && said.unwrap_or(on.port_security_enabled);
    let allowed_address_pairs = pairs(&attributes, &mac_address)?.unwrap_or_default();
    if !port_security_enabled && !allowed_address_pairs.is_empty() {
        return Err(pairs_need_security());
    }
    let asked = attributes.texts("security_groups");
    let security_groups = match (port_security_enabled, asked) {
        (false, Some(groups)) if !groups.is_empty() => return Err(groups_need_security()),
        (true, None) => vec![security_group::ensure_default(draft, &project)?],
        (_, groups) => self::groups(&draft.world, &groups.unwrap_or_default())?,
    };
    let mut standard = draft.standard(attributes.text("description").map(str::to_owned));
    standard.revision_number = 1;
    let port = Port {
        id: draft.id(),
        name: attributes.string("name"),
        project_id: project,
        network_id: on.id,
        admin_state_up: attributes.bool("admin_state_up").unwrap_or(true),
        mac_address,
        fixed_ips,
        device_id: attributes.string("device_id"),
        device_owner: owner,
        security_groups,
        port_security_enabled,
        allowed_address_pairs,
        extra_dhcp_opts: options(&[], &attributes)?,
        vnic_type: attributes.string("binding:vnic_type"),
        host_id: host(&attributes)?,
        profile: profile(&attributes).unwrap_or_default(),
        standard,
    };
    let fields = view(&draft.world, &port);
    draft.put(Object::Port(port));
    Ok(fields)
}

fn update(draft: &mut Draft, text: &str, attributes: Attrs) -> Result<Fields> {
    let old = find(&draft.world, text)?.clone();
    only_services(&attributes, "update")?;
    draft.expect(&old.standard)?;
    let mac = mac(&draft.world, &old, &attributes);
    check_binding(&draft.world, &old, &attributes, mac.as_deref())?;
    let mut port = old.clone();
    security_group::ensure_default(draft, &port.project_id)?;
    let say = |name: &str, field: &mut String| {
        if let Some(value) = attributes.get(name) {
            *field = match value {
                Value::Null => String::new(),
                value => python::str(value),
            };
        }
    };
    say("device_owner", &mut port.device_owner);
    say("device_id", &mut port.device_id);
    say("name", &mut port.name);
    say("binding:vnic_type", &mut port.vnic_type);
    if attributes.get("binding:host_id").is_some() {
        port.host_id = host(&attributes)?;
    }
    if let Some(is_up) = attributes.bool("admin_state_up") {
        port.admin_state_up = is_up;
    }
    if let Some(mac) = mac {
        change_mac(&draft.world, &mut port, mac)?;
    }
    move_addresses(&draft.world, &mut port, &attributes)?;
    secure(&draft.world, &mut port, &attributes)?;
    port.extra_dhcp_opts = options(&port.extra_dhcp_opts, &attributes)?;
    if let Some(profile) = profile(&attributes) {
        port.profile = profile;
    }
    if let Some(description) = attributes.get("description") {
        port.standard.description = description.as_str().map(str::to_owned);
    }
    draft.touch(port != old, &mut port.standard)?;
    let fields = view(&draft.world, &port);
    draft.put(Object::Port(port));
    Ok(fields)
}

/// The hardware address that a port is to have in the place of its own.
fn mac(world: &World, old: &Port, attributes: &Attrs) -> Option<String> {
    let said = attributes.get("mac_address")?;
    // Nothing in its place asks for another one.
    let mac = match said.as_str() {
        Some(mac) => mac.to_owned(),
        None => random_mac(world, old.network_id),
    };
    (mac != old.mac_address).then_some(mac)
}

/// A tap that is there was made for what its port is, and with its hardware address.
fn check_binding(world: &World, old: &Port, attributes: &Attrs, mac: Option<&str>) -> Result<()> {
    let vif = vif_type(world, old);
    let kind = attributes.text("binding:vnic_type");
    if kind.is_some_and(|kind| kind != old.vnic_type) && vif != UNBOUND {
        return Err(ApiError::conflict(
            "PortInUse",
            format!(
                "Unable to complete operation on port {} for network {}. Port already has an attached device {}.",
                old.id, old.network_id, old.device_id
            ),
        ));
    }
    match mac.filter(|_| !matches!(vif, UNBOUND | FAILED)) {
        None => Ok(()),
        Some(mac) => Err(ApiError::conflict(
            "PortBound",
            format!(
                "Unable to complete operation on port {}, port is already bound, port type: {vif}, old_mac {}, \
                 new_mac {mac}.",
                old.id, old.mac_address
            ),
        )),
    }
}

/// Another hardware address, and what the port makes of it.
fn change_mac(world: &World, port: &mut Port, mac: String) -> Result<()> {
    if port.device_owner.starts_with(TRUSTED) {
        return Err(ApiError::conflict(
            "UnsupportedPortDeviceOwner",
            format!(
                "Operation mac address update is not supported for device_owner {} on port {}.",
                port.device_owner, port.id
            ),
        ));
    }
    free_mac(world, port.network_id, &mac, Some(port.id))?;
    for fixed in &mut port.fixed_ips {
        let subnet = world.subnets.get(&fixed.subnet_id);
        let own = |mac: &str| subnet.and_then(|subnet| addresses::own_address(subnet, mac));
        if own(&port.mac_address) == Some(fixed.ip_address)
            && let Some(own) = own(&mac)
        {
            fixed.ip_address = own;
        }
    }
    port.mac_address = mac;
    Ok(())
}

/// Other addresses.
fn move_addresses(world: &World, port: &mut Port, attributes: &Attrs) -> Result<()> {
    let Some(asked) = attributes.list("fixed_ips") else {
        return Ok(());
    };
    let place = For {
        port: Some(port.id),
        network: port.network_id,
        mac: &port.mac_address,
        owner: &port.device_owner,
    };
    port.fixed_ips = addresses::change(world, place, &port.fixed_ips, asked)?;
    Ok(())
}

/// Port security, pairs and groups: they go together, or not at all.
fn secure(world: &World, port: &mut Port, attributes: &Attrs) -> Result<()> {
    if let Some(is_on) = attributes.bool("port_security_enabled") {
        port.port_security_enabled = is_on;
    }
    let pairs = pairs(attributes, &port.mac_address)?;
    let groups = attributes.texts("security_groups");
    if !port.port_security_enabled {
        match &pairs {
            Some(pairs) if !pairs.is_empty() => return Err(pairs_need_security()),
            None if !port.allowed_address_pairs.is_empty() => return Err(pairs_need_security()),
            _ => {}
        }
        match &groups {
            Some(groups) if !groups.is_empty() => return Err(groups_need_security()),
            None if !port.security_groups.is_empty() => {
                return Err(ApiError::conflict(
                    "PortSecurityPortHasSecurityGroup",
                    "Port has security group associated. Cannot disable port security or IP address until \
                     security group is removed.",
                ));
            }
            _ => {}
        }
    }
    if let Some(pairs) = pairs {
        port.allowed_address_pairs = pairs;
    }
    if let Some(groups) = groups {
        port.security_groups = self::groups(world, &groups)?;
    }
    Ok(())
}

/// The groups of these ids, which are all stateful or all stateless.
fn groups(world: &World, ids: &[String]) -> Result<Vec<Uuid>> {
    let found = |text: &String| security_group::find(world, text).ok();
    let missing: Vec<&str> = ids
        .iter()
        .filter(|id| found(id).is_none())
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Err(not_found(Missing::SecurityGroup, &missing.join(", ")));
    }
    let groups: Vec<_> = ids.iter().filter_map(found).collect();
    let is_mixed = groups
        .iter()
        .any(|group| group.stateful != groups[0].stateful);
    if is_mixed {
        return Err(ApiError::conflict(
            "SecurityGroupConflict",
            "Error Cannot apply both stateful and stateless security groups on the same port at the same time \
             while attempting the operation.",
        ));
    }
    Ok(groups.into_iter().map(|group| group.id).collect())
}

fn pairs_need_security() -> ApiError {
    ApiError::conflict(
        "AddressPairAndPortSecurityRequired",
        "Port Security must be enabled in order to have allowed address pairs on a port.",
    )
}

fn groups_need_security() -> ApiError {
    ApiError::bad(
        "PortSecurityAndIPRequiredForSecurityGroups",
        "Port security must be enabled and port must have an IP address in order to use security groups.",
    )
}

/// The pairs, if any are said; those without a hardware address get the port's.
fn pairs(attributes: &Attrs, mac: &str) -> Result<Option<Vec<Pair>>> {
    let Some(said) = attributes.list("allowed_address_pairs") else {
        return Ok(None);
    };
    let text = |pair: &Value, name: &str| pair[name].as_str().map(str::to_owned);
    let mut pairs: Vec<Pair> = Vec::new();
    for pair in said {
        let pair = Pair {
            mac_address: text(pair, "mac_address").unwrap_or_else(|| mac.into()),
            ip_address: text(pair, "ip_address").unwrap_or_default(),
        };
        if pairs.contains(&pair) {
            return Err(twice(&pair.mac_address, &pair.ip_address));
        }
        pairs.push(pair);
    }
    Ok(Some(pairs))
}

/// The options of DHCP: what is said replaces what is there under its name and family, nothing in the place of a value
/// takes it away, and the others stay.
fn options(before: &[Value], attributes: &Attrs) -> Result<Vec<Value>> {
    let said = attributes.list("extra_dhcp_opts").map(Vec::as_slice);
    let Some(said) = said.filter(|said| !said.is_empty()) else {
        return Ok(before.to_vec());
    };
    let place = |option: &Value| {
        let version = python::int(&option["ip_version"]).unwrap_or(4);
        (python::str(&option["opt_name"]), version)
    };
    let before: BTreeMap<_, _> = before
        .iter()
        .map(|option| (place(option), option["opt_value"].clone()))
        .collect();
    let mut options = before.clone();
    for option in said {
        let place = place(option);
        let value = option["opt_value"].clone();
        if value.is_null() {
            options.remove(&place);
        } else if options.insert(place.clone(), value).is_some() && !before.contains_key(&place) {
            return Err(ApiError::conflict(
                "NeutronDbObjectDuplicateEntry",
                "Failed to create a duplicate ExtraDhcpOpt: for attribute(s) ['port_id', 'opt_name', 'ip_version'] \
                 with value(s) None",
            ));
        }
    }
    let options = options.into_iter().map(|((name, version), value)| {
        json!({"opt_name": name, "opt_value": value, "ip_version": version})
    });
    Ok(options.collect())
}

/// The host, by whatever it was called.
fn host(attributes: &Attrs) -> Result<String> {
    let host = attributes
        .get("binding:host_id")
        .filter(|host| python::is_true(host));
    let host = host.map(python::str).unwrap_or_default();
    match host.chars().count() > LONGEST_HOST {
        false => Ok(host),
        true => Err(ApiError::request(format!(
            "Invalid input for binding:host_id. Reason: '{host}' exceeds maximum length of {LONGEST_HOST}."
        ))),
    }
}

fn profile(attributes: &Attrs) -> Option<Map<String, Value>> {
    let profile = attributes.get("binding:profile")?;
    Some(profile.as_object().cloned().unwrap_or_default())
}

/// What only other services may say, by Neutron's own rules.
fn only_services(attributes: &Attrs, action: &str) -> Result<()> {
    let rule = match attributes.is_set("binding:host_id") {
        false => format!("rule:{action}_port"),
        true => format!("(rule:{action}_port and rule:{action}_port:binding:host_id)"),
    };
    match attributes.is_set("binding:profile") {
        false => Ok(()),
        true => Err(ApiError::new(
            403,
            "PolicyNotAuthorized",
            format!("({rule} and rule:{action}_port:binding:profile) is disallowed by policy"),
        )),
    }
}

fn free_mac(world: &World, network: Uuid, mac: &str, own: Option<Uuid>) -> Result<()> {
    let holder = world.mac_holder(network, mac);
    match holder.is_some_and(|holder| Some(holder) != own) {
        false => Ok(()),
        true => Err(ApiError::conflict(
            "MacAddressInUse",
            format!(
                "Unable to complete operation for network {network}. The mac address {mac} is in use."
            ),
        )),
    }
}

/// One of the range that Neutron draws from, free in the network.
fn random_mac(world: &World, network: Uuid) -> String {
    loop {
        let [.., a, b, c] = fastrand::u32(..).to_be_bytes();
        let mac = format!("fa:16:3e:{a:02x}:{b:02x}:{c:02x}");
        if free_mac(world, network, &mac, None).is_ok() {
            return mac;
        }
    }
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let port = find(&draft.world, text)?.clone();
    draft.expect(&port.standard)?;
    remove(draft, &port);
    Ok(())
}

/// Takes a port away, with what is logged of it.
pub fn remove(draft: &mut Draft, port: &Port) {
    let logs = draft.world.logs.values();
    let logs: Vec<_> = logs
        .filter(|log| log.target_id == Some(port.id))
        .cloned()
        .collect();
    for log in logs {
        draft.delete(&Object::Log(log));
    }
    draft.delete(&Object::Port(port.clone()));
}
