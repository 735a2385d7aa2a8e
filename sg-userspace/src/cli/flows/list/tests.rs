use expect_test::expect;

use super::*;

#[test]
fn a_flow_is_read_from_its_vms_side() {
    let flow = FlowView {
        port: "11111111-0000-4000-8000-000000000005".into(),
        zone: 1,
        protocol: "tcp".into(),
        protocol_number: 6,
        local: "2001:db8::5".parse().unwrap(),
        local_port: 80,
        remote: "2001:db8::7".parse().unwrap(),
        remote_port: 40000,
        icmp_type: None,
        icmp_code: None,
        direction: Way::Ingress,
        state: "ESTABLISHED".into(),
        replied: true,
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
    "#]].assert_eq(&text(&[flow, ping]));
}
