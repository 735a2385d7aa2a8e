//! Several servers in front of one store, and several requests at once: nothing is lost, and what is refused changes
//! nothing.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sg_store::{Range, Store};

use crate::common::{Server, store};

/// Everything that a store holds.
async fn all(store: &Store) -> Vec<sg_store::Entry> {
    let everything = [Range::Prefix(String::new())];
    store.read(&everything, None).await.unwrap().entries
}

fn group(name: &str) -> Value {
    json!({"security_group": {"name": name}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_all_succeed_and_nothing_is_lost() {
    const WRITERS: usize = 6;
    const EACH: usize = 8;
    let (_folder, store) = store();
    let servers = [Server::before(&store).await, Server::before(&store).await];
    servers[0]
        .say(
            "PUT",
            "/v2.0/quotas/fake_project_id",
            json!({"quota": {"security_group": -1, "security_group_rule": -1}}),
        )
        .await;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let server = servers[writer % 2].clone();
            tokio::spawn(async move {
                let mut made = Vec::new();
                for number in 0..EACH {
                    let name = format!("{writer}-{number}");
                    let id = server.make("/v2.0/security-groups", group(&name)).await;
                    // What was written is seen by the one who wrote it.
                    let path = format!("/v2.0/security-groups/{id}");
                    assert_eq!(server.say("GET", &path, Value::Null).await.0, 200);
                    made.push(id);
                }
                made
            })
        })
        .collect();
    let mut made = BTreeSet::new();
    for writer in writers {
        made.extend(writer.await.unwrap());
    }
    assert_eq!(made.len(), WRITERS * EACH);
    let late = Server::before(&store).await;
    for server in [&servers[0], &servers[1], &late] {
        let (_, list) = server
            .say("GET", "/v2.0/security-groups?fields=id", Value::Null)
            .await;
        let rows = list["security_groups"].as_array().unwrap();
        let ids: BTreeSet<String> = rows
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        // And the project's default group, once.
        assert_eq!(ids.len(), made.len() + 1);
        assert!(made.is_subset(&ids));
    }
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let (_folder, store) = store();
    let server = Server::before(&store).await;
    let web = server.make("/v2.0/security-groups", group("web")).await;
    let rule = json!({"security_group_id": web, "direction": "ingress", "protocol": "tcp"});
    server
        .make(
            "/v2.0/security-group-rules",
            json!({"security_group_rule": rule}),
        )
        .await;
    let net = server
        .make("/v2.0/networks", json!({"network": {"name": "net"}}))
        .await;
    let subnet = json!({"network_id": net, "ip_version": 4, "cidr": "10.0.0.0/29"});
    server
        .make("/v2.0/subnets", json!({"subnet": subnet}))
        .await;
    server
        .make(
            "/v2.0/ports",
            json!({"port": {"network_id": net, "security_groups": [web]}}),
        )
        .await;
    let before = all(&store).await;
    let fresh = json!({"security_group_id": web, "direction": "ingress", "protocol": "udp"});
    let port = json!({"network_id": net});
    for (method, path, body, status) in [
        (
            "POST",
            "/v2.0/security-group-rules",
            json!({"security_group_rule": rule}),
            409,
        ),
        // As a whole, or not at all.
        (
            "POST",
            "/v2.0/security-group-rules",
            json!({"security_group_rules": [fresh, rule]}),
            409,
        ),
        (
            "POST",
            "/v2.0/ports",
            json!({"ports": [port, port, port, port, port, port, port]}),
            409,
        ),
        (
            "POST",
            "/v2.0/security-groups",
            json!({"security_group": {"nonsense": 1}}),
            400,
        ),
        (
            "DELETE",
            &format!("/v2.0/security-groups/{web}"),
            Value::Null,
            409,
        ),
        ("DELETE", &format!("/v2.0/networks/{net}"), Value::Null, 409),
        (
            "PUT",
            &format!("/v2.0/security-groups/{web}"),
            json!({"security_group": {"stateful": false}}),
            409,
        ),
        (
            "PUT",
            "/v2.0/quotas/fake_project_id",
            json!({"quota": {"port": 0}}),
            400,
        ),
    ] {
        let (answered, body) = server.say(method, path, body).await;
        assert_eq!(answered, status, "{method} {path}: {body}");
        assert_eq!(all(&store).await, before, "{method} {path}");
    }
}

#[tokio::test]
async fn a_port_is_under_its_host_and_a_member_of_its_groups() {
    let (_folder, store) = store();
    let server = Server::before(&store).await;
    let keys = async |store: &Store| -> Vec<(String, Value)> {
        let entries = all(store).await.into_iter();
        let entries = entries
            .filter(|entry| entry.key.contains("/ports/") || entry.key.contains("/members/"));
        entries
            .map(|entry| {
                let value: Value = serde_json::from_slice(&entry.value).unwrap();
                let is_member = entry.key.contains("/members/");
                (entry.key, if is_member { value } else { Value::Null })
            })
            .collect()
    };
    let web = server.make("/v2.0/security-groups", group("web")).await;
    let net = server.make("/v2.0/networks", json!({"network": {}})).await;
    let subnet = json!({"network_id": net, "ip_version": 4, "cidr": "10.0.0.0/24"});
    server
        .make("/v2.0/subnets", json!({"subnet": subnet}))
        .await;
    let port = json!({
        "network_id": net, "security_groups": [web], "fixed_ips": [{"ip_address": "10.0.0.5"}],
        "allowed_address_pairs": [{"ip_address": "10.9.0.0/16"}], "binding:host_id": "one",
    });
    let port = server.make("/v2.0/ports", json!({"port": port})).await;
    let member = format!("/sg/v1/members/{web}/{port}");
    assert_eq!(
        keys(&store).await,
        [
            (member.clone(), json!(["10.0.0.5", "10.9.0.0/16"])),
            (format!("/sg/v1/ports/one/{port}"), Value::Null),
        ]
    );
    let path = format!("/v2.0/ports/{port}");
    let change = |fields: Value| server.say("PUT", &path, json!({"port": fields}));
    assert_eq!(change(json!({"binding:host_id": "two"})).await.0, 200);
    assert_eq!(change(json!({"allowed_address_pairs": []})).await.0, 200);
    assert_eq!(
        keys(&store).await,
        [
            (member, json!(["10.0.0.5"])),
            (format!("/sg/v1/ports/two/{port}"), Value::Null),
        ]
    );
    assert_eq!(
        change(json!({"security_groups": [], "binding:host_id": null}))
            .await
            .0,
        200
    );
    assert_eq!(
        keys(&store).await,
        [(format!("/sg/v1/ports/@/{port}"), Value::Null)]
    );
    assert_eq!(server.say("DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(keys(&store).await, []);
}

#[tokio::test]
async fn what_nobody_can_read_is_left_out_and_takes_nothing_else_along() {
    let (_folder, store) = store();
    let server = Server::before(&store).await;
    let web = server.make("/v2.0/security-groups", group("web")).await;
    let put = sg_store::Write::Put {
        key: "/sg/v1/networks/00000000-0000-4000-8000-000000000001".into(),
        value: b"nonsense".to_vec(),
    };
    store.commit(Vec::new(), vec![put]).await.unwrap();
    let late = Server::before(&store).await;
    for server in [&server, &late] {
        let (status, list) = server.say("GET", "/v2.0/networks", Value::Null).await;
        assert_eq!((status, list), (200, json!({"networks": []})));
        let path = format!("/v2.0/security-groups/{web}");
        assert_eq!(server.say("GET", &path, Value::Null).await.0, 200);
    }
}
