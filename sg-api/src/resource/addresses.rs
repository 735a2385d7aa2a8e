//! Which addresses a port gets.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use uuid::Uuid;

use super::subnet;
use crate::error::{ApiError, Result};
use crate::net;
use crate::objects::{FixedIp, Object, Pool, Port, Subnet};
use crate::world::{Draft, World};

/// How many of the first free addresses of a subnet one is drawn from.
const WINDOW: usize = 1000;

/// What a port has that its addresses depend on.
#[derive(Clone, Copy, Debug)]
pub struct For<'a> {
    /// The port, if it is there already.
    pub port: Option<Uuid>,
    /// Its network.
    pub network: Uuid,
    /// Its hardware address.
    pub mac: &'a str,
    /// Who has it.
    pub owner: &'a str,
}

/// What is asked for: an address, or one of some subnets.
enum Wanted {
    This(Uuid, IpAddr),
    Any(Vec<Uuid>),
}

/// The addresses of a new port, or of one that is to have others.
///
/// # Errors
///
/// They cannot be had.
pub fn allocate(
    world: &World,
    port: For<'_>,
    asked: Option<&[Value]>,
    kept: &[FixedIp],
) -> Result<Vec<FixedIp>> {
    let subnets = candidates(world, port)?;
    let mut wanted = match asked {
        Some(asked) => wanted(&subnets, world, port, asked)?,
        None => [4, 6]
            .into_iter()
            .filter_map(|version| any_of(&subnets, version))
            .collect(),
    };
    let is_host = !is_of_router(port.owner);
    for subnet in subnets.iter().filter(|subnet| is_host && subnet.is_auto()) {
        if kept.iter().any(|fixed| fixed.subnet_id == subnet.id) {
            continue;
        }
        let is_there = |one: &Wanted| matches!(one, Wanted::This(id, _) if *id == subnet.id);
        if let Some(own) = own_address(subnet, port.mac)
            && !wanted.iter().any(is_there)
        {
            wanted.push(Wanted::This(subnet.id, own));
        }
    }
    // Those that are asked for by name come first: they might be drawn for others.
    wanted.sort_by_key(|one| matches!(one, Wanted::Any(_)));
    let mut got: Vec<FixedIp> = Vec::new();
    for one in wanted {
        let fixed = match one {
            Wanted::This(subnet_id, ip_address) => {
                let fixed = FixedIp {
                    subnet_id,
                    ip_address,
                };
                let holder = world.holder(subnet_id, ip_address);
                let is_taken = holder.is_some_and(|holder| Some(holder) != port.port);
                if is_taken || got.contains(&fixed) || kept.contains(&fixed) {
                    return Err(ApiError::conflict(
                        "IpAddressAlreadyAllocated",
                        format!("IP address {ip_address} already allocated in subnet {subnet_id}"),
                    ));
                }
                fixed
            }
            Wanted::Any(ids) => {
                let subnets = ids.iter().filter_map(|id| world.subnets.get(id));
                let mut drawn = subnets.filter_map(|subnet| draw(world, subnet, port, kept, &got));
                drawn.next().ok_or_else(|| {
                    ApiError::conflict(
                        "IpAddressGenerationFailure",
                        format!(
                            "No more IP addresses available on network {}.",
                            port.network
                        ),
                    )
                })?
            }
        };
        got.push(fixed);
    }
    Ok(got)
}

/// The subnets of which the owner of a port may have addresses; those for this owner first.
fn candidates<'a>(world: &'a World, port: For<'_>) -> Result<Vec<&'a Subnet>> {
    let all = world.subnets_of(port.network);
    let is_any = all.is_empty();
    let is_for = |subnet: &Subnet| {
        let types = &subnet.service_types;
        types.is_empty() || types.iter().any(|one| one == port.owner)
    };
    let mut subnets: Vec<&Subnet> = all.into_iter().filter(|subnet| is_for(subnet)).collect();
    subnets.sort_by_key(|subnet| subnet.service_types.is_empty());
    match subnets.is_empty() && !is_any {
        false => Ok(subnets),
        true => Err(ApiError::conflict(
            "IpAddressGenerationFailureNoMatchingSubnet",
            format!(
                "No valid service subnet for the given device owner, network {}, service type {}.",
                port.network, port.owner
            ),
        )),
    }
}

/// Whether a port is a router's, which has the addresses that it is given, also where hosts make their own.
fn is_of_router(owner: &str) -> bool {
    subnet::ROUTER_INTERFACES.contains(&owner) || owner == "network:router_centralized_snat"
}

/// One of those subnets of a family in which hosts do not make their own addresses.
fn any_of(subnets: &[&Subnet], version: u8) -> Option<Wanted> {
    let subnets = subnets.iter();
    let ids: Vec<Uuid> = subnets
        .filter(|subnet| subnet.ip_version == version && !subnet.is_auto())
        .map(|subnet| subnet.id)
        .collect();
    (!ids.is_empty()).then_some(Wanted::Any(ids))
}

fn wanted(
    subnets: &[&Subnet],
    world: &World,
    port: For<'_>,
    asked: &[Value],
) -> Result<Vec<Wanted>> {
    let mut wanted = Vec::new();
    for one in asked {
        let ip = one["ip_address"].as_str();
        let ip: Option<IpAddr> = ip.and_then(|text| text.parse().ok());
        let subnet = subnet_of(subnets, world, port, one, ip)?;
        match ip {
            Some(ip) => {
                let own = own_address(subnet, port.mac);
                let is_router = subnet::ROUTER_INTERFACES.contains(&port.owner);
                if subnet.is_auto() && own != Some(ip) && !is_router {
                    return Err(ApiError::bad(
                        "AllocationOnAutoAddressSubnet",
                        format!(
                            "IPv6 address {ip} cannot be directly assigned to a port on subnet {} as the subnet \
                             is configured for automatic addresses",
                            subnet.id
                        ),
                    ));
                }
                wanted.push(Wanted::This(subnet.id, ip));
            }
            // Those that hosts make come by themselves.
            None if subnet.is_auto() && !is_of_router(port.owner) => {}
            None => wanted.push(Wanted::Any(vec![subnet.id])),
        }
    }
    Ok(wanted)
}

fn subnet_of<'a>(
    subnets: &[&'a Subnet],
    world: &World,
    port: For<'_>,
    asked: &Value,
    ip: Option<IpAddr>,
) -> Result<&'a Subnet> {
    if subnets.is_empty() {
        return Err(ApiError::input(
            "IP allocation requires subnets for network",
        ));
    }
    let fits = |subnet: &&&Subnet| ip.is_none_or(|ip| is_host(subnet.cidr, ip, port.owner));
    if let Some(id) = asked["subnet_id"].as_str() {
        let mut subnets = subnets.iter();
        let Some(subnet) = subnets.find(|subnet| subnet.id.to_string() == id) else {
            subnet::find(world, id)?;
            return Err(ApiError::input(format!(
                "Failed to create port on network {}, because fixed_ips included invalid subnet {id}",
                port.network
            )));
        };
        return match (fits(&subnet), ip) {
            (false, Some(ip)) => Err(ApiError::bad(
                "InvalidIpForSubnet",
                format!("IP address {ip} is not a valid IP for the specified subnet."),
            )),
            _ => Ok(subnet),
        };
    }
    let Some(ip) = ip else {
        return Err(ApiError::input(
            "IP allocation requires subnet_id or ip_address",
        ));
    };
    let subnet = subnets.iter().find(fits).copied();
    subnet.ok_or_else(|| {
        ApiError::bad(
            "InvalidIpForNetwork",
            format!(
                "IP address {ip} is not a valid IP for any of the subnets on the specified network."
            ),
        )
    })
}

/// Whether a host of a network may have an address.
fn is_host(network: IpNet, ip: IpAddr, owner: &str) -> bool {
    let is_own = ip == network.network();
    network.contains(&ip)
        && match network {
            IpNet::V4(_) => !is_own && ip != network.broadcast(),
            IpNet::V6(_) => !is_own || owner.is_empty() || owner.starts_with("network:router_"),
        }
}

/// The address that a host makes for itself.
pub fn own_address(subnet: &Subnet, mac: &str) -> Option<IpAddr> {
    match (subnet.is_auto(), subnet.cidr) {
        (true, IpNet::V6(network)) => net::eui64(network, mac).map(IpAddr::V6),
        _ => None,
    }
}

/// A free address of a subnet: one of the first, at random, but the first for whoever serves addresses.
fn draw(
    world: &World,
    subnet: &Subnet,
    port: For<'_>,
    kept: &[FixedIp],
    got: &[FixedIp],
) -> Option<FixedIp> {
    let mine = |ip: IpAddr| kept.iter().chain(got).any(|fixed| fixed.ip_address == ip);
    for Pool { start, end } in &subnet.allocation_pools {
        // Both in order: what is held is passed over as it comes.
        let mut held = world
            .held(subnet.id)
            .map(|(ip, _)| ip)
            .skip_while(|ip| ip < start)
            .peekable();
        let numbers = net::number(*start)..=net::number(*end);
        let free: Vec<IpAddr> = numbers
            .map(|number| net::address(*start, number))
            .filter(|ip| held.next_if_eq(ip).is_none() && !mine(*ip))
            .take(WINDOW)
            .collect();
        let drawn = match port.owner {
            "network:dhcp" => free.first().copied(),
            _ => fastrand::choice(free),
        };
        if let Some(ip_address) = drawn {
            return Some(FixedIp {
                subnet_id: subnet.id,
                ip_address,
            });
        }
    }
    None
}

/// What a port has, when it is asked to have something else: what stays, and what is new.
///
/// # Errors
///
/// What is new cannot be had.
pub fn change(
    world: &World,
    port: For<'_>,
    before: &[FixedIp],
    asked: &[Value],
) -> Result<Vec<FixedIp>> {
    let mut rest: Vec<FixedIp> = before.to_vec();
    let mut kept: Vec<FixedIp> = Vec::new();
    let mut new: Vec<Value> = Vec::new();
    let (named, unnamed): (Vec<&Value>, Vec<&Value>) = asked
        .iter()
        .partition(|one| one.get("ip_address").is_some());
    for one in named {
        let ip: Option<IpAddr> = one["ip_address"].as_str().and_then(|ip| ip.parse().ok());
        match rest.iter().position(|fixed| Some(fixed.ip_address) == ip) {
            Some(place) => kept.push(rest.remove(place)),
            None => new.push(one.clone()),
        }
    }
    for one in unnamed {
        let Some(subnet) = one["subnet_id"].as_str() else {
            return Err(ApiError::input(
                "IP allocation requires subnet_id or ip_address",
            ));
        };
        let place = rest
            .iter()
            .rposition(|fixed| fixed.subnet_id.to_string() == subnet);
        match place {
            Some(place) => kept.push(rest.remove(place)),
            None => new.push(one.clone()),
        }
    }
    // What a host makes for itself stays.
    let stays = |fixed: &FixedIp| {
        let subnet = world.subnets.get(&fixed.subnet_id);
        subnet.is_some_and(Subnet::is_auto)
            && subnet.and_then(|subnet| own_address(subnet, port.mac)) == Some(fixed.ip_address)
    };
    kept.extend(rest.into_iter().filter(stays));
    let added = allocate(world, port, Some(&new), &kept)?;
    kept.extend(added);
    Ok(kept)
}

/// Every port of a network gets an address of a new subnet in which hosts make their own.
///
/// # Errors
///
/// Somebody has one of them.
pub fn add_auto(draft: &mut Draft, subnet: &Subnet) -> Result<()> {
    let ports = draft.world.ports_of(subnet.network_id);
    let ports: Vec<Port> = ports
        .filter(|port| !is_of_router(&port.device_owner))
        .cloned()
        .collect();
    for mut port in ports {
        if let Some(ip_address) = own_address(subnet, &port.mac_address) {
            port.fixed_ips.push(FixedIp {
                subnet_id: subnet.id,
                ip_address,
            });
            draft.bump(&mut port.standard);
            draft.put(Object::Port(port));
        }
    }
    Ok(())
}
