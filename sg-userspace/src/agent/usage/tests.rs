//! Which rule is said to have permitted what.

use serde_json::json;
use sg_common::{
    hook::Direction,
    layout::{
        hit::{HitKey, way},
        port::policy_index,
    },
    wire::{addr::Family, protocol},
};
use uuid::Uuid;

use super::*;
use crate::{
    agent::{
        Shared,
        double::Double,
        tests::{LINK, WEB1, agent, inventory},
    },
    netlink::LinkEvent,
    view::{RuleUsage, UsageView},
};

/// An agent that has the inventory, its kernel, and a gatherer in a directory of its own.
struct World {
    shared: Shared,
    kernel: Double,
    directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let (mut agent, kernel) = agent();
        agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
        agent.apply(&inventory(json!({}))).unwrap();
        Self {
            shared: Shared::new(agent),
            kernel,
            directory: tempfile::tempdir().unwrap(),
        }
    }

    async fn gatherer(&self) -> Gatherer {
        let table = self.shared.agent().await.hit_table();
        Gatherer::open(
            self.shared.clone(),
            table,
            self.directory.path().join("usage"),
        )
    }

    /// A row of WEB1's policy of what is sent to it over IPv4 has permitted something.
    fn hit(&self, row: HitKey) {
        let port: Uuid = WEB1.parse().unwrap();
        let mut kernel = self.kernel.kernel();
        let mut ports = kernel.state.ports.values();
        let entry = ports.find(|entry| entry.uuid == *port.as_bytes()).unwrap();
        let index = policy_index(Direction::Ingress, Family::V4);
        let row = HitKey {
            policy: entry.policies[index],
            slot: entry.slot,
            ..row
        };
        let hits = Hits {
            count: 3,
            last: crate::host::clock::boottime(),
        };
        let port = PortId(port);
        kernel.hits.push(Hit { port, row, hits });
    }
}

fn port(number: u16) -> HitKey {
    HitKey {
        protocol: protocol::TCP,
        way: way::PORTS,
        low: number,
        high: number,
        ..HitKey::NONE
    }
}

/// The usage of the rule with a number of the inventory, at WEB1.
fn rule(view: &UsageView, number: u8) -> &RuleUsage {
    let id = format!("33333333-0000-4000-8000-0000000000{number:02}");
    let found = view.rules.iter().find(|rule| rule.id == id);
    found.unwrap_or_else(|| panic!("{view:?}"))
}

#[tokio::test]
async fn the_rule_whose_port_it_was_is_hit_and_its_neighbour_in_the_row_is_not() {
    let world = World::new();
    let gatherer = world.gatherer().await;
    world.hit(port(443));
    let view = gatherer.view(Scope::default()).await.unwrap();
    let (http, https) = (&rule(&view, 3).ports[0], &rule(&view, 4).ports[0]);
    assert_eq!((http.hits, &http.last_hit), (0, &None));
    assert_eq!(https.hits, 3);
    assert!(https.last_hit.is_some() && https.shared_with.is_empty());
    assert_eq!(rule(&view, 4).security_group, "WEB_SERVERS");
    assert_eq!(https.port, WEB1);
}

#[tokio::test]
async fn what_several_rules_may_have_permitted_is_said_to_be_shared_by_them() {
    let world = World::new();
    let gatherer = world.gatherer().await;
    world.hit(HitKey {
        low: 64,
        high: 511,
        ..port(0)
    });
    let view = gatherer.view(Scope::default()).await.unwrap();
    for (number, other) in [(3, 4), (4, 3)] {
        let used = &rule(&view, number).ports[0];
        assert_eq!((used.hits, used.shared_hits), (0, 3));
        assert_eq!(used.shared_with, [rule(&view, other).id.clone()]);
        assert!(used.last().is_some());
    }
}

#[tokio::test]
async fn a_hit_of_a_row_that_is_not_known_counts_for_every_rule_that_it_may_have_been() {
    let world = World::new();
    let gatherer = world.gatherer().await;
    world.hit(port(80));
    world.kernel.kernel().hits[0].row.policy = 4711;
    let view = gatherer.view(Scope::default()).await.unwrap();
    assert_eq!(rule(&view, 3).ports[0].hits, 3);
    assert_eq!(rule(&view, 4).ports[0].hits, 0);
}

#[tokio::test]
async fn what_was_counted_is_there_after_a_restart_and_rules_that_come_are_counted_from_then_on() {
    let world = World::new();
    let gatherer = world.gatherer().await;
    world.hit(port(80));
    gatherer.gather().await;
    let path = world.directory.path().join("usage");
    let mut kept: Usage = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    // As if it was counted for long, but for a rule that has just come.
    kept.since -= 1000;
    let new = RuleId("33333333-0000-4000-8000-000000000004".parse().unwrap());
    for used in kept.ports.values_mut() {
        used.remove(&new);
        used.values_mut().for_each(|used| used.since -= 1000);
    }
    std::fs::write(&path, serde_json::to_vec(&kept).unwrap()).unwrap();

    let view = world.gatherer().await.view(Scope::default()).await.unwrap();
    let (old, new) = (&rule(&view, 3).ports[0], &rule(&view, 4).ports[0]);
    assert_eq!(old.hits, 3);
    assert_eq!(old.since, view.since);
    assert!(new.since > old.since, "{} {}", new.since, old.since);
}

#[tokio::test]
async fn a_file_that_is_no_usage_is_begun_anew_and_stops_nothing() {
    let world = World::new();
    std::fs::write(world.directory.path().join("usage"), "rubbish").unwrap();
    let gatherer = world.gatherer().await;
    world.hit(port(80));
    let view = gatherer.view(Scope::default()).await.unwrap();
    assert_eq!(rule(&view, 3).ports[0].hits, 3);
}

#[tokio::test]
async fn a_port_and_a_group_narrow_what_is_told_and_what_is_not_there_is_an_error() {
    let world = World::new();
    let gatherer = world.gatherer().await;
    let scope = |port: Option<&str>, group: Option<&str>| Scope {
        port: port.map(Into::into),
        group: group.map(Into::into),
    };
    let all = gatherer
        .view(scope(Some("WEB1"), Some("WEB_SERVERS")))
        .await;
    assert_eq!(all.unwrap().rules.len(), 6);
    let none = gatherer.view(scope(Some("WEB2"), None)).await.unwrap_err();
    assert!(none.to_string().contains("WEB2"), "{none}");
    let none = gatherer.view(scope(None, Some("DB"))).await.unwrap_err();
    assert!(none.to_string().contains("DB"), "{none}");
    let elsewhere = gatherer.view(scope(Some("CLIENT"), None)).await;
    assert!(elsewhere.is_err(), "its interface is not here");
}

#[tokio::test]
async fn a_rule_that_another_covers_is_said_to_change_nothing() {
    let world = World::new();
    let mut document: serde_json::Value = serde_json::from_slice(&inventory(json!({}))).unwrap();
    let rules = &mut document["security_groups"][0]["security_group_rules"];
    rules.as_array_mut().unwrap().push(json!({
        "id": "33333333-0000-4000-8000-000000000007", "direction": "ingress", "protocol": "tcp",
        "port_range_min": 1, "port_range_max": 100,
    }));
    let document = serde_json::to_vec(&document).unwrap();
    world.shared.agent().await.apply(&document).unwrap();
    let view = world.gatherer().await.view(Scope::default()).await.unwrap();
    assert_eq!(
        rule(&view, 3).ports[0].covered_by,
        [rule(&view, 7).id.clone()]
    );
    assert!(rule(&view, 4).ports[0].covered_by.is_empty());
    assert!(rule(&view, 7).ports[0].covered_by.is_empty());
}
