//! Lists, and tags.

use serde_json::{Value, json};

use super::Lab;

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
