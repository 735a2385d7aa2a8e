use expect_test::expect;
use serde_json::json;

use super::*;
use crate::{
    agent::tests::{LINK, agent, inventory},
    netlink::LinkEvent,
};

fn explained(command: &str) -> String {
    use clap::Parser;

    #[derive(Parser)]
    struct Explain {
        #[command(flatten)]
        args: ExplainArgs,
    }

    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    let explain = Explain::parse_from(std::iter::once("explain").chain(command.split(' ')));
    text(&agent.explain(&explain.args.request().unwrap()).unwrap())
}

#[test]
fn an_accepted_packet_is_told_stage_by_stage() {
    expect![[r#"
        #  STAGE       OUTCOME   DETAIL
        1  connection  continue  none is tracked for this packet
        2  rules       continue  permitted to anyone
        3  rules       accept    A rule permits it; its connection is tracked from now on.

        accept: A rule permits it; its connection is tracked from now on. (new)
        rule 33333333-0000-4000-8000-000000000003: IPv4 tcp 80 from anyone (WEB_SERVERS)
    "#]]
    .assert_eq(&explained(
        "--port WEB1 --ingress tcp 198.51.100.7:40000 10.0.0.5:80",
    ));
}

#[test]
fn a_dropped_packet_is_told_with_its_reason() {
    expect![[r#"
        #  STAGE       OUTCOME  DETAIL
        1  source_mac  drop     The source MAC is neither the port's nor one of its allowed pairs'.

        drop: The source MAC is neither the port's nor one of its allowed pairs'. (spoofed_mac)
    "#]]
    .assert_eq(&explained(
        "--port WEB1 --egress tcp 10.0.0.5:40000 10.0.0.6:80 --src-mac 02:00:00:00:00:09",
    ));
    expect![[r#"
        #  STAGE       OUTCOME   DETAIL
        1  connection  continue  none is tracked for this packet
        2  rules       continue  no rule permits it
        3  otherwise   drop      No rule of the port's security groups permits it.

        drop: No rule of the port's security groups permits it. (no_rule)
        near, for another remote: rule 33333333-0000-4000-8000-000000000006: IPv4 any protocol from group WEB_SERVERS (WEB_SERVERS)
        near, for other ports: rule 33333333-0000-4000-8000-000000000003: IPv4 tcp 80 from anyone (WEB_SERVERS)
        near, for other ports: rule 33333333-0000-4000-8000-000000000004: IPv4 tcp 443 from anyone (WEB_SERVERS)
        to permit it: openstack security group rule create --ingress --ethertype IPv4 --protocol tcp --dst-port 22 --remote-ip 198.51.100.7/32 22222222-0000-4000-8000-000000000001
    "#]]
    .assert_eq(&explained(
        "--port WEB1 --ingress tcp 198.51.100.7:40000 10.0.0.5:22",
    ));
}
