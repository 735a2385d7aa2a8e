use super::*;

/// A connection to port 80 of WEB1.
fn web() -> FlowView {
    FlowView {
        port: "11111111-0000-4000-8000-000000000005".into(),
        zone: 3,
        protocol: "tcp".into(),
        protocol_number: 6,
        local: "10.2.0.2".parse().unwrap(),
        local_port: 80,
        remote: "10.1.0.2".parse().unwrap(),
        remote_port: 20003,
        icmp_type: None,
        icmp_code: None,
        direction: Way::Ingress,
        state: "ESTABLISHED".into(),
        replied: true,
        assured: true,
        revoked: false,
        expires: 431_999,
    }
}

fn of(protocol_number: u8, flow: FlowView) -> FlowView {
    FlowView {
        protocol_number,
        state: String::new(),
        ..flow
    }
}

/// What conntrack 1.4.7 has printed of such a connection, without mark, use and what follows.
#[track_caller]
fn assert_printed(flow: &FlowView, theirs: &str) {
    let line = line(flow);
    let (same, ours) = line.split_once("mark=").unwrap();
    assert_eq!(same, theirs);
    let port = "port=11111111-0000-4000-8000-000000000005\n";
    assert_eq!(
        ours,
        format!("{} zone=3 use=1 {port}", u8::from(flow.revoked))
    );
}

#[test]
fn a_connection_is_the_line_that_conntrack_prints() {
    assert_printed(
        &web(),
        "tcp      6 431999 ESTABLISHED src=10.1.0.2 dst=10.2.0.2 sport=20003 dport=80 \
         src=10.2.0.2 dst=10.1.0.2 sport=80 dport=20003 [ASSURED] ",
    );
}

#[test]
fn what_has_no_answer_is_unreplied_between_the_directions() {
    let query = FlowView {
        direction: Way::Egress,
        local_port: 52551,
        remote_port: 54,
        expires: 29,
        replied: false,
        assured: false,
        ..of(17, web())
    };
    assert_printed(
        &query,
        "udp      17 29 src=10.2.0.2 dst=10.1.0.2 sport=52551 dport=54 [UNREPLIED] \
         src=10.1.0.2 dst=10.2.0.2 sport=54 dport=52551 ",
    );
    let unreplied = FlowView {
        state: "UNREPLIED".into(),
        ..query
    };
    assert!(!line(&unreplied).contains("29 UNREPLIED"));
}

#[test]
fn a_ping_has_type_code_and_id_in_both_directions() {
    let ping = FlowView {
        direction: Way::Egress,
        local_port: 7,
        remote_port: 0,
        icmp_type: Some(8),
        icmp_code: Some(0),
        expires: 29,
        assured: false,
        ..of(1, web())
    };
    assert_printed(
        &ping,
        "icmp     1 29 src=10.2.0.2 dst=10.1.0.2 type=8 code=0 id=7 \
         src=10.1.0.2 dst=10.2.0.2 type=0 code=0 id=7 ",
    );
    let ping6 = FlowView {
        icmp_type: Some(128),
        ..of(58, ping)
    };
    let line = line(&ping6);
    assert!(line.starts_with("icmpv6   58 29 ") && line.contains("type=129 code=0 id=7"));
}

#[test]
fn protocols_without_ports_have_none() {
    let bare = |number| FlowView {
        local_port: 0,
        remote_port: 0,
        expires: 599,
        replied: false,
        assured: false,
        direction: Way::Egress,
        ..of(number, web())
    };
    assert_printed(
        &bare(99),
        "unknown  99 599 src=10.2.0.2 dst=10.1.0.2 [UNREPLIED] src=10.1.0.2 dst=10.2.0.2 ",
    );
    assert_printed(
        &bare(47),
        "gre      47 599 src=10.2.0.2 dst=10.1.0.2 srckey=0x0 dstkey=0x0 [UNREPLIED] \
         src=10.1.0.2 dst=10.2.0.2 srckey=0x0 dstkey=0x0 ",
    );
    let call = FlowView {
        local_port: 0,
        remote_port: 77,
        ..bare(47)
    };
    assert_printed(
        &call,
        "gre      47 599 src=10.2.0.2 dst=10.1.0.2 srckey=0x0 dstkey=0x4d [UNREPLIED] \
         src=10.1.0.2 dst=10.2.0.2 srckey=0x4d dstkey=0x0 ",
    );
}

#[test]
fn a_revoked_connection_is_marked_as_open_vswitch_marks_it() {
    let revoked = FlowView {
        revoked: true,
        ..web()
    };
    assert!(line(&revoked).contains("[ASSURED] mark=1 zone=3 use=1 port="));
}
