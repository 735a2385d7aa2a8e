//! What a node wants, and what its filter is told.

use serde_json::{Value, json};

use super::*;

const HOST: &str = "compute-1";

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn put(mirror: &mut Mirror, key: Key, value: &Value) {
    put_text(mirror, key, &value.to_string());
}

fn put_text(mirror: &mut Mirror, key: Key, value: &str) {
    mirror.put(Entry {
        key: key.to_string(),
        value: value.into(),
        revision: 1,
    });
}

fn delete(mirror: &mut Mirror, key: Key) {
    mirror.take(Change::Delete {
        key: key.to_string(),
        revision: 2,
    });
}

fn port(number: u128) -> Key {
    Key::Port {
        host: Some(HOST.into()),
        id: id(number),
    }
}

fn rule(group: u128, number: u128) -> Key {
    Key::Rule {
        group: id(group),
        id: id(number),
    }
}

fn member(group: u128, port: u128) -> Key {
    Key::Member {
        group: id(group),
        port: id(port),
    }
}

/// Port 1 has group 10, whose rule 20 is for the members of group 11.
fn scene() -> Mirror {
    let mut mirror = Mirror::new(HOST);
    put(
        &mut mirror,
        port(1),
        &json!({"security_groups": [id(10)], "name": "web"}),
    );
    put(
        &mut mirror,
        Key::SecurityGroup(id(10)),
        &json!({"name": "WEB"}),
    );
    put(
        &mut mirror,
        rule(10, 20),
        &json!({"remote_group_id": id(11)}),
    );
    put(&mut mirror, member(11, 5), &json!(["10.0.0.5"]));
    mirror
}

fn told(mirror: &mut Mirror) -> Value {
    let objects = mirror.objects(false);
    json!([objects.ports, objects.security_groups, objects.members])
}

#[test]
fn a_node_wants_its_ports_their_groups_and_what_the_rules_of_these_name() {
    let mut mirror = Mirror::new(HOST);
    let first = BTreeSet::from([Want::Layout, Want::Ports]);
    assert_eq!(mirror.wanted(), first);
    put(&mut mirror, port(1), &json!({"security_groups": [id(10)]}));
    let mut second = first.clone();
    second.insert(Want::Group(id(10)));
    assert_eq!(mirror.wanted(), second);
    put(
        &mut mirror,
        rule(10, 20),
        &json!({"remote_group_id": id(11)}),
    );
    put(
        &mut mirror,
        rule(10, 21),
        &json!({"remote_address_group_id": id(12)}),
    );
    let mut third = second.clone();
    third.extend([Want::Members(id(11)), Want::AddressGroup(id(12))]);
    assert_eq!(mirror.wanted(), third);
    delete(&mut mirror, port(1));
    assert_eq!(mirror.wanted(), first);
}

#[test]
fn what_is_wanted_lies_in_its_range_and_in_no_other() {
    let keys = [
        (Want::Layout, LAYOUT.to_owned()),
        (Want::Ports, port(1).to_string()),
        (Want::Group(id(10)), Key::SecurityGroup(id(10)).to_string()),
        (Want::Group(id(10)), rule(10, 20).to_string()),
        (Want::Members(id(10)), member(10, 1).to_string()),
        (
            Want::AddressGroup(id(10)),
            Key::AddressGroup(id(10)).to_string(),
        ),
    ];
    for (want, _) in &keys {
        let range = want.range(HOST);
        for (other, key) in &keys {
            assert_eq!(range.contains(key), want == other, "{want:?}: {key}");
        }
    }
}

#[test]
fn it_is_asked_anew_what_is_wanted_only_when_objects_name_something_else() {
    let mut mirror = scene();
    let mut turned = |change: &dyn Fn(&mut Mirror)| {
        mirror.objects(false);
        change(&mut mirror);
        mirror.is_turned()
    };
    assert!(!turned(&|_| {}));
    let same = json!({"security_groups": [id(10)], "name": "renamed"});
    assert!(!turned(&|mirror| put(mirror, port(1), &same)));
    assert!(!turned(&|mirror| put(
        mirror,
        rule(10, 21),
        &json!({"protocol": "tcp"})
    )));
    assert!(!turned(&|mirror| put(
        mirror,
        member(11, 6),
        &json!(["10.0.0.6"])
    )));
    assert!(turned(&|mirror| put(
        mirror,
        port(1),
        &json!({"security_groups": [id(12)]})
    )));
    let other = json!({"remote_group_id": id(13)});
    assert!(turned(&|mirror| put(mirror, rule(10, 21), &other)));
    assert!(turned(&|mirror| delete(mirror, rule(10, 20))));
    assert!(turned(&|mirror| delete(mirror, port(1))));
}

#[test]
fn at_first_all_is_told_and_then_what_changes() {
    let mut mirror = scene();
    let group = json!({"name": "WEB", "security_group_rules":
        [{"remote_group_id": id(11), "id": id(20)}]});
    let all = mirror.objects(true);
    assert_eq!(
        json!([all.ports, all.security_groups, all.members]),
        json!([
            {id(1).to_string(): {"security_groups": [id(10)], "name": "web"}},
            {id(10).to_string(): group},
            {id(11).to_string(): ["10.0.0.5/32"]},
        ])
    );
    assert_eq!(told(&mut mirror), json!([{}, {}, {}]));
    put(&mut mirror, member(11, 6), &json!(["10.0.0.6", "10.0.0.5"]));
    let added = json!({id(11).to_string(): {"added": ["10.0.0.6/32"], "removed": []}});
    assert_eq!(told(&mut mirror), json!([{}, {}, added]));
    // Port 6 has the address still.
    delete(&mut mirror, member(11, 5));
    assert_eq!(told(&mut mirror), json!([{}, {}, {}]));
    delete(&mut mirror, rule(10, 20));
    assert_eq!(
        told(&mut mirror),
        json!([
            {},
            {id(10).to_string(): {"name": "WEB", "security_group_rules": []}},
            {id(11).to_string(): null},
        ])
    );
    delete(&mut mirror, port(1));
    let gone = |number| json!({id(number).to_string(): null});
    assert_eq!(told(&mut mirror), json!([gone(1), gone(10), {}]));
}

#[test]
fn what_no_reader_understands_is_told_so_that_only_it_is_at_fault() {
    let mut mirror = scene();
    put_text(&mut mirror, port(2), "{\"name\": ");
    put_text(&mut mirror, rule(10, 21), "[1]");
    put(&mut mirror, rule(10, 22), &json!({"id": id(20)}));
    put(&mut mirror, member(11, 7), &json!(["10.0.0.300", 7]));
    let key = member(11, 7).to_string();
    let all = mirror.objects(true);
    assert_eq!(
        all.ports[&id(2)].as_ref().unwrap().get(),
        "\"{\\\"name\\\": \""
    );
    let group = all.security_groups[&id(10)].as_ref().unwrap();
    let group: Value = serde_json::from_str(group.get()).unwrap();
    assert_eq!(
        group["security_group_rules"],
        json!([
            {"remote_group_id": id(11), "id": id(20)},
            {"id": id(21), "value": "[1]"},
            {"id": id(22), "value": format!("{{\"id\":\"{}\"}}", id(20))},
        ])
    );
    let members = json!(all.members[&id(11)]);
    let strange = |value: Value| json!({"key": key, "value": value});
    let expected = json!([
        "10.0.0.5/32",
        strange("10.0.0.300".into()),
        strange(7.into())
    ]);
    assert_eq!(members, expected);
    // Mended, all is told, because what is wrong is not told in parts.
    put(&mut mirror, member(11, 7), &json!(["10.0.0.7"]));
    let mended = json!({id(11).to_string(): ["10.0.0.5/32", "10.0.0.7/32"]});
    assert_eq!(told(&mut mirror), json!([{}, {}, mended]));
}

#[test]
fn a_rule_that_cannot_be_read_leaves_the_others_of_its_group_and_names_itself() {
    let deep = format!("{{\"id\": {}{}}}", "[".repeat(124), "]".repeat(124));
    let strange = [
        r#"{"direction": "ingress", "direction": "egress"}"#,
        r#"{"id": null}"#,
        r#"{"description": "\ud800"}"#,
        r#"{"port_range_min": 1e999}"#,
        &deep,
        "null",
        "[null]",
    ];
    let mut mirror = scene();
    for value in strange {
        put_text(&mut mirror, rule(10, 21), value);
        let all = mirror.objects(true);
        let group = all.security_groups[&id(10)].as_ref().unwrap();
        let crate::json::Once(group) = serde_json::from_str(group.get()).unwrap();
        let rules = group["security_group_rules"].as_array().unwrap();
        let own = json!({"id": id(21), "value": value});
        assert!(rules.len() == 2 && rules.contains(&own), "{value}");
    }
}

#[test]
fn a_value_that_is_nothing_is_told_as_what_it_is_and_takes_nothing_away() {
    let mut mirror = scene();
    mirror.objects(true);
    put(&mut mirror, Key::SecurityGroup(id(10)), &Value::Null);
    let told = mirror.objects(false);
    let group = &told.security_groups[&id(10)];
    assert_eq!(group.as_ref().unwrap().get(), "\"null\"");
    put(&mut mirror, port(1), &Value::Null);
    let told = mirror.objects(false);
    assert_eq!(told.ports[&id(1)].as_ref().unwrap().get(), "\"null\"");
}

#[test]
fn what_is_no_object_has_no_addresses_and_what_is_octal_to_some_is_none() {
    let mut mirror = scene();
    let of_ten = json!({"remote_address_group_id": id(14)});
    put(&mut mirror, rule(10, 22), &of_ten);
    put(
        &mut mirror,
        Key::AddressGroup(id(14)),
        &json!([["0.0.0.0/0"]]),
    );
    put(
        &mut mirror,
        member(11, 7),
        &json!(["010.0.0.0/8", "10.0.0.0/08", "10.0.0.0/+8"]),
    );
    let all = mirror.objects(true);
    for group in [11, 14] {
        let members = json!(all.members[&id(group)]);
        let members = members.as_array().unwrap().iter();
        let nets = members
            .filter_map(Value::as_str)
            .filter(|net| *net != "10.0.0.5/32");
        assert_eq!(nets.count(), 0);
    }
}

#[test]
fn what_other_hosts_have_and_no_port_needs_is_not_told() {
    let mut mirror = scene();
    let other = Key::Port {
        host: Some("compute-2".into()),
        id: id(3),
    };
    put(&mut mirror, other, &json!({"security_groups": [id(12)]}));
    put(&mut mirror, Key::SecurityGroup(id(12)), &json!({}));
    put(&mut mirror, member(12, 3), &json!(["10.0.0.9"]));
    put(
        &mut mirror,
        Key::AddressGroup(id(13)),
        &json!({"addresses": []}),
    );
    let all = mirror.objects(true);
    assert_eq!(all.ports.len(), 1);
    assert_eq!(all.security_groups.len(), 1);
    assert_eq!(all.members.len(), 1);
}

#[test]
fn what_is_told_step_by_step_comes_to_what_is_told_at_once() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut mirror = Mirror::new(HOST);
        let mut known = Known::default();
        known.take(mirror.objects(true));
        for _ in 0..40 {
            for _ in 0..random.usize(1..4) {
                stir(&mut mirror, &mut random);
            }
            known.take(mirror.objects(false));
            let mut whole = Known::default();
            whole.take(mirror.objects(true));
            assert_eq!(known, whole, "seed {seed}");
        }
    }
}

/// What a reader of tellings knows.
#[derive(Debug, Default, PartialEq)]
struct Known {
    objects: BTreeMap<Uuid, Value>,
    members: BTreeMap<Uuid, BTreeSet<String>>,
}

impl Known {
    fn take(&mut self, told: Objects) {
        for (id, text) in told.ports.into_iter().chain(told.security_groups) {
            match text {
                Some(text) => drop(self.objects.insert(id, json!(text))),
                None => drop(self.objects.remove(&id)),
            }
        }
        for (id, members) in told.members {
            let set = self.members.entry(id).or_default();
            match members {
                None => drop(self.members.remove(&id)),
                Some(Members::Whole(all)) => {
                    *set = all.iter().map(|one| one.to_string()).collect();
                }
                Some(Members::Changed { added, removed }) => {
                    for net in removed {
                        assert!(set.remove(&json!(net).to_string()), "{net} was not there");
                    }
                    for net in added {
                        assert!(set.insert(json!(net).to_string()), "{net} was there");
                    }
                }
            }
        }
    }
}

/// One change among few objects, so that they meet.
fn stir(mirror: &mut Mirror, random: &mut fastrand::Rng) {
    let one = |random: &mut fastrand::Rng| random.u128(0..4);
    let group = |random: &mut fastrand::Rng| id(10 + one(random));
    let key = match random.u8(..5) {
        0 => port(1 + one(random)),
        1 => Key::SecurityGroup(group(random)),
        2 => rule(10 + one(random), 20 + one(random)),
        3 => member(10 + one(random), one(random)),
        _ => Key::AddressGroup(id(14 + one(random) % 2)),
    };
    if random.u8(..3) == 0 {
        return delete(mirror, key);
    }
    let value = match key {
        Key::Port { .. } => json!({"security_groups": [group(random), group(random)]}),
        Key::SecurityGroup(_) => json!({"name": one(random)}),
        Key::Rule { .. } if random.bool() => json!({"remote_group_id": group(random)}),
        Key::Rule { .. } => json!({"remote_address_group_id": id(14 + one(random) % 2)}),
        Key::Member { .. } if random.u8(..8) == 0 => json!([one(random)]),
        Key::Member { .. } => json!([format!("10.0.0.{}", one(random)), "10.0.1.0/24"]),
        _ => json!({"addresses": [format!("10.1.{}.0/24", one(random))]}),
    };
    put(mirror, key, &value);
}
