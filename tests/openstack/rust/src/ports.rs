//! Ports: the crate's own calls, and their groups, which it cannot change, by its session.

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt};
use openstack::{
    Cloud, Error, ErrorKind, Refresh, Sort,
    network::{
        AllowedAddressPair, MacAddress, NetworkStatus, Port, PortExtraDhcpOption, PortIpRequest,
        PortSortKey,
    },
    session::Session,
    waiter::Waiter,
};
use osauth::services::NETWORK;
use serde_json::{Value, json};

use crate::{groups, told};

/// More than the crate asks for at once.
const MANY: usize = 60;

/// Makes, lists, changes and removes ports, some of them in the group `web`.
pub async fn run(cloud: &Cloud, session: &Session, web: &str) -> Result<()> {
    let mut port = make(cloud, web).await?;
    refuse(cloud).await?;
    change(&mut port).await?;
    groups_of(session, &port, web).await?;
    lists(cloud, &port).await?;
    in_use(cloud).await?;
    pages(cloud).await?;
    remove(cloud, session, port, web).await
}

async fn make(cloud: &Cloud, web: &str) -> Result<Port> {
    let mac: MacAddress = "02:00:00:00:0a:0b".parse()?;
    let pair = AllowedAddressPair {
        ip_address: "10.0.0.99".parse()?,
        mac_address: Some(mac),
    };
    let new = cloud
        .new_port("main")
        .with_name("first")
        .with_mac_address(mac);
    let new = new.with_security_group(web).with_allowed_address_pair(pair);
    let new = new.with_fixed_ip(PortIpRequest::IpFromSubnet(
        "10.0.0.20".parse()?,
        "four".into(),
    ));
    let new = new.with_fixed_ip(PortIpRequest::AnyIpFromSubnet("six".into()));
    let new = new.with_extra_dhcp_opts(vec![PortExtraDhcpOption::new("bootfile-name", "x")]);
    let call = (
        "first",
        "create a port 02:00:00:00:0a:0b 10.0.0.20 10.0.0.99",
    );
    let port = told::saves(call, new.create().await, |port| port.id(), shown)?;
    ensure!(port.mac_address() == mac && port.fixed_ips().len() == 2);
    let subnet = port.fixed_ips()[0].subnet().await;
    told::gives("the subnet of its first address", subnet, |subnet| {
        json!(subnet.name())
    })?;
    Ok(port)
}

async fn refuse(cloud: &Cloud) -> Result<()> {
    let at = |ip: &str| -> Result<PortIpRequest> { Ok(PortIpRequest::IpAddress(ip.parse()?)) };
    let taken = cloud
        .new_port("main")
        .with_fixed_ip(at("10.0.0.20")?)
        .create()
        .await;
    told::refused(
        "create one with a taken address",
        taken,
        ErrorKind::Conflict,
    )?;
    let outside = cloud
        .new_port("main")
        .with_fixed_ip(at("10.7.0.20")?)
        .create()
        .await;
    told::refused(
        "create one outside of its network",
        outside,
        ErrorKind::InvalidInput,
    )?;
    let same = cloud
        .new_port("main")
        .with_mac_address("02:00:00:00:0a:0b".parse()?)
        .create()
        .await;
    told::refused(
        "create one with a taken MAC address",
        same,
        ErrorKind::Conflict,
    )?;
    let group = cloud
        .new_port("main")
        .with_security_group("web")
        .create()
        .await;
    told::refused(
        "create one in a group by its name",
        group,
        ErrorKind::InvalidInput,
    )?;
    let lost = cloud.new_port("none").create().await;
    told::refused(
        "create one in no network",
        lost,
        ErrorKind::ResourceNotFound,
    )
}

async fn change(port: &mut Port) -> Result<()> {
    port.set_name("renamed");
    port.set_description("text");
    port.set_admin_state_up(false);
    port.set_device_id("vm");
    port.set_device_owner("compute:nova");
    port.set_mac_address("02:00:00:00:0a:0c".parse()?);
    port.extra_dhcp_opts_mut()
        .push(PortExtraDhcpOption::new("server-ip-address", "10.0.0.1"));
    ensure!(port.is_dirty());
    let saved = port.save().await;
    told::gives("update the port to 02:00:00:00:0a:0c", saved, |()| {
        Value::Null
    })?;
    ensure!(port.attached_to_server() && !port.admin_state_up());
    told::gives("refresh the port", port.refresh().await, |()| Value::Null)?;
    told::gives("what it is", Ok(&*port), |port| shown(port))?;
    ensure!(port.name().as_deref() == Some("renamed") && port.extra_dhcp_opts().len() == 2);
    Ok(())
}

async fn groups_of(session: &Session, port: &Port, web: &str) -> Result<()> {
    let of = async || -> Result<Value, Error> {
        let query = [("fields", "security_groups")];
        session
            .get(NETWORK, ["ports", port.id()])
            .query(&query)
            .fetch()
            .await
    };
    let put = async |body: Value| -> Result<Value, Error> {
        let body = json!({"port": body});
        session
            .put(NETWORK, ["ports", port.id()])
            .json(&body)
            .fetch()
            .await
    };
    let has = |groups: Value| json!({"port": {"security_groups": groups}});
    let first = told::gives("the groups of the port", of().await, Value::clone)?;
    ensure!(first == has(json!([web])));
    let none = put(json!({"security_groups": []})).await;
    told::gives("take its groups away", none, |port| {
        port["port"]["security_groups"].clone()
    })?;
    let bare = told::gives("the groups of the port", of().await, Value::clone)?;
    ensure!(bare == has(json!([])));
    let wrong = put(json!({"security_groups": ["00000000-0000-4000-8000-000000000001"]})).await;
    told::refused(
        "give it one that is not there",
        wrong,
        ErrorKind::ResourceNotFound,
    )?;
    let back = put(json!({"security_groups": [web]})).await;
    told::gives("give it web", back, |port| {
        port["port"]["security_groups"].clone()
    })?;
    ensure!(of().await? == has(json!([web])));
    let used = groups::delete(session, ["security-groups", web]).await;
    told::refused("delete web, which is used", used, ErrorKind::Conflict)
}

async fn lists(cloud: &Cloud, port: &Port) -> Result<()> {
    let found = [
        (
            "ports of compute:nova",
            cloud.find_ports().with_device_owner("compute:nova"),
        ),
        ("ports of vm", cloud.find_ports().with_device_id("vm")),
        (
            "ports that are down",
            cloud.find_ports().with_status(NetworkStatus::Down),
        ),
        (
            "ports that are disabled",
            cloud.find_ports().with_admin_state_up(false),
        ),
        ("ports of main", cloud.find_ports().with_network("main")),
        (
            "ports of a MAC address",
            cloud.find_ports().with_mac_address("02:00:00:00:0a:0c"),
        ),
        // As the crate itself shows it.
        (
            "of its capitals",
            cloud
                .find_ports()
                .with_mac_address(port.mac_address().to_string()),
        ),
        (
            "ports of a description",
            cloud.find_ports().with_description("text"),
        ),
    ];
    for (call, query) in found {
        told::gives(call, query.all().await, |ports| {
            ports.iter().map(shown).collect()
        })?;
    }
    let one = told::gives("a port by name", cloud.get_port("renamed").await, shown)?;
    ensure!(one.id() == port.id());
    let network = told::gives("its network", one.network().await, |net| json!(net.name()))?;
    ensure!(network.name().as_deref() == Some("main"));
    let active = cloud
        .find_ports()
        .with_status(NetworkStatus::Active)
        .all()
        .await;
    let active = told::gives("ports that are active", active, |ports| json!(ports.len()))?;
    ensure!(active.is_empty());
    Ok(())
}

async fn in_use(cloud: &Cloud) -> Result<()> {
    let used = cloud.get_network("main").await?.delete().await;
    told::refused("delete a network in use", used, ErrorKind::Conflict)?;
    let used = cloud.get_subnet("four").await?.delete().await;
    told::refused("delete a subnet in use", used, ErrorKind::Conflict)
}

async fn pages(cloud: &Cloud) -> Result<()> {
    for number in 0..MANY {
        cloud
            .new_port("main")
            .with_name(format!("many-{number:02}"))
            .create()
            .await?;
    }
    let sorted = || cloud.find_ports().sort_by(Sort::Asc(PortSortKey::Name));
    let all = told::gives("all ports, by sort_key", sorted().all().await, |ports| {
        names(ports)
    })?;
    ensure!(all.len() == MANY + 1);
    let marker = all.get(6).context("there are as many")?.id().clone();
    let some = sorted().with_limit(3).with_marker(marker).all().await;
    let some = told::gives("three after the seventh, by sort_key", some, |ports| {
        names(ports)
    })?;
    ensure!(
        some.iter()
            .map(|port| port.id())
            .eq(all[7..10].iter().map(|port| port.id()))
    );
    let first: Result<Vec<Port>, Error> = sorted().into_stream().take(55).try_collect().await;
    let first = told::gives("the first 55, by sort_key", first, |ports| names(ports))?;
    ensure!(
        first
            .iter()
            .map(|port| port.id())
            .eq(all[..55].iter().map(|port| port.id()))
    );
    let several = cloud.find_ports().with_admin_state_up(true).one().await;
    told::refused("the one port of many", several, ErrorKind::TooManyItems)?;
    let lost = cloud
        .find_ports()
        .with_limit(2)
        .with_marker("00000000-0000-4000-8000-000000000001")
        .all()
        .await;
    told::refused(
        "ports after one that is not there",
        lost,
        ErrorKind::ResourceNotFound,
    )
}

async fn remove(cloud: &Cloud, session: &Session, port: Port, web: &str) -> Result<()> {
    let waiter = told::gives("delete the port", port.delete().await, |_| Value::Null)?;
    told::gives("wait until it is gone", waiter.wait().await, |()| {
        Value::Null
    })?;
    for port in cloud.find_ports().all().await? {
        groups::delete(session, ["ports", port.id()]).await?;
    }
    let left = told::gives("ports", cloud.find_ports().all().await, |ports| {
        names(ports)
    })?;
    ensure!(left.is_empty());
    let query = [("fields", "name"), ("id", web)];
    let kept = session
        .get(NETWORK, ["security-groups"])
        .query(&query)
        .fetch()
        .await;
    told::gives("the group that the port had", kept, Value::clone)?;
    Ok(())
}

fn names(ports: &[Port]) -> Value {
    ports.iter().map(|port| json!(port.name())).collect()
}

fn shown(port: &Port) -> Value {
    let addresses = port.fixed_ips().iter();
    let options = port.extra_dhcp_opts().iter();
    json!({
        "id": port.id(), "name": port.name(), "description": port.description(),
        "network_id": port.network_id(), "mac_address": port.mac_address().to_string().to_lowercase(),
        "admin_state_up": port.admin_state_up(), "status": format!("{:?}", port.status()),
        "device_id": port.device_id(), "device_owner": port.device_owner(),
        "dns_name": port.dns_name(), "dns_domain": port.dns_domain(),
        "fixed_ips": addresses.map(|address| {
            json!({"ip_address": address.ip_address, "subnet_id": address.subnet_id})
        }).collect::<Value>(),
        "extra_dhcp_opts": options.map(|option| json!([option.name, option.value])).collect::<Value>(),
        "times": port.created_at().is_some() && port.updated_at().is_some(),
    })
}
