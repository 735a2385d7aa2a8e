use expect_test::expect;
use serde_json::json;

use super::*;
use crate::{
    agent::tests::{LINK, agent, inventory},
    netlink::LinkEvent,
};

#[test]
fn lists_are_plain_columns() {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    expect![[r#"
        ID                                    NAME    INTERFACE  MAC                ADDRESSES                                               GROUPS       STATE
        11111111-0000-4000-8000-000000000005  WEB1    tapweb1    fa:16:3e:00:00:05  10.0.0.5,2001:db8::5,10.0.9.0/24 via fa:16:3e:00:00:99  WEB_SERVERS  enforcing
        11111111-0000-4000-8000-000000000006  CLIENT  tapclient  fa:16:3e:00:00:06  10.0.0.6                                                -            pending
    "#]].assert_eq(&ports(&agent.ports()));
    expect![[r#"
        ID                                    NAME         KIND      RULES  PORTS
        22222222-0000-4000-8000-000000000001  WEB_SERVERS  stateful  6      1
    "#]]
    .assert_eq(&groups(&agent.groups()));
}

#[test]
fn a_flow_is_read_from_its_vms_side() {
    let flow = FlowView {
        port: "11111111-0000-4000-8000-000000000005".into(),
        protocol: "tcp".into(),
        local: "2001:db8::5".parse().unwrap(),
        local_port: 80,
        remote: "2001:db8::7".parse().unwrap(),
        remote_port: 40000,
        direction: Way::Ingress,
        state: "ESTABLISHED".into(),
        assured: true,
        revoked: false,
        expires: 431_999,
    };
    let ping = FlowView {
        protocol: "icmp".into(),
        local_port: 7,
        remote_port: 0,
        direction: Way::Egress,
        state: String::new(),
        assured: false,
        expires: 30,
        ..flow.clone()
    };
    expect![[r#"
        PORT                                  WAY  PROTOCOL  LOCAL             REMOTE               STATE        MARKS    EXPIRES
        11111111-0000-4000-8000-000000000005  in   tcp       [2001:db8::5]:80  [2001:db8::7]:40000  ESTABLISHED  assured  431999s
        11111111-0000-4000-8000-000000000005  out  icmp      [2001:db8::5]:7   2001:db8::7          -            -        30s
    "#]].assert_eq(&flows(&[flow, ping]));
}
