//! Routers and what else has ports of a network.

use serde_json::{Value, json};

use super::Lab;

#[tokio::test]
async fn only_ports_that_neutron_makes_itself_go_along_with_a_network_or_a_subnet() {
    for (owner, status) in [
        ("network:dhcp", 204),
        ("network:distributed", 204),
        ("network:floatingip_agent_gateway", 204),
        ("network:routed", 409),
        ("network:router_interface", 409),
        ("compute:nova", 409),
    ] {
        let lab = Lab::new().await;
        let subnet = json!({"ip_version": 4, "cidr": "10.0.0.0/24"});
        let subnet = lab.on_net("subnet", subnet).await;
        lab.on_net("port", json!({"device_owner": owner})).await;
        for (path, id, error) in [
            ("subnets", &subnet, "SubnetInUse"),
            ("networks", &lab.net, "NetworkInUse"),
        ] {
            let (found, answer) = lab.delete(path, id).await;
            assert_eq!(found, status, "{owner} {path}: {answer}");
            assert!(
                status == 204 || answer["type"] == error,
                "{owner} {path}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn a_subnet_in_which_hosts_make_their_addresses_stays_with_its_router() {
    for (owner, status) in [
        ("compute:nova", 204),
        ("network:router_gateway", 204),
        ("network:router_interface", 409),
        ("network:router_interface_distributed", 409),
        ("network:ha_router_replicated_interface", 409),
    ] {
        let lab = Lab::new().await;
        let subnet = json!({"ip_version": 6, "cidr": "fd00::/64", "ipv6_address_mode": "slaac"});
        let subnet = lab.on_net("subnet", subnet).await;
        lab.on_net(
            "port",
            json!({"device_owner": owner, "fixed_ips": [{"subnet_id": subnet}]}),
        )
        .await;
        let (found, answer) = lab.delete("subnets", &subnet).await;
        assert_eq!(found, status, "{owner}: {answer}");
        assert!(
            status == 204 || answer["type"] == "SubnetInUse",
            "{owner}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_router_has_the_addresses_that_it_is_given_also_where_hosts_make_their_own() {
    let lab = Lab::new().await;
    let auto = json!({
        "ip_version": 6, "cidr": "fd01::/64", "gateway_ip": "fd01::1",
        "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"
    });
    let auto = lab.on_net("subnet", auto).await;
    let own = "fd01::ff:fe00:1";
    let mac = "02:00:00:00:00:01";
    for (owner, asked, has) in [
        ("compute:nova", json!([]), Some(own)),
        ("network:router_interface", json!([]), None),
        (
            "network:router_interface",
            json!([{"subnet_id": auto, "ip_address": "fd01::1"}]),
            Some("fd01::1"),
        ),
        ("network:router_gateway", json!([]), Some(own)),
    ] {
        let port = json!({"device_owner": owner, "mac_address": mac, "fixed_ips": asked});
        let port = lab.on_net("port", port).await;
        let path = format!("/v2.0/ports/{port}");
        let (_, answer) = lab.server.say("GET", &path, Value::Null).await;
        let first = answer["port"]["fixed_ips"][0]["ip_address"].as_str();
        assert_eq!(first, has, "{owner} {asked}");
        assert_eq!(lab.delete("ports", &port).await.0, 204);
    }
    let drawn = json!([{"subnet_id": auto}]);
    let port =
        json!({"device_owner": "network:router_interface", "mac_address": mac, "fixed_ips": drawn});
    let port = lab.on_net("port", port).await;
    let path = format!("/v2.0/ports/{port}");
    let (_, answer) = lab.server.say("GET", &path, Value::Null).await;
    let first = answer["port"]["fixed_ips"][0]["ip_address"].as_str();
    assert!(first.is_some_and(|first| first != own), "{answer}");
}

#[tokio::test]
async fn a_network_with_the_gateway_of_a_router_stays_external() {
    let lab = Lab::new().await;
    let external = |is: bool| json!({"router:external": is});
    assert_eq!(lab.put("network", &lab.net, external(true)).await.0, 200);
    let owner = json!({"device_owner": "network:router_gateway"});
    let port = lab.on_net("port", owner).await;
    let (status, error) = lab.put("network", &lab.net, external(false)).await;
    assert_eq!(
        (status, &error["type"]),
        (409, &json!("ExternalNetworkInUse"))
    );
    assert_eq!(lab.delete("ports", &port).await.0, 204);
    assert_eq!(lab.put("network", &lab.net, external(false)).await.0, 200);
}
