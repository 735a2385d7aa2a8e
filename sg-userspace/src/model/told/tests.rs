//! What transactions come to.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, prop_assert_eq, proptest};
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::model::Effect;
use crate::testing::touched as between;

const WEB: &str = "5a000000-0000-4000-8000-000000000001";
const DB: &str = "5a000000-0000-4000-8000-000000000002";
const P1: &str = "11111111-0000-4000-8000-000000000001";
const P2: &str = "22222222-0000-4000-8000-000000000002";
const S1: &str = "0e550000-0000-4000-8000-000000000001";
const S2: &str = "0e550000-0000-4000-8000-000000000002";

/// A writer's daemon, without its kernel.
#[derive(Default)]
struct Desk {
    told: Told,
    inventory: Inventory,
    kept: Vec<String>,
}

impl Desk {
    fn tell(&mut self, body: Value) -> Result<Touched, Conflict> {
        let transaction = Transaction::parse(body.to_string().as_bytes()).unwrap();
        let step = self.told.step(&self.inventory, transaction)?;
        let kept = serde_json::to_string(&step).unwrap();
        let step = serde_json::from_str(&kept).unwrap();
        self.kept.push(kept);
        Ok(self.told.take(&mut self.inventory, step))
    }

    /// One that builds on what is there.
    fn go_on(&mut self, mut body: Value) -> Touched {
        body["session"] = json!(S1);
        body["base"] = match self.told.session() {
            None => Value::Null,
            Some(_) => self.told.revision().into(),
        };
        self.tell(body).unwrap()
    }

    fn faults(&self) -> Vec<String> {
        self.told.faults().map(ToString::to_string).collect()
    }
}

fn port(groups: &[&str]) -> Value {
    json!({"mac_address": "fa:16:3e:00:00:05", "fixed_ips": ["10.0.0.5"], "security_groups": groups})
}

fn group(rules: Value) -> Value {
    json!({"security_group_rules": rules})
}

fn from(group: &str) -> Value {
    json!([{"direction": "ingress", "remote_group_id": group}])
}

#[test]
fn what_a_store_tells_is_at_fault_at_its_key() {
    const RULE: &str = "33333333-0000-4000-8000-000000000003";
    let mut desk = Desk {
        told: Told::of(Some("n 1".into())),
        ..Desk::default()
    };
    let member = format!("/sg/v1/members/{DB}/{P2}");
    let rule = json!([{"id": RULE, "value": "[1]"}]);
    desk.go_on(json!({
        "ports": {P1: "{\"mac"}, "security_groups": {WEB: group(rule)},
        "members": {DB: ["10.0.0.9", {"key": member, "value": "10.0.0.300"}, {"key": member, "value": 7}]},
    }));
    let mut keys: Vec<_> = desk
        .told
        .faults()
        .map(|fault| fault.key.as_deref())
        .collect();
    keys.sort_unstable();
    let port = format!("/sg/v1/ports/n%201/{P1}");
    let rule = format!("/sg/v1/security-groups/{WEB}/rules/{RULE}");
    assert_eq!(
        keys,
        [&member, &member, &port, &rule].map(|key| Some(key.as_str()))
    );
    let faults = desk.faults().join("\n");
    assert!(faults.contains("\"10.0.0.300\" is not a CIDR"), "{faults}");
    assert!(faults.contains(&format!("{P1}, {port}: ")), "{faults}");
    assert_eq!(desk.inventory.closed.len(), 1);
}

#[test]
fn a_writer_that_counts_itself_says_what_its_transaction_comes_to() {
    let mut desk = Desk::default();
    let tell =
        |base: Value, revision: u64| json!({"session": S1, "base": base, "revision": revision});
    desk.tell(tell(Value::Null, 41)).unwrap();
    assert_eq!(desk.told.revision(), 41);
    desk.tell(tell(json!(41), 50)).unwrap();
    assert_eq!(desk.told.revision(), 50);
    desk.tell(json!({"session": S1, "base": 50})).unwrap();
    assert_eq!(desk.told.revision(), 51);
    // Another store may have counted less far.
    let anew = json!({"session": S2, "base": null, "complete": true, "revision": 7});
    desk.tell(anew).unwrap();
    assert_eq!(desk.told.revision(), 7);
    for stands_still in [tell(json!(7), 7), tell(Value::Null, 0)] {
        let refused = Transaction::parse(stands_still.to_string().as_bytes());
        assert!(
            refused
                .unwrap_err()
                .to_string()
                .contains("is not more than base")
        );
    }
}

#[test]
fn members_given_and_those_of_ports_are_one() {
    let mut desk = Desk::default();
    desk.go_on(json!({
        "ports": {P1: port(&[WEB])}, "security_groups": {WEB: group(json!([]))},
        "members": {WEB: ["10.0.0.9", "10.0.0.5", "192.0.2.0/24"]},
    }));
    let web = GroupId(WEB.parse().unwrap());
    let members: BTreeSet<_> = desk
        .inventory
        .members(web, crate::model::Family::V4)
        .collect();
    let expected = ["10.0.0.5/32", "10.0.0.9/32", "192.0.2.0/24"];
    assert!(members.iter().map(ToString::to_string).eq(expected));
    assert_eq!(desk.faults(), [""; 0]);
}

#[test]
fn what_is_told_again_touches_nothing() {
    let mut desk = Desk::default();
    let body = json!({
        "session": S1, "base": null, "complete": true,
        "ports": {P1: port(&[WEB])}, "security_groups": {WEB: group(from(DB))},
        "members": {DB: ["10.0.0.9"]}, "trusted": {P2: {}},
    });
    assert!(!desk.tell(body.clone()).unwrap().is_empty());
    assert!(desk.tell(body).unwrap().is_empty());
    assert!(desk.kept[1].len() < 120, "{}", desk.kept[1]);
}

#[test]
fn one_member_more_is_kept_as_one_whether_told_alone_or_with_all() {
    let mut desk = Desk::default();
    let mut members: Vec<_> = (0..200).map(|n| format!("10.0.1.{n}")).collect();
    desk.go_on(json!({"members": {DB: members}}));
    members.push("10.0.2.1".into());
    let touched = desk.go_on(json!({"members": {DB: members}}));
    assert_eq!(touched.members[&DB.parse().unwrap()].len(), 1);
    assert!(desk.kept[1].len() < 200, "{}", desk.kept[1]);
    desk.go_on(
        json!({"members": {DB: {"added": ["10.0.2.2"], "removed": ["10.0.1.0", "9.9.9.9"]}}}),
    );
    assert_eq!(desk.inventory.given[&DB.parse().unwrap()].len(), 201);
}

#[test]
fn a_writer_that_builds_on_something_else_is_refused_and_nothing_is_changed() {
    let mut desk = Desk::default();
    desk.go_on(json!({"ports": {P1: port(&[])}}));
    let from =
        |session: &str, base: Value| json!({"session": session, "base": base, "ports": {P1: null}});
    for (session, base) in [
        (S1, json!(0)),
        (S1, json!(2)),
        (S2, json!(1)),
        (S1, Value::Null),
    ] {
        let conflict = desk.tell(from(session, base)).unwrap_err();
        assert_eq!(
            (conflict.revision, conflict.session),
            (1, Some(S1.parse().unwrap()))
        );
    }
    assert_eq!(desk.inventory.ports.len(), 1);
    desk.tell(from(S2, Value::Null)).unwrap();
    assert!(desk.inventory.ports.is_empty());
    desk.tell(json!({"session": S2, "base": null, "complete": true}))
        .unwrap();
    assert_eq!(desk.told.revision(), 3);
}

#[test]
fn complete_and_reap_take_away_what_is_not_named() {
    let mut desk = Desk::default();
    let all = json!({"ports": {P1: port(&[WEB]), P2: port(&[])},
        "security_groups": {WEB: group(json!([])), DB: group(json!([]))}, "members": {DB: []}});
    desk.go_on(all);
    // Another run of the writer names some of it, in two goes, and then says that this is all.
    desk.tell(json!({"session": S2, "base": null, "ports": {P1: port(&[WEB])}}))
        .unwrap();
    assert_eq!(desk.inventory.ports.len(), 2);
    desk.tell(json!({"session": S2, "base": 2, "reap": true,
        "security_groups": {WEB: group(json!([]))}}))
        .unwrap();
    assert_eq!(
        (desk.inventory.ports.len(), desk.inventory.groups.len()),
        (1, 1)
    );
    assert!(desk.inventory.given.is_empty());
    desk.tell(json!({"session": S2, "base": 3, "complete": true, "trusted": {P2: {}}}))
        .unwrap();
    assert_eq!(desk.inventory.ports.len(), 1);
    assert!(desk.inventory.groups.is_empty());
}

#[test]
fn a_bad_object_is_at_fault_and_closes_only_what_it_must() {
    let mut desk = Desk::default();
    desk.go_on(json!({
        "ports": {P1: {"mac_address": null, "fixed_ips": []}, P2: port(&[WEB, DB])},
        "security_groups": {WEB: group(json!([
            {"direction": "ingress", "protocol": "nonsense"},
            {"direction": "ingress", "protocol": "udp", "source_port_range_min": 67},
            {"direction": "ingress", "protocol": "udp",
                "source_port_range_min": 67, "source_port_range_max": 67},
            {"direction": "ingress", "remote_group_id": S1},
            {"direction": "egress"},
        ]))},
        "members": {DB: ["10.0.0.300", 7, "10.0.0.1"]},
    }));
    let inventory = &desk.inventory;
    assert_eq!((inventory.ports.len(), inventory.closed.len()), (1, 1));
    assert_eq!(
        inventory.groups[&GroupId(WEB.parse().unwrap())].rules.len(),
        2
    );
    assert_eq!(inventory.given[&DB.parse().unwrap()].len(), 1);
    let effects: Vec<_> = desk.told.faults().map(|fault| fault.effect).collect();
    let rules = effects
        .iter()
        .filter(|effect| **effect == Effect::RuleLeftOut);
    assert_eq!(
        (effects.len(), rules.count()),
        (7, 3),
        "{:?}",
        desk.faults()
    );
    let faults = desk.faults().join("\n");
    assert!(
        faults.contains("source_port_range_max is missing"),
        "{faults}"
    );
    assert!(
        faults.contains("members of 5a000000-0000-4000-8000-000000000002: members \"10.0.0.300\""),
        "{faults}"
    );
}

#[test]
fn what_names_a_group_that_comes_later_is_whole_then() {
    let mut desk = Desk::default();
    desk.go_on(json!({"ports": {P1: port(&[WEB])}}));
    assert_eq!(desk.faults().len(), 1);
    desk.go_on(json!({"security_groups": {WEB: group(from(DB))}}));
    assert_eq!(
        desk.inventory.ports.values().next().unwrap().groups.len(),
        1
    );
    assert_eq!(desk.faults().len(), 1, "{:?}", desk.faults());
    desk.go_on(json!({"members": {DB: []}}));
    assert_eq!(desk.faults(), [""; 0]);
    desk.go_on(json!({"members": {DB: null}, "security_groups": {WEB: null}}));
    assert_eq!(desk.faults().len(), 1);
}

#[test]
fn two_ports_on_one_interface_are_closed_until_one_goes() {
    let mut desk = Desk::default();
    let on = |device: &str| {
        let mut port = port(&[]);
        port["device"] = device.into();
        port
    };
    desk.go_on(json!({"ports": {P1: on("tap0")}}));
    desk.go_on(json!({"ports": {P2: on("tap0")}}));
    assert_eq!(
        (desk.inventory.ports.len(), desk.inventory.closed.len()),
        (0, 2)
    );
    let touched = desk.go_on(json!({"ports": {P2: on("tap1")}}));
    assert_eq!((desk.inventory.ports.len(), touched.ports.len()), (2, 2));
    assert_eq!(desk.faults(), [""; 0]);
}

#[test]
fn a_port_that_is_trusted_and_filtered_is_filtered() {
    let mut desk = Desk::default();
    desk.go_on(json!({"trusted": {P1: {"device": "tap9"}}}));
    let security = |desk: &Desk| desk.inventory.ports.values().next().unwrap().security;
    assert_eq!(security(&desk), crate::model::Security::Trusted);
    desk.go_on(json!({"ports": {P1: port(&[])}}));
    assert_eq!(security(&desk), crate::model::Security::Filtered);
    desk.go_on(json!({"ports": {P1: null}}));
    assert_eq!(security(&desk), crate::model::Security::Trusted);
}

#[test]
fn a_body_that_is_not_understood_says_what_is_wrong() {
    for (body, why) in [
        ("", "EOF"),
        ("{}", "session"),
        (r#"{"session": "x", "base": null}"#, "UUID"),
        (
            r#"{"session": "0e550000-0000-4000-8000-000000000001", "base": null, "prots": {}}"#,
            "prots",
        ),
        (
            r#"{"session": "0e550000-0000-4000-8000-000000000001", "base": null, "ports": {"tap0": {}}}"#,
            "UUID",
        ),
        (
            r#"{"session": "0e550000-0000-4000-8000-000000000001", "base": null, "ports": {"11111111-0000-4000-8000-000000000001": {}, "11111111-0000-4000-8000-000000000001": null}}"#,
            "twice",
        ),
    ] {
        let error = Transaction::parse(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{body}: {error}");
    }
}

/// Objects of a small world: every value replaces the whole object.
pub(crate) fn transactions() -> impl Strategy<Value = Value> {
    let groups = vec![WEB, DB];
    let ids = select(vec![P1, P2, "33333333-0000-4000-8000-000000000003"]);
    let device = select(vec![None, Some("tap0"), Some("tap1")]);
    let subport = proptest::option::weighted(0.1, select(vec![P1, P2]));
    let port = (device, vec(select(groups.clone()), 0..3), 1..4u8, subport).prop_map(
        |(device, groups, ip, subport)| {
            let mut port = port(&groups);
            port["device"] = device.into();
            port["fixed_ips"] = json!([format!("10.0.0.{ip}")]);
            if let Some(subport) = subport {
                port["trunk_details"] = json!({"sub_ports": [
                {"port_id": subport, "segmentation_type": "vlan", "segmentation_id": 7}]});
            }
            port
        },
    );
    let port = proptest::option::weighted(0.8, port);
    let rule = select(vec![
        json!({"direction": "ingress", "remote_group_id": WEB}),
        json!({"direction": "ingress", "remote_group_id": DB}),
        json!({"direction": "ingress", "remote_address_group_id": DB}),
        json!({"direction": "egress", "protocol": "tcp", "port_range_min": 80, "port_range_max": 81}),
        json!({"direction": "sideways"}),
    ]);
    let group =
        proptest::option::weighted(0.8, vec(rule, 0..3).prop_map(|rules| group(rules.into())));
    let net = select(vec!["10.0.0.1", "10.0.0.2", "10.0.0.0/24", "nonsense"]);
    let members = vec(net.clone(), 0..3).prop_map(Value::from);
    let change = (vec(net.clone(), 0..2), vec(net, 0..2));
    let change = change.prop_map(|(added, removed)| json!({"added": added, "removed": removed}));
    let members = proptest::option::weighted(0.8, proptest::prop_oneof![members, change]);
    let objects = (
        vec((ids.clone(), port), 0..3),
        vec(
            (
                ids,
                proptest::option::of(proptest::prelude::Just(json!({}))),
            ),
            0..2,
        ),
        vec((select(groups.clone()), group), 0..2),
        vec((select(groups), members), 0..2),
        (0..10u8, 0..10u8, 0..5u8),
    );
    objects.prop_map(|(ports, trusted, groups, members, (complete, reap, session))| {
        fn map<V: Into<Value>>(entries: Vec<(&str, Option<V>)>) -> Value {
            let entries = entries.into_iter();
            entries.map(|(id, value)| (id.to_owned(), value.map_or(Value::Null, Into::into))).collect()
        }
        json!({
            "session": if session == 0 { S2 } else { S1 }, "base": null, "complete": complete == 0, "reap": reap == 0,
            "ports": map(ports), "trusted": map(trusted), "security_groups": map(groups), "members": map(members),
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_way_to_the_same_objects_comes_to_the_same(bodies in vec(transactions(), 1..8)) {
        let mut desk = Desk::default();
        for mut body in bodies {
            let before = desk.inventory.clone();
            if desk.told.session().map(|own| own.to_string()).as_deref() == body["session"].as_str() {
                body["base"] = desk.told.revision().into();
            }
            let touched = desk.tell(body).unwrap();
            // Whatever differs is touched.
            let differs = between(&before, &desk.inventory);
            prop_assert_eq!(differs.groups.difference(&touched.groups).count(), 0);
            prop_assert_eq!(differs.ports.difference(&touched.ports).count(), 0);
            for (id, nets) in &differs.members {
                let told = touched.members.get(id).cloned().unwrap_or_default();
                prop_assert_eq!(nets.difference(&told).count(), 0, "{} {:?}", id, nets);
            }
        }
        // Told all at once, and recalled from what was kept.
        let replay = |steps: Vec<Step>| {
            let mut other = Desk::default();
            for step in steps {
                other.told.take(&mut other.inventory, step);
            }
            other
        };
        let steps = desk.kept.iter().map(|step| serde_json::from_str(step).unwrap());
        for other in [replay(steps.collect()), replay(desk.told.snapshot(&desk.inventory))] {
            prop_assert_eq!(&other.inventory, &desk.inventory);
            let sorted = |desk: &Desk| { let mut faults = desk.faults(); faults.sort(); faults };
            prop_assert_eq!(sorted(&other), sorted(&desk));
            prop_assert_eq!(other.told.revision(), desk.told.revision());
            prop_assert_eq!(other.told.session(), desk.told.session());
            let named = |desk: &Desk| desk.told.ports.iter().map(|(id, piece)| (*id, piece.named)).collect::<Vec<_>>();
            prop_assert_eq!(named(&other), named(&desk));
        }
    }
}
