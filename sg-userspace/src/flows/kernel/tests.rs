use super::*;

const TCP_ESTABLISHED: Progress = Progress::Tcp {
    state: 3,
    scales: [7, 9],
    flags: [
        flag::WINDOW_SCALE | flag::SACK_PERMITTED,
        flag::WINDOW_SCALE,
    ],
};

fn tuple(source: &str, destination: &str, numbers: [u16; 2]) -> Tuple {
    Tuple {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        numbers,
    }
}

/// A connection that is not translated: its answers go the reverse way.
fn plain(protocol: u8, source: &str, destination: &str, numbers: [u16; 2]) -> KernelFlow {
    let [from, to] = numbers;
    KernelFlow {
        zone: 0,
        protocol,
        tuples: [
            tuple(source, destination, numbers),
            tuple(destination, source, [to, from]),
        ],
        seen_reply: true,
        assured: true,
        dying: false,
        lifetime: 100,
        progress: match protocol {
            protocol::TCP => TCP_ESTABLISHED,
            _ => Progress::None,
        },
    }
}

fn tcp(source: &str, destination: &str) -> KernelFlow {
    plain(protocol::TCP, source, destination, [40000, 22])
}

fn nets(addresses: &[&str]) -> Vec<IpNet> {
    addresses.iter().map(|net| net.parse().unwrap()).collect()
}

/// The ends of a record: VM, other side, and whether the VM has opened it.
fn ends(record: &FlowRecord) -> (String, String, bool) {
    (
        SocketAddr::new(record.local, record.local_port).to_string(),
        SocketAddr::new(record.remote, record.remote_port).to_string(),
        record.state().from_vm(),
    )
}

#[test]
fn a_connection_is_seen_from_the_end_where_the_vm_is() {
    let flow = tcp("198.51.100.7", "10.0.0.5");
    let at = |end| ends(&flow.record(end).unwrap());
    let (vm, client) = ("10.0.0.5:22", "198.51.100.7:40000");
    assert_eq!(at(Side::Reply), (vm.into(), client.into(), false));
    assert_eq!(at(Side::Original), (client.into(), vm.into(), true));
}

#[test]
fn of_a_translated_connection_each_end_has_the_tuple_at_its_own_wire() {
    let mut flow = tcp("198.51.100.7", "203.0.113.5");
    flow.tuples[0].numbers = [40001, 2222];
    flow.tuples[1] = tuple("10.0.0.5", "192.0.2.1", [22, 61000]);
    let at = |end| ends(&flow.record(end).unwrap());
    assert_eq!(
        at(Side::Reply),
        ("10.0.0.5:22".into(), "192.0.2.1:61000".into(), false)
    );
    assert_eq!(
        at(Side::Original),
        ("198.51.100.7:40001".into(), "203.0.113.5:2222".into(), true)
    );
}

#[test]
fn tcp_keeps_its_state_and_what_was_agreed_on_and_learns_its_windows() {
    let record = tcp("198.51.100.7", "10.0.0.5").record(Side::Reply).unwrap();
    let word = record.state();
    assert_eq!(
        (word.state(), word.seen_reply(), word.assured()),
        (3, true, true)
    );
    assert_eq!(record.window_scales, 7 | 9 << 4);
    assert!(word.scaling(Side::Original) && word.scaling(Side::Reply));
    assert!(word.sack_permitted(Side::Original) && !word.sack_permitted(Side::Reply));
    assert!(word.liberal(Side::Original) && word.liberal(Side::Reply));
    assert_eq!(
        (record.max_window, record.max_end),
        ([0; 2], [0; 2]),
        "not known yet"
    );
    assert_eq!(record.expires, ticks(100));
}

#[test]
fn tcp_keeps_who_closes_and_what_is_not_acknowledged() {
    let mut flow = tcp("198.51.100.7", "10.0.0.5");
    flow.progress = Progress::Tcp {
        state: 4,
        scales: [15, 0],
        flags: [flag::CLOSE_INITIATED, flag::UNACKNOWLEDGED],
    };
    let record = flow.record(Side::Reply).unwrap();
    let word = record.state();
    assert!(word.close_initiated(Side::Original) && !word.close_initiated(Side::Reply));
    assert!(word.unacknowledged(Side::Reply) && !word.unacknowledged(Side::Original));
    assert_eq!(record.window_scales, LARGEST_SCALE);
}

#[test]
fn sctp_keeps_its_tags() {
    let mut flow = plain(protocol::SCTP, "10.0.0.5", "10.0.0.1", [3000, 3001]);
    flow.progress = Progress::Sctp {
        state: 4,
        tags: [11, 12],
    };
    let record = flow.record(Side::Original).unwrap();
    assert_eq!((record.state().state(), record.end), (4, [11, 12]));
}

#[test]
fn icmp_is_named_by_its_request_at_both_ends() {
    let mut flow = plain(protocol::ICMP, "10.0.0.5", "10.0.0.1", [0, 0]);
    flow.tuples[0].numbers = [1234, 8 << 8];
    flow.tuples[1].numbers = [1234, 0];
    for end in SIDES {
        let record = flow.record(end).unwrap();
        assert_eq!(
            (record.local_port, record.remote_port, record.icmp_request),
            (1234, 0, 8)
        );
    }
}

#[test]
fn gre_has_the_call_of_the_side_that_receives_it() {
    let flow = plain(protocol::GRE, "10.0.0.5", "10.0.0.1", [0, 7]);
    let numbers = |end| {
        let record = flow.record(end).unwrap();
        (record.local_port, record.remote_port)
    };
    assert_eq!(
        (numbers(Side::Original), numbers(Side::Reply)),
        ((0, 7), (7, 0))
    );
}

#[test]
fn a_connection_lives_as_long_as_the_kernel_says_and_no_longer_than_any_can() {
    let expires = |lifetime| {
        let flow = KernelFlow {
            lifetime,
            ..plain(protocol::UDP, "10.0.0.5", "10.0.0.1", [1, 2])
        };
        flow.record(Side::Original).unwrap().expires
    };
    assert_eq!(expires(30), ticks(30));
    assert_eq!(expires(0), ticks(1), "it is there, so it is not over");
    assert!(expires(u32::MAX) as i32 > 0);
}

#[test]
fn what_the_filter_cannot_have_is_named() {
    let mut no_state = tcp("10.0.0.5", "10.0.0.1");
    no_state.progress = Progress::None;
    let mut other_state = no_state;
    other_state.progress = Progress::Tcp {
        state: 0,
        scales: [0; 2],
        flags: [0; 2],
    };
    let mut answer = plain(protocol::ICMP, "10.0.0.5", "10.0.0.1", [1, 0]);
    answer.tuples[0].numbers = [1, 0];
    let mixed = plain(protocol::UDP, "10.0.0.5", "2001:db8::1", [1, 2]);
    for (flow, says) in [
        (no_state, "not told"),
        (other_state, "no such state"),
        (answer, "no query"),
        (mixed, "two families"),
    ] {
        let error = flow.record(Side::Original).unwrap_err();
        assert!(error.contains(says), "{flow}: {error}");
    }
}

#[test]
fn every_record_passes_the_check_of_a_document() {
    let mut udp = plain(protocol::UDPLITE, "2001:db8::5", "2001:db8::1", [1, 2]);
    udp.lifetime = u32::MAX;
    for flow in [
        tcp("10.0.0.5", "10.0.0.1"),
        udp,
        plain(50, "10.0.0.5", "10.0.0.1", [0, 0]),
    ] {
        let mut document = super::super::FlowDocument::new(
            "11111111-0000-4000-8000-000000000005".parse().unwrap(),
            0,
        );
        document.flows.push(flow.record(Side::Original).unwrap());
        let text = serde_json::to_vec(&document).unwrap();
        assert_eq!(super::super::FlowDocument::parse(&text), Ok(document));
    }
}

#[test]
fn connections_are_found_by_the_addresses_at_their_ends() {
    let flows = KernelFlows::new(vec![
        tcp("10.0.0.5", "198.51.100.7"),
        tcp("198.51.100.7", "10.0.0.5"),
        tcp("10.0.0.6", "198.51.100.7"),
        tcp("10.0.9.4", "198.51.100.7"),
    ]);
    let found = |addresses: &[&str]| {
        let found = flows.of(&nets(addresses));
        let source = |flow: &KernelFlow| flow.tuples[0].source.to_string();
        let found = found.iter().map(|(flow, end)| (source(flow), *end));
        found.collect::<Vec<_>>()
    };
    let [vm, client] = ["10.0.0.5", "198.51.100.7"].map(String::from);
    assert_eq!(
        found(&["10.0.0.5/32"]),
        [(vm.clone(), Side::Original), (client, Side::Reply)]
    );
    assert_eq!(
        found(&["10.0.9.0/24"]),
        [("10.0.9.4".into(), Side::Original)]
    );
    assert_eq!(found(&["10.0.0.0/30"]), []);
    assert_eq!(found(&["10.0.0.5/32", "10.0.0.0/24"]).len(), 3, "each once");
    assert_eq!(found(&["2001:db8::/32"]), []);
}

#[test]
fn of_two_ends_that_a_port_may_have_the_more_exact_counts() {
    let flows = KernelFlows::new(vec![tcp("10.0.0.9", "10.0.0.5")]);
    let ends = |addresses: &[&str]| {
        let found = flows.of(&nets(addresses));
        found.iter().map(|(_, end)| *end).collect::<Vec<_>>()
    };
    assert_eq!(ends(&["10.0.0.5/32", "10.0.0.0/24"]), [Side::Reply]);
    assert_eq!(
        ends(&["10.0.0.0/24"]),
        SIDES,
        "a router passes on what others open"
    );
}

/// A zone, and a connection of the port's there.
fn in_zone(zone: u16, remote: &str, seen_reply: bool) -> KernelFlow {
    KernelFlow {
        zone,
        seen_reply,
        ..tcp("10.0.0.5", remote)
    }
}

#[test]
fn the_zone_of_a_port_is_that_which_has_all_of_its_connections() {
    use Zone::{Nowhere, One, Several};
    let (fabric, neighbour, dropped) = ("198.51.100.7", "10.0.0.6", "10.0.0.7");
    for (what, flows, zone) in [
        ("nothing", vec![], Nowhere),
        ("one zone", vec![in_zone(7, fabric, true)], One(7)),
        (
            "a neighbour's zone has what the two say to each other",
            vec![
                in_zone(4097, fabric, true),
                in_zone(4097, neighbour, true),
                in_zone(4098, neighbour, true),
            ],
            One(4097),
        ),
        (
            "what the port has dropped is only in the neighbour's",
            vec![in_zone(4097, fabric, true), in_zone(4098, dropped, false)],
            One(4097),
        ),
        (
            "only neighbours",
            vec![
                in_zone(4097, neighbour, true),
                in_zone(4098, neighbour, true),
            ],
            One(4098),
        ),
        (
            "nothing is answered",
            vec![
                in_zone(4097, fabric, false),
                in_zone(4097, neighbour, false),
                in_zone(4098, neighbour, false),
            ],
            One(4097),
        ),
        (
            "two networks with the same addresses",
            vec![in_zone(1, fabric, true), in_zone(2, neighbour, true)],
            Several,
        ),
    ] {
        let flows: Vec<_> = flows.iter().map(|flow| (flow, Side::Original)).collect();
        assert_eq!(zone_of(&flows), zone, "{what}");
    }
}
