//! One web server, one client, and the group between them.

use std::sync::LazyLock;

use serde_json::{Value, json};
use sg_common::{
    hook::Direction,
    layout::counter::Counter,
    reason::{Accept, DropReason, Verdict, verdict_counter},
};

use crate::{
    agent::{About, Agent, PortCounts, double::Double},
    netlink::Link,
    view::SourceKind,
};

pub const WEB1: &str = "11111111-0000-4000-8000-000000000005";
pub const CLIENT: &str = "11111111-0000-4000-8000-000000000006";
pub const WEB_SERVERS: &str = "22222222-0000-4000-8000-000000000001";

/// Where WEB1 is.
pub static LINK: LazyLock<Link> = LazyLock::new(|| Link {
    ifindex: 7,
    name: "tapweb1".into(),
    master: None,
});

/// An agent and its kernel.
pub fn agent() -> (Agent, Double) {
    let kernel = Double::default();
    (agent_on(&kernel), kernel)
}

/// Another agent on the same kernel.
pub fn agent_on(kernel: &Double) -> Agent {
    let about = About {
        bpffs: "/sys/fs/bpf/sg".into(),
        inventory: "/var/lib/sgd/inventory.json".into(),
        source: SourceKind::default(),
        host: None,
        settings: "/etc/sgd/sgd.toml".into(),
    };
    Agent::new(Box::new(kernel.clone()), Box::new(kernel.clone()), about)
}

/// The inventory, with some fields of WEB1 changed.
pub fn inventory(web1: Value) -> Vec<u8> {
    let mut port = json!({
        "id": WEB1,
        "name": "WEB1",
        "device": "tapweb1",
        "mac_address": "fa:16:3e:00:00:05",
        "fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "2001:db8::5"}],
        "security_groups": [WEB_SERVERS],
        "allowed_address_pairs":
            [{"ip_address": "10.0.9.0/24", "mac_address": "fa:16:3e:00:00:99"}],
    });
    for (field, value) in web1.as_object().unwrap() {
        port[field] = value.clone();
    }
    let client = json!({
        "id": CLIENT,
        "name": "CLIENT",
        "device": "tapclient",
        "mac_address": "fa:16:3e:00:00:06",
        "fixed_ips": [{"ip_address": "10.0.0.6"}],
    });
    let rule = |number: u8, direction: &str, more: Value| {
        let id = format!("33333333-0000-4000-8000-0000000000{number:02}");
        let mut rule = json!({"id": id, "direction": direction});
        for (field, value) in more.as_object().unwrap() {
            rule[field] = value.clone();
        }
        rule
    };
    let web =
        |port: u16| json!({"protocol": "tcp", "port_range_min": port, "port_range_max": port});
    let group = json!({
        "id": WEB_SERVERS,
        "name": "WEB_SERVERS",
        "security_group_rules": [
            rule(1, "egress", json!({})),
            rule(2, "egress", json!({"ethertype": "IPv6"})),
            rule(3, "ingress", web(80)),
            rule(4, "ingress", web(443)),
            rule(5, "ingress", json!({"protocol": "icmp", "remote_ip_prefix": "10.0.0.0/8"})),
            rule(6, "ingress", json!({"remote_group_id": WEB_SERVERS})),
        ],
    });
    let document = json!({"ports": [port, client], "security_groups": [group]});
    serde_json::to_vec(&document).unwrap()
}

/// Counters of a port that has seen something.
pub fn counted() -> PortCounts {
    let mut counts = PortCounts::NONE;
    let mut count = |direction: Direction, verdict: Verdict, packets| {
        counts.0[direction as usize][verdict_counter(&verdict) as usize] = Counter {
            packets,
            bytes: packets * 60,
        };
    };
    count(Direction::Ingress, Ok(Accept::New), 2);
    count(Direction::Ingress, Ok(Accept::Established), 40);
    count(Direction::Ingress, Err(DropReason::NoRule), 3);
    count(Direction::Egress, Ok(Accept::Established), 50);
    count(Direction::Egress, Err(DropReason::SpoofedAddress), 1);
    counts
}
