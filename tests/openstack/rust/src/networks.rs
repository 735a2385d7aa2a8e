//! Networks and subnets: the crate's own calls.

use anyhow::{Result, ensure};
use openstack::{
    Cloud, ErrorKind, Refresh, Sort,
    network::{
        AllocationPool, HostRoute, IpVersion, Ipv6Mode, Network, NetworkSortKey, Subnet,
        SubnetSortKey,
    },
};
use serde_json::{Value, json};

use crate::told;

/// Makes, lists, changes and refuses networks and subnets; a network `main` with the subnets
/// `four` and `six` stays.
pub async fn run(cloud: &Cloud) -> Result<()> {
    networks(cloud).await?;
    subnets(cloud).await?;
    let routers = told::gives("routers", cloud.find_routers().all().await, |all| {
        json!(all.len())
    })?;
    let floating = cloud.find_floating_ips().all().await;
    let floating = told::gives("floating IPs", floating, |all| json!(all.len()))?;
    ensure!(routers.is_empty() && floating.is_empty());
    Ok(())
}

/// Removes what [`run`] has left.
pub async fn remove(cloud: &Cloud) -> Result<()> {
    for name in ["four", "six"] {
        let waiter = cloud.get_subnet(name).await?.delete().await;
        told::gives(&format!("delete the subnet {name}"), waiter, |_| {
            Value::Null
        })?;
        told::refused(
            "get it",
            cloud.get_subnet(name).await,
            ErrorKind::ResourceNotFound,
        )?;
    }
    let waiter = cloud.get_network("main").await?.delete().await;
    told::gives("delete the network main", waiter, |_| Value::Null)?;
    let left = told::gives("networks", cloud.find_networks().all().await, |all| {
        all_networks(all)
    })?;
    ensure!(left.is_empty());
    Ok(())
}

async fn networks(cloud: &Cloud) -> Result<()> {
    let new = cloud
        .new_network()
        .with_name("net")
        .with_description("the first")
        .with_mtu(1400_u32);
    let call = ("net", "create a network");
    let mut net = told::saves(call, new.create().await, |net| net.id(), network)?;
    ensure!(net.mtu() == Some(1400) && net.port_security_enabled() == Some(true));
    let new = cloud
        .new_network()
        .with_name("closed")
        .with_admin_state_up(false)
        .with_shared(true);
    let new = new.with_port_security_enabled(false).with_external(false);
    let closed = told::gives("create a shared network", new.create().await, network)?;
    ensure!(closed.shared() && !closed.admin_state_up());
    let new = cloud.new_network().with_name("wide").with_mtu(70_000_u32);
    told::refused(
        "create one with an MTU of 70000",
        new.create().await,
        ErrorKind::InvalidInput,
    )?;

    let sorted = cloud
        .find_networks()
        .sort_by(Sort::Desc(NetworkSortKey::Name));
    let sorted = told::gives("networks sorted backwards", sorted.all().await, |all| {
        all_networks(all)
    })?;
    ensure!(
        sorted
            .iter()
            .map(|net| net.id())
            .eq([net.id(), closed.id()])
    );
    let named = cloud.find_networks().with_name("closed").one().await;
    let named = told::gives("the one network closed", named, network)?;
    ensure!(named.id() == closed.id());
    told::refused(
        "the one network",
        cloud.find_networks().one().await,
        ErrorKind::TooManyItems,
    )?;
    told::gives(
        "get a network by name",
        cloud.get_network("net").await,
        network,
    )?;
    told::gives(
        "get a network by id",
        cloud.get_network(net.id()).await,
        network,
    )?;
    told::refused(
        "get none",
        cloud.get_network("none").await,
        ErrorKind::ResourceNotFound,
    )?;

    net.set_name("main");
    net.set_description("changed");
    net.set_mtu(1450_u32);
    told::gives("update the network", net.save().await, |()| Value::Null)?;
    ensure!(!net.is_dirty() && net.name().as_deref() == Some("main"));
    told::gives("refresh the network", net.refresh().await, |()| Value::Null)?;
    told::gives("get it again", cloud.get_network("main").await, network)?;
    ensure!(net.mtu() == Some(1450));
    told::gives("delete the other", closed.delete().await, |_| Value::Null)?;
    Ok(())
}

async fn subnets(cloud: &Cloud) -> Result<()> {
    let pool = |start: &str, end: &str| -> Result<AllocationPool> {
        Ok(AllocationPool {
            start: start.parse()?,
            end: end.parse()?,
        })
    };
    let route = HostRoute {
        destination: "10.99.0.0/16".parse()?,
        next_hop: "10.0.0.9".parse()?,
    };
    let new = cloud
        .new_subnet("main", "10.0.0.0/24".parse()?)
        .with_name("four");
    let new = new
        .with_allocation_pool(pool("10.0.0.10", "10.0.0.250")?)
        .with_host_route(route);
    let new = new
        .with_dns_nameserver("9.9.9.9")
        .with_dns_nameserver("1.1.1.1");
    let call = ("four", "create a subnet 10.0.0.0/24");
    let mut four = told::saves(call, new.create().await, |subnet| subnet.id(), subnet)?;
    ensure!(four.dns_nameservers() == &["9.9.9.9", "1.1.1.1"]);
    let new = cloud
        .new_subnet("main", "fd00::/64".parse()?)
        .with_name("six");
    let new = new.with_ipv6_address_mode(Ipv6Mode::DhcpStateful);
    let new = new.with_ipv6_router_advertisement_mode(Ipv6Mode::DhcpStateful);
    let call = ("six", "create a subnet fd00::/64");
    let six = told::saves(call, new.create().await, |subnet| subnet.id(), subnet)?;
    ensure!(six.ip_version() == IpVersion::V6);

    let again = cloud
        .new_subnet("main", "10.0.0.128/25".parse()?)
        .create()
        .await;
    told::refused("create one that overlaps", again, ErrorKind::InvalidInput)?;
    let lost = cloud
        .new_subnet("none", "10.1.0.0/24".parse()?)
        .create()
        .await;
    told::refused(
        "create one in no network",
        lost,
        ErrorKind::ResourceNotFound,
    )?;
    let pools = cloud.new_subnet("main", "10.1.0.0/24".parse()?);
    let pools = pools
        .with_allocation_pool(pool("10.2.0.1", "10.2.0.9")?)
        .create()
        .await;
    told::refused(
        "create one with a pool elsewhere",
        pools,
        ErrorKind::InvalidInput,
    )?;

    let sorted = cloud
        .find_subnets()
        .with_network("main")
        .sort_by(Sort::Asc(SubnetSortKey::Cidr));
    let sorted = told::gives("subnets of main by CIDR", sorted.all().await, |all| {
        all_subnets(all)
    })?;
    ensure!(
        sorted
            .iter()
            .map(|subnet| subnet.id())
            .eq([four.id(), six.id()])
    );
    let found = cloud
        .find_subnets()
        .with_cidr("fd00::/64".parse::<ipnet::IpNet>()?)
        .one()
        .await;
    told::gives("the one subnet fd00::/64", found, subnet)?;
    let found = cloud
        .find_subnets()
        .with_ipv6_address_mode(Ipv6Mode::Slaac)
        .all()
        .await;
    let found = told::gives("subnets with SLAAC", found, |all| all_subnets(all))?;
    ensure!(found.is_empty());

    four.set_description("changed");
    four.set_dhcp_enabled(false);
    four.dns_nameservers_mut().truncate(1);
    told::gives("update the subnet", four.save().await, |()| Value::Null)?;
    four.set_allocation_pools(vec![pool("10.0.0.10", "10.0.1.9")?]);
    told::refused(
        "update its pool",
        four.save().await,
        ErrorKind::InvalidInput,
    )?;
    told::gives("refresh the subnet", four.refresh().await, |()| Value::Null)?;
    ensure!(!four.dhcp_enabled() && four.dns_nameservers() == &["9.9.9.9"]);
    let network_of = told::gives("the network of the subnet", four.network().await, network)?;
    ensure!(network_of.id() == four.network_id());
    Ok(())
}

fn all_networks(all: &[Network]) -> Value {
    all.iter().map(network).collect()
}

fn network(net: &Network) -> Value {
    json!({
        "id": net.id(), "name": net.name(), "description": net.description(),
        "admin_state_up": net.admin_state_up(), "shared": net.shared(), "mtu": net.mtu(),
        "port_security_enabled": net.port_security_enabled(), "external": net.external(),
        "availability_zones": net.availability_zones(), "is_default": net.is_default(),
        "dns_domain": net.dns_domain(), "l2_adjacency": net.l2_adjacency(),
        "vlan_transparent": net.vlan_transparent(), "status": format!("{:?}", net.status()),
        "times": net.created_at().is_some() && net.updated_at().is_some(),
    })
}

fn all_subnets(all: &[Subnet]) -> Value {
    all.iter().map(subnet).collect()
}

fn subnet(subnet: &Subnet) -> Value {
    json!({
        "id": subnet.id(), "name": subnet.name(), "description": subnet.description(),
        "network_id": subnet.network_id(), "cidr": subnet.cidr(), "gateway_ip": subnet.gateway_ip(),
        "allocation_pools": subnet.allocation_pools(), "host_routes": subnet.host_routes(),
        "dns_nameservers": subnet.dns_nameservers(), "dhcp_enabled": subnet.dhcp_enabled(),
        "modes": format!(
            "{:?} {:?} {:?}", subnet.ip_version(), subnet.ipv6_address_mode(),
            subnet.ipv6_router_advertisement_mode()
        ),
        "times": subnet.created_at().is_some() && subnet.updated_at().is_some(),
    })
}
