//! No sequence of requests leaves a world that contradicts itself.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};
use sg_api::api::{Request, answer};
use sg_api::query::Query;
use sg_api::resource::{quota, seed};
use sg_api::world::{Context, Draft, World};
use sg_store::{Change, Entry, Snapshot, Write};
use uuid::Uuid;

/// Where ports are bound to.
const HOSTS: [&str; 3] = ["one", "two", ""];

/// A server of one: its world, and what its store would hold.
struct Alone {
    world: World,
    entries: BTreeMap<String, Entry>,
    /// Ids of what was made, by kinds.
    made: BTreeMap<&'static str, Vec<String>>,
}

impl Alone {
    fn new() -> Self {
        let mut alone = Self {
            world: World::default(),
            entries: BTreeMap::new(),
            made: BTreeMap::new(),
        };
        let mut draft = Draft::new(&alone.world, Context::now());
        seed(&mut draft);
        alone.commit(&draft);
        alone
    }

    fn commit(&mut self, draft: &Draft) {
        let (conditions, writes) = draft.commit(Uuid::new_v4());
        for condition in conditions {
            let found = self
                .entries
                .get(&condition.key)
                .map_or(0, |entry| entry.revision);
            assert_eq!(found, condition.revision, "{}", condition.key);
        }
        let revision = self.world.revision + 1;
        let mut changes = Vec::new();
        for write in writes {
            changes.push(match write {
                Write::Put { key, value } => {
                    let entry = Entry {
                        key: key.clone(),
                        value,
                        revision,
                    };
                    self.entries.insert(key, entry.clone());
                    Change::Put(entry)
                }
                Write::Delete { key } => {
                    assert!(self.entries.remove(&key).is_some(), "{key}");
                    Change::Delete { key, revision }
                }
            });
        }
        assert_eq!(self.world.follow(revision, changes), []);
    }

    fn ask(&mut self, method: &str, path: &str, body: Value) -> Option<Value> {
        let request = Request {
            method: method.into(),
            path: path.into(),
            query: Query::default(),
            body: if body.is_null() {
                Vec::new()
            } else {
                body.to_string().into_bytes()
            },
            strange_type: None,
            base: "http://localhost".into(),
        };
        let mut draft = Draft::new(&self.world, Context::now());
        let answered = answer(&mut draft, &request).ok()?;
        if !draft.is_empty() {
            self.commit(&draft);
        }
        Some(answered.body.unwrap_or(Value::Null))
    }

    fn pick(&self, kind: &str, number: usize) -> String {
        let made = self.made.get(kind).filter(|made| !made.is_empty());
        made.map_or_else(
            || Uuid::nil().to_string(),
            |made| made[number % made.len()].clone(),
        )
    }

    fn act(&mut self, step: &Step) {
        let Step { what, a, b, c } = *step;
        let group = self.pick("security_group", a);
        let other = self.pick("security_group", b);
        let network = self.pick("network", a % 2);
        let port = self.pick("port", a);
        let make = |kind: &'static str, path: &str, body: Value| (kind, path.to_owned(), body);
        let (kind, path, body) = match what {
            0 => make(
                "security_group",
                "security-groups",
                json!({"name": "g", "stateful": a % 3 > 0}),
            ),
            1 => {
                let remote = [Value::Null, json!(other)][b % 2].clone();
                let protocol = ["tcp", "6", "icmp", "58", "ipv6-icmp"][c % 5];
                let ethertype = ["IPv4", "IPv6"][a % 2];
                let body = json!({
                    "security_group_id": group, "direction": "ingress", "protocol": protocol,
                    "ethertype": ethertype, "remote_group_id": remote,
                });
                make("security_group_rule", "security-group-rules", body)
            }
            2 => make(
                "network",
                "networks",
                json!({"name": "n", "port_security_enabled": a % 4 > 0}),
            ),
            3 => {
                let cidr = ["10.0.0.0/29", "10.0.1.0/29", "10.0.0.0/16", "fd00::/64"][c % 4];
                let version = if cidr.starts_with("fd") { 6 } else { 4 };
                let mut body = json!({"network_id": network, "ip_version": version, "cidr": cidr});
                if version == 6 && b % 2 == 0 {
                    body["ipv6_address_mode"] = json!("slaac");
                }
                make("subnet", "subnets", body)
            }
            4 | 5 => {
                let mut body = json!({"network_id": network, "binding:host_id": HOSTS[b % 3]});
                if c % 3 == 0 {
                    body["security_groups"] = json!([group, other]);
                }
                if c % 5 == 0 {
                    body["fixed_ips"] = json!([{"ip_address": format!("10.0.0.{}", c % 9)}]);
                }
                if c % 7 == 0 {
                    body["mac_address"] = json!("02:00:00:00:00:01");
                }
                make("port", "ports", body)
            }
            6 => {
                let body = match c % 6 {
                    0 => json!({"security_groups": [other]}),
                    1 => json!({"security_groups": [], "port_security_enabled": false}),
                    2 => json!({"port_security_enabled": b % 2 == 0}),
                    3 => json!({"binding:host_id": HOSTS[b % 3]}),
                    4 => json!({"fixed_ips": [{"ip_address": format!("10.0.0.{}", b % 9)}]}),
                    _ => json!({"mac_address": Value::Null}),
                };
                self.ask("PUT", &format!("/v2.0/ports/{port}"), json!({"port": body}));
                return;
            }
            7 => {
                let body = json!({"security_group": {"stateful": c % 2 == 0}});
                self.ask("PUT", &format!("/v2.0/security-groups/{group}"), body);
                return;
            }
            _ => {
                let kinds = [
                    ("security_group", "security-groups"),
                    ("security_group_rule", "security-group-rules"),
                    ("network", "networks"),
                    ("subnet", "subnets"),
                    ("port", "ports"),
                ];
                let (kind, path) = kinds[c % 5];
                let id = self.pick(kind, a);
                self.ask("DELETE", &format!("/v2.0/{path}/{id}"), Value::Null);
                return;
            }
        };
        let made = self.ask("POST", &format!("/v2.0/{path}"), json!({kind: body}));
        if let Some(id) = made.and_then(|made| made[kind]["id"].as_str().map(str::to_owned)) {
            self.made.entry(kind).or_default().push(id);
        }
    }

    /// What always holds.
    fn check(&self) {
        let world = &self.world;
        for rule in world.rules.values() {
            assert!(world.groups.contains_key(&rule.security_group_id));
            if let Some(remote) = &rule.matches.remote_group_id {
                assert!(world.groups.contains_key(&remote.parse().unwrap()));
            }
        }
        for subnet in world.subnets.values() {
            assert!(world.networks.contains_key(&subnet.network_id));
        }
        let (mut macs, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for port in world.ports.values() {
            assert!(world.networks.contains_key(&port.network_id));
            assert!(
                macs.insert((port.network_id, &port.mac_address)),
                "{port:?}"
            );
            for fixed in &port.fixed_ips {
                let subnet = world.subnets.get(&fixed.subnet_id).unwrap();
                assert_eq!(subnet.network_id, port.network_id);
                assert!(subnet.cidr.contains(&fixed.ip_address));
                assert!(
                    addresses.insert((fixed.subnet_id, fixed.ip_address)),
                    "{port:?}"
                );
                assert_eq!(
                    world.holder(fixed.subnet_id, fixed.ip_address),
                    Some(port.id)
                );
            }
            let groups = port.security_groups.iter();
            let stateful: BTreeSet<bool> = groups
                .map(|group| world.groups.get(group).unwrap().stateful)
                .collect();
            assert!(stateful.len() < 2, "{port:?}");
            assert!(port.port_security_enabled || port.security_groups.is_empty());
            for group in &port.security_groups {
                let key = format!("/sg/v1/members/{group}/{}", port.id);
                let members: Vec<String> =
                    serde_json::from_slice(&self.entries[&key].value).unwrap();
                assert_eq!(members, port.member());
            }
        }
        let members = self
            .entries
            .keys()
            .filter(|key| key.contains("/members/"))
            .count();
        let joined: usize = world
            .ports
            .values()
            .map(|port| port.security_groups.len())
            .sum();
        assert_eq!(members, joined);
        for (kind, _) in quota::DEFAULTS {
            let limit = quota::limit(world, "fake_project_id", kind);
            let used = quota::used(world, "fake_project_id", kind);
            // The project's default group is always allowed.
            assert!(
                limit < 0 || used <= usize::try_from(limit).unwrap() + 1,
                "{kind}"
            );
        }
    }

    /// Whoever reads the store anew comes to the same.
    fn check_reread(&self) {
        let (read, misplaced) = World::of(self.snapshot());
        assert_eq!(misplaced, []);
        let ids = |world: &World| -> Vec<Uuid> {
            let groups = world.groups.keys().chain(world.rules.keys());
            groups
                .chain(world.ports.keys())
                .chain(world.subnets.keys())
                .copied()
                .collect()
        };
        assert_eq!(ids(&read), ids(&self.world));
        for port in self.world.ports.values() {
            assert_eq!(read.ports.get(&port.id), Some(port));
        }
        for group in self.world.groups.values() {
            assert_eq!(read.groups.get(&group.id), Some(group));
            assert_eq!(read.rules_of(group.id), self.world.rules_of(group.id));
            assert_eq!(
                read.ports_having(group.id).count(),
                self.world.ports_having(group.id).count()
            );
        }
        assert_eq!(
            read.head.standard_attributes,
            self.world.head.standard_attributes
        );
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            store: 1,
            revision: self.world.revision,
            entries: self.entries.values().cloned().collect(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Step {
    what: usize,
    a: usize,
    b: usize,
    c: usize,
}

fn step() -> impl Strategy<Value = Step> {
    (0..10usize, 0..64usize, 0..64usize, 0..210usize).prop_map(|(what, a, b, c)| Step {
        what,
        a,
        b,
        c,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_requests_contradicts_itself(steps in prop::collection::vec(step(), 1..60)) {
        let mut alone = Alone::new();
        for step in &steps {
            alone.act(step);
            alone.check();
        }
        alone.check_reread();
    }

    #[test]
    fn a_body_of_any_json_is_answered(text in ".{0,80}", kind in 0..9usize) {
        let mut alone = Alone::new();
        let kinds = ["security-groups", "security-group-rules", "networks", "subnets", "ports",
            "address-groups", "log/logs", "default-security-group-rules", "security-groups-default-statefulness"];
        for wrapper in ["security_group", "port", "subnet", "address_group", "log"] {
            alone.ask("POST", &format!("/v2.0/{}", kinds[kind]), json!({wrapper: text}));
            alone.ask("POST", &format!("/v2.0/{}", kinds[kind]), json!({wrapper: {"name": text, "cidr": text}}));
        }
        alone.check();
    }
}
