//! What Neutron refuses, keeps and shows where no recorded answer says so, as its source has it.

use serde_json::{Value, json};
use sg_store::{Key, Store, Write};

use crate::common::{Server, store};

/// A server with a network, and the folder of its store.
struct Lab {
    server: Server,
    net: String,
    store: Store,
    _folder: tempfile::TempDir,
}

impl Lab {
    async fn new() -> Self {
        let (folder, store) = store();
        let server = Server::before(&store).await;
        let net = server
            .make("/v2.0/networks", json!({"network": {"shared": true}}))
            .await;
        Self {
            server,
            net,
            store,
            _folder: folder,
        }
    }

    /// What is made in the network, and its id.
    async fn on_net(&self, kind: &str, mut body: Value) -> String {
        body["network_id"] = self.net.as_str().into();
        self.server
            .make(&format!("/v2.0/{kind}s"), json!({kind: body}))
            .await
    }

    async fn group(&self, body: Value) -> String {
        self.server
            .make("/v2.0/security-groups", json!({"security_group": body}))
            .await
    }

    async fn put(&self, kind: &str, id: &str, body: Value) -> (u16, Value) {
        let (status, answer) = self
            .server
            .say("PUT", &format!("/v2.0/{kind}s/{id}"), json!({kind: body}))
            .await;
        (
            status,
            answer[if status == 200 { kind } else { "NeutronError" }].clone(),
        )
    }

    async fn delete(&self, path: &str, id: &str) -> (u16, Value) {
        let (status, answer) = self
            .server
            .say("DELETE", &format!("/v2.0/{path}/{id}"), Value::Null)
            .await;
        (status, answer["NeutronError"].clone())
    }

    /// A node says that it is there.
    async fn has_node(&self, name: &str) {
        self.says(name, &json!({})).await;
    }

    /// A node says something of itself.
    async fn says(&self, name: &str, status: &Value) {
        let key = Key::Status(name.into()).to_string();
        let says = Write::Put {
            key,
            value: status.to_string().into_bytes(),
        };
        self.store.commit(Vec::new(), vec![says]).await.unwrap();
    }
}

#[tokio::test]
async fn a_bound_port_keeps_its_hardware_address_and_its_kind() {
    let lab = Lab::new().await;
    lab.has_node("here").await;
    for (host, mac, kind) in [
        ("here", (409, "PortBound"), (409, "PortInUse")),
        ("nowhere", (200, ""), (409, "PortInUse")),
        ("", (200, ""), (200, "")),
    ] {
        let port = json!({"binding:host_id": host, "mac_address": "02:00:00:00:00:01"});
        let port = lab.on_net("port", port).await;
        for (change, (status, error)) in [
            (
                json!({"mac_address": "02:00:00:00:00:01", "binding:vnic_type": "normal"}),
                (200, ""),
            ),
            // It is not yet where it goes.
            (
                json!({"mac_address": "02:00:00:00:00:02", "binding:host_id": host}),
                mac,
            ),
            (json!({"mac_address": null}), mac),
            (
                json!({"binding:vnic_type": "direct", "binding:host_id": ""}),
                kind,
            ),
        ] {
            let (found, answer) = lab.put("port", &port, change.clone()).await;
            assert_eq!(found, status, "{host} {change}: {answer}");
            assert_eq!(
                answer["type"].as_str().unwrap_or_default(),
                error,
                "{host} {change}"
            );
        }
        assert_eq!(lab.delete("ports", &port).await.0, 204);
    }
}

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
async fn a_network_stays_shared_while_others_have_a_port_or_a_subnet_on_it() {
    let subnet =
        |project: &str| json!({"ip_version": 4, "cidr": "10.0.0.0/24", "project_id": project});
    for (kind, body, status) in [
        ("subnet", subnet("other"), 409),
        ("subnet", subnet("fake_project_id"), 200),
        ("port", json!({"project_id": "other"}), 409),
        (
            "port",
            json!({"project_id": "other", "device_owner": "network:dhcp"}),
            200,
        ),
    ] {
        let lab = Lab::new().await;
        lab.on_net(kind, body.clone()).await;
        let (found, answer) = lab.put("network", &lab.net, json!({"shared": false})).await;
        assert_eq!(found, status, "{body}: {answer}");
        assert!(
            status == 200 || answer["type"] == "InvalidSharedSetting",
            "{body}: {answer}"
        );
    }
}

#[tokio::test]
async fn dhcp_options_that_a_change_does_not_name_stay() {
    let lab = Lab::new().await;
    let option = |name: &str, value: Value| json!({"opt_name": name, "opt_value": value});
    let begin = json!([option("a", json!("1")), option("b", json!("2"))]);
    let port = lab.on_net("port", json!({"extra_dhcp_opts": begin})).await;
    let of_6 = json!({"opt_name": "a", "opt_value": "6", "ip_version": 6});
    for (change, left) in [
        (json!([]), "a4=1 b4=2"),
        (Value::Null, "a4=1 b4=2"),
        (json!([option("c", json!("3"))]), "a4=1 b4=2 c4=3"),
        (
            json!([option("a", json!("9")), of_6]),
            "a4=9 a6=6 b4=2 c4=3",
        ),
        (
            json!([option("b", Value::Null), option("d", Value::Null)]),
            "a4=9 a6=6 c4=3",
        ),
        (
            json!([option("a", Value::Null), option("router", json!(""))]),
            "a6=6 c4=3 router4=",
        ),
    ] {
        let (_, answer) = lab
            .put("port", &port, json!({"extra_dhcp_opts": change}))
            .await;
        let options = answer["extra_dhcp_opts"].as_array().unwrap().iter();
        let text = |option: &Value, name: &str| option[name].as_str().unwrap().to_owned();
        let options: Vec<String> = options
            .map(|option| {
                format!(
                    "{}{}={}",
                    text(option, "opt_name"),
                    option["ip_version"],
                    text(option, "opt_value")
                )
            })
            .collect();
        assert_eq!(options.join(" "), left, "{change}");
    }
    let twice = json!({"extra_dhcp_opts": [option("e", json!("1")), option("e", json!("2"))]});
    let (status, answer) = lab.put("port", &port, twice).await;
    assert_eq!(
        (status, &answer["type"]),
        (409, &json!("NeutronDbObjectDuplicateEntry"))
    );
}

#[tokio::test]
async fn a_port_has_an_address_once_however_it_is_spelled() {
    let lab = Lab::new().await;
    lab.on_net("subnet", json!({"ip_version": 6, "cidr": "fd00::/64"}))
        .await;
    let ips = |ips: &[&str]| -> Value {
        let ips = ips.iter().map(|ip| json!({"ip_address": ip}));
        json!({"fixed_ips": ips.collect::<Vec<_>>()})
    };
    let port = lab.on_net("port", ips(&["fd00::1"])).await;
    for (asked, status) in [
        (&["fd00::1", "FD00::1"][..], 409),
        (&["FD00::1", "fd00:0::1"], 409),
        (&["fd00::2", "FD00::2"], 409),
        (&["FD00::1"], 200),
        (&["FD00::1", "fd00::2"], 200),
    ] {
        let (found, answer) = lab.put("port", &port, ips(asked)).await;
        assert_eq!(found, status, "{asked:?}: {answer}");
        assert!(
            status == 200 || answer["type"] == "IpAddressAlreadyAllocated",
            "{answer}"
        );
    }
}

#[tokio::test]
async fn availabilities_of_both_families_can_be_asked_for() {
    let lab = Lab::new().await;
    for (version, cidr) in [(4, "10.0.0.0/24"), (6, "fd00::/64")] {
        lab.on_net("subnet", json!({"ip_version": version, "cidr": cidr}))
            .await;
    }
    for (query, subnets) in [
        ("", 2),
        ("?ip_version=4&ip_version=6", 2),
        ("?ip_version=6", 1),
        ("?ip_version=x&ip_version=6", 1),
    ] {
        let path = format!("/v2.0/network-ip-availabilities{query}");
        let (_, answer) = lab.server.say("GET", &path, Value::Null).await;
        let networks = answer["network_ip_availabilities"].as_array().unwrap();
        assert_eq!(networks.len(), 1, "{query}");
        let rows = networks[0]["subnet_ip_availability"].as_array().unwrap();
        assert_eq!(rows.len(), subnets, "{query}");
    }
}

#[tokio::test]
async fn a_rule_belongs_to_a_default_group_whosever_the_rule_is() {
    let lab = Lab::new().await;
    let web = lab
        .group(json!({"name": "web", "project_id": "mine"}))
        .await;
    let (_, groups) = lab
        .server
        .say(
            "GET",
            "/v2.0/security-groups?name=default&project_id=mine",
            Value::Null,
        )
        .await;
    let default = groups["security_groups"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (group, is_default) in [(&default, true), (&web, false)] {
        for project in ["mine", "other"] {
            let rule = json!({
                "security_group_id": group, "project_id": project, "direction": "ingress",
                "protocol": "tcp", "remote_ip_prefix": if project == "mine" { "10.0.0.0/8" } else { "11.0.0.0/8" },
            });
            let rule = json!({"security_group_rule": rule});
            let (_, answer) = lab
                .server
                .say("POST", "/v2.0/security-group-rules", rule)
                .await;
            let shown = &answer["security_group_rule"]["belongs_to_default_sg"];
            assert_eq!(*shown, is_default, "{project}: {answer}");
        }
    }
}

#[tokio::test]
async fn what_is_no_host_unbinds_and_a_host_has_at_most_255_characters() {
    let lab = Lab::new().await;
    for host in [
        json!(false),
        json!(0),
        json!([]),
        json!({}),
        json!(""),
        Value::Null,
    ] {
        let port = lab.on_net("port", json!({"binding:host_id": "here"})).await;
        let (_, answer) = lab
            .put("port", &port, json!({"binding:host_id": host}))
            .await;
        assert_eq!(answer["binding:host_id"], "", "{host}");
        assert_eq!(answer["binding:vif_type"], "unbound", "{host}");
    }
    let port = lab.on_net("port", json!({})).await;
    for (length, made, changed) in [(255, 201, 200), (256, 400, 400)] {
        let host = "ä".repeat(length);
        let body = json!({"binding:host_id": host});
        assert_eq!(lab.put("port", &port, body).await.0, changed);
        let body = json!({"port": {"network_id": lab.net, "binding:host_id": host}});
        assert_eq!(lab.server.say("POST", "/v2.0/ports", body).await.0, made);
    }
}

#[tokio::test]
async fn a_group_that_a_default_rule_names_stays() {
    let lab = Lab::new().await;
    let addresses = json!({"address_group": {"addresses": ["10.0.0.0/8"]}});
    let addresses = lab.server.make("/v2.0/address-groups", addresses).await;
    let web = lab.group(json!({"name": "web"})).await;
    for (path, id, name, error) in [
        (
            "address-groups",
            &addresses,
            "remote_address_group_id",
            "AddressGroupInUse",
        ),
        (
            "security-groups",
            &web,
            "remote_group_id",
            "SecurityGroupInUse",
        ),
    ] {
        let rule = json!({
            "direction": "ingress", "used_in_default_sg": true, "used_in_non_default_sg": true, name: id,
        });
        let rule = json!({"default_security_group_rule": rule});
        let rule = lab
            .server
            .make("/v2.0/default-security-group-rules", rule)
            .await;
        let (status, answer) = lab.delete(path, id).await;
        assert_eq!((status, &answer["type"]), (409, &json!(error)), "{answer}");
        assert!(
            answer["message"].as_str().unwrap().contains(&rule),
            "{answer}"
        );
        assert_eq!(
            lab.delete("default-security-group-rules", &rule).await.0,
            204
        );
        assert_eq!(lab.delete(path, id).await.0, 204);
    }
}

#[tokio::test]
async fn the_default_group_of_a_project_is_stateful_whatever_its_others_are() {
    let lab = Lab::new().await;
    let path = "/v2.0/security-groups-default-statefulness";
    let stateless = json!({"project_id": "p", "stateful": false});
    let body = json!({"security_groups_default_statefulness": stateless});
    let (status, answer) = lab.server.say("POST", path, body).await;
    assert_eq!(status, 201, "{answer}");
    lab.group(json!({"name": "web", "project_id": "p"})).await;
    for (name, stateful) in [("default", true), ("web", false)] {
        let path = format!("/v2.0/security-groups?project_id=p&name={name}");
        let (_, list) = lab.server.say("GET", &path, Value::Null).await;
        assert_eq!(list["security_groups"][0]["stateful"], stateful, "{name}");
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
async fn tags_that_are_added_are_counted_by_themselves_unless_it_is_one() {
    let lab = Lab::new().await;
    let path = format!("/v2.0/networks/{}/tags", lab.net);
    let tags = |from: u32| -> Vec<String> { (from..from + 30).map(|n| n.to_string()).collect() };
    for from in [0, 30] {
        let body = json!({"tags": tags(from)});
        assert_eq!(lab.server.say("POST", &path, body).await.0, 200);
    }
    let one = format!("{path}/one");
    assert_eq!(lab.server.say("PUT", &one, Value::Null).await.0, 400);
    let old = format!("{path}/7");
    assert_eq!(lab.server.say("DELETE", &old, Value::Null).await.0, 204);
    let all = [tags(0), tags(30)].concat();
    let many = json!({"tags": all});
    assert_eq!(lab.server.say("PUT", &path, many).await.0, 400);
}

#[tokio::test]
async fn a_port_is_active_when_its_node_has_it_as_it_was_asked_for() {
    let lab = Lab::new().await;
    let port = lab.on_net("port", json!({"binding:host_id": "here"})).await;
    let path = format!("/v2.0/ports/{port}");
    for (state, status) in [
        ("enforcing", "ACTIVE"),
        ("unfiltered", "ACTIVE"),
        ("audit", "ACTIVE"),
        ("closed", "DOWN"),
        ("open", "DOWN"),
    ] {
        let says = json!({"states": {&port: state}});
        lab.says("here", &says).await;
        let is_so = async || {
            let (_, answer) = lab.server.say("GET", &path, Value::Null).await;
            answer["port"]["status"] == status
        };
        while !is_so().await {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
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

#[tokio::test]
async fn lists_can_be_narrowed_and_sorted_by_what_neutron_takes() {
    let lab = Lab::new().await;
    for (path, status) in [
        ("networks?is_default=true", 200),
        ("agents?sort_key=host&sort_dir=asc", 200),
        ("agents?sort_key=alive&sort_dir=desc", 200),
        ("agents?sort_key=configurations&sort_dir=asc", 400),
    ] {
        let path = format!("/v2.0/{path}");
        let (found, answer) = lab.server.say("GET", &path, Value::Null).await;
        assert_eq!(found, status, "{path}: {answer}");
    }
}

/// What no node could read.
#[tokio::test]
async fn a_length_that_is_spelled_strangely_is_refused() {
    let lab = Lab::new().await;
    for cidr in ["fd00::/064", "fd00::/+64", "fd00::/ffff:ffff:ffff:ffff::"] {
        let pairs = json!({"allowed_address_pairs": [{"ip_address": cidr}]});
        let port = lab.on_net("port", json!({})).await;
        let (status, error) = lab.put("port", &port, pairs).await;
        assert_eq!(status, 400, "{cidr}: {error}");
    }
}
