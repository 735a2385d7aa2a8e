use expect_test::expect;
use serde_json::json;

use super::*;
use crate::{
    agent::tests::{LINK, agent, inventory, trunk::trunk},
    netlink::LinkEvent,
};

#[test]
fn lists_are_plain_columns() {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    expect![[r#"
        ID                                    NAME    INTERFACE  VLAN  MAC                ADDRESSES                                               GROUPS       STATE
        11111111-0000-4000-8000-000000000005  WEB1    tapweb1    -     fa:16:3e:00:00:05  10.0.0.5,2001:db8::5,10.0.9.0/24 via fa:16:3e:00:00:99  WEB_SERVERS  enforcing
        11111111-0000-4000-8000-000000000006  CLIENT  tapclient  -     fa:16:3e:00:00:06  10.0.0.6                                                -            elsewhere
    "#]].assert_eq(&ports(&agent.ports()));
    expect![[r#"
        ID                                    NAME         KIND      RULES  PORTS
        22222222-0000-4000-8000-000000000001  WEB_SERVERS  stateful  6      1
    "#]]
    .assert_eq(&groups(&agent.groups()));
}

#[test]
fn a_subport_has_its_parents_interface_and_a_vlan() {
    let (mut agent, _) = agent();
    agent.apply(&trunk(json!(100))).unwrap();
    let list = ports(&agent.ports());
    let line = list.lines().find(|line| line.contains("CLIENT")).unwrap();
    assert!(line.contains("  CLIENT  tapweb1    100   fa:16"), "{list}");
}
