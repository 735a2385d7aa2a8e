//! Default groups and default rules.

use serde_json::{Value, json};

use super::Lab;

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
