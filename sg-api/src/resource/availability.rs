//! How many addresses of each network are in use.

use serde_json::{Value, json};

use super::{Collection, Create, network};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Result};
use crate::net;
use crate::objects::{Fields, Network, Subnet};
use crate::query::Filters;
use crate::world::{Draft, World};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "network-ip-availabilities",
    resource: "network_ip_availability",
    plural: "network_ip_availabilities",
    attributes: tables::AVAILABILITIES,
    is_core: false,
    is_tagged: false,
    has_bulk: false,
    has_quota: false,
    list,
    show,
    create: Some(Create::Each(create)),
    update: None,
    delete: None,
    key: "network_id",
    always: &[],
    actions: &[],
};

/// Numbers of addresses.
#[derive(Clone, Copy, Default)]
struct Tally {
    in_subnet: u128,
    in_pools: u128,
    used: u128,
    used_of_pools: u128,
}

impl Tally {
    fn of(world: &World, subnet: &Subnet) -> Self {
        let cidr = subnet.cidr;
        let all = net::number(cidr.broadcast()) - net::number(cidr.network());
        // Without the address of the network and that to all.
        let in_subnet = match cidr.addr().is_ipv4() {
            true => all.saturating_sub(1),
            false => all.saturating_add(1),
        };
        let pools = || subnet.allocation_pools.iter();
        let sizes = pools().map(|pool| net::number(pool.end) - net::number(pool.start) + 1);
        let is_pooled = |ip| pools().any(|pool| pool.start <= ip && ip <= pool.end);
        let held: Vec<_> = world.held(subnet.id).collect();
        let of_pools = held.iter().filter(|(ip, _)| is_pooled(*ip)).count();
        Self {
            in_subnet,
            in_pools: sizes.sum(),
            used: held.len() as u128,
            used_of_pools: of_pools as u128,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            in_subnet: self.in_subnet.saturating_add(other.in_subnet),
            in_pools: self.in_pools.saturating_add(other.in_pools),
            used: self.used + other.used,
            used_of_pools: self.used_of_pools + other.used_of_pools,
        }
    }

    fn fields(self) -> Fields {
        // Larger numbers are none of JSON's.
        let number = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        let fields = json!({
            "total_ips": number(self.in_pools),
            "used_ips": number(self.used),
            "ip_availability_details": {
                "total_ips_in_subnet": number(self.in_subnet),
                "total_ips_in_allocation_pool": number(self.in_pools),
                "used_ips_in_subnet": number(self.used),
                "used_ips_in_allocation_pool": number(self.used_of_pools),
            },
        });
        match fields {
            Value::Object(fields) => fields,
            _ => Fields::new(),
        }
    }
}

/// Of one network; only subnets of these families, if any are said.
fn view(world: &World, network: &Network, versions: Option<&[u8]>) -> Fields {
    let is_asked = |subnet: &&Subnet| is_of(versions, subnet);
    let subnets = world.subnets_of(network.id).into_iter().filter(is_asked);
    let mut sum = Tally::default();
    let mut rows: Vec<Value> = Vec::new();
    for subnet in subnets {
        let tally = Tally::of(world, subnet);
        sum = sum.and(tally);
        let mut row = tally.fields();
        row.insert("subnet_id".into(), subnet.id.to_string().into());
        row.insert("subnet_name".into(), subnet.name.as_str().into());
        row.insert("cidr".into(), subnet.cidr.to_string().into());
        row.insert("ip_version".into(), subnet.ip_version.into());
        rows.push(row.into());
    }
    let mut fields = sum.fields();
    let owner = network.project_id.as_str();
    fields.insert("network_id".into(), network.id.to_string().into());
    fields.insert("network_name".into(), network.name.as_str().into());
    fields.insert("project_id".into(), owner.into());
    fields.insert("tenant_id".into(), owner.into());
    fields.insert("subnet_ip_availability".into(), rows.into());
    fields
}

fn list(draft: &mut Draft, filters: &Filters) -> Result<Vec<Fields>> {
    let world = &draft.world;
    let versions = filters.get("ip_version");
    // What is no number is no family, and no subnet is of it.
    let read = |version: &Value| version.as_str()?.parse().ok();
    let versions: Option<Vec<u8>> =
        versions.map(|versions| versions.iter().filter_map(read).collect());
    let versions = versions.as_deref();
    // One without any subnet of the family that is asked for is not meant.
    let is_meant = |network: &&Network| {
        let subnets = world.subnets_of(network.id);
        versions.is_none() || subnets.iter().any(|subnet| is_of(versions, subnet))
    };
    let networks = world.networks.values().filter(is_meant);
    Ok(networks
        .map(|network| view(world, network, versions))
        .collect())
}

fn is_of(versions: Option<&[u8]>, subnet: &Subnet) -> bool {
    versions.is_none_or(|versions| versions.contains(&subnet.ip_version))
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(world, network::find(world, text)?, None))
}

/// They are counted, not made.
fn create(_: &mut Draft, _: Attrs) -> Result<Fields> {
    Err(ApiError::request("What is available cannot be made."))
}
