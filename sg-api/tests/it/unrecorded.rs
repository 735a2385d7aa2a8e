//! What Neutron refuses, keeps and shows where no recorded answer says so, as its source has it.

mod groups;
mod lists;
mod routers;

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
async fn a_port_is_active_when_its_node_has_it_as_it_was_asked_for() {
    let lab = Lab::new().await;
    let port = lab.on_net("port", json!({"binding:host_id": "here"})).await;
    let path = format!("/v2.0/ports/{port}");
    for (state, connected, status) in [
        ("enforcing", true, "ACTIVE"),
        ("enforcing", false, "DOWN"),
        ("unfiltered", true, "ACTIVE"),
        ("closed", true, "DOWN"),
        ("audit", true, "ACTIVE"),
        ("open", true, "DOWN"),
    ] {
        let says = json!({"states": {&port: state}, "connected": connected});
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
