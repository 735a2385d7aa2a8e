//! A trunk behind a real tap, where the kernel keeps the tag beside the frame.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;
use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::node::Node;
use sg_tests::packet::{Packet, udp};
use sg_tests::traffic::Outcome::{Answered, Silence};
use sg_tests::traffic::{EchoServer, ask_tcp};
use sg_tests::vm::{RawVm, Vm};

/// Time for the daemon to see a change of an interface.
const NOTICE: Duration = Duration::from_millis(700);
const SOON: Duration = Duration::from_secs(2);
const SHORT: Duration = Duration::from_millis(200);

const BLUE_VLAN: u16 = 100;
const RED_VLAN: u16 = 200;

/// The parent of a trunk: serves 80.
fn web1() -> Port {
    let web = port("WEB1").ip("10.0.0.5").groups(&["WEB_SERVERS"]);
    parent(web, &[(blue(), BLUE_VLAN), (red(), RED_VLAN)])
}

/// The parent of another trunk: serves nothing.
fn client() -> Port {
    parent(
        port("CLIENT").ip("10.0.0.7").groups(&["RED"]),
        &[(guest(), BLUE_VLAN)],
    )
}

fn parent(parent: Port, subports: &[(Port, u16)]) -> Port {
    let subports = subports.iter().map(|(port, vlan)| {
        json!({
            "port_id": port.id(), "mac_address": port.mac_address().to_string(),
            "segmentation_id": vlan, "segmentation_type": "vlan",
        })
    });
    let subports: Vec<_> = subports.collect();
    parent.with("trunk_details", json!({ "sub_ports": subports }))
}

/// A subport that serves 443 to GUESTS. It has its parent's MAC, as most subports do.
fn blue() -> Port {
    port("BLUE")
        .ip("10.1.0.5")
        .mac("fa:16:3e:00:00:05")
        .groups(&["BLUE"])
}

/// A subport that serves nothing.
fn red() -> Port {
    port("RED").ip("10.2.0.5").groups(&["RED"])
}

/// A subport of CLIENT in the network of BLUE, which serves 80 to the group BLUE.
fn guest() -> Port {
    port("GUEST").ip("10.1.0.7").groups(&["GUESTS"])
}

fn inventory() -> Inventory {
    Inventory::new()
        .port(web1())
        .port(blue())
        .port(red())
        .port(guest())
        .port(client())
        .group(
            group("WEB_SERVERS")
                .default_egress()
                .rule("ingress IPv4 tcp 80"),
        )
        .group(
            group("BLUE")
                .default_egress()
                .rule("ingress IPv4 tcp 443 from group GUESTS"),
        )
        .group(group("RED").default_egress())
        .group(
            group("GUESTS")
                .default_egress()
                .rule("ingress IPv4 tcp 80 from group BLUE"),
        )
}

#[test]
fn machines_talk_through_two_trunks() {
    let mut node = Node::new("trunk");
    let (blue, red, guest) = (blue(), red(), guest());
    let subports = [(&blue, BLUE_VLAN), (&red, RED_VLAN)];
    let [web, blue, red] = Vm::trunk(&node, &web1(), subports);
    let [client, guest] = Vm::trunk(&node, &client(), [(&guest, BLUE_VLAN)]);
    let machines = [&web, &blue, &red, &guest];
    let _servers: Vec<_> = machines
        .iter()
        .flat_map(|machine| [80, 443].map(|port| EchoServer::start(machine.netns(), port)))
        .collect();
    let ask = |from: &Vm, to: &Vm, port| ask_tcp(from.netns(), to.v4(), port);
    // Without a filter all that is in one network is reached.
    assert_eq!(ask(&guest, &blue, 80), Answered);
    assert_eq!(ask(&blue, &guest, 443), Answered);

    node.start(&inventory());

    assert_eq!(ask(&client, &web, 80), Answered);
    assert_eq!(ask(&client, &web, 443), Silence);
    assert_eq!(ask(&guest, &blue, 443), Answered, "GUEST is a member");
    assert_eq!(ask(&guest, &blue, 80), Silence);
    assert_eq!(ask(&blue, &guest, 80), Answered, "BLUE is a member");
    assert_eq!(ask(&blue, &guest, 443), Silence);
    let counters = node.query("counters BLUE");
    let counted = |direction: &str, reason: &str| {
        let counter = &counters[0][direction][reason]["packets"];
        counter.as_u64().unwrap_or_else(|| panic!("{counters}"))
    };
    assert!(counted("ingress", "no_rule") > 0 && counted("ingress", "new") > 0);
    assert!(counted("egress", "new") > 0);
}

#[test]
fn tags_lead_to_their_subport_and_nowhere_else() {
    let mut node = Node::new("tags");
    let (web, peer) = (RawVm::new(&node, &web1()), RawVm::on(&node, "tap-peer"));
    node.start(&inventory());
    let from_red = || udp("10.2.0.5:1", "10.2.0.7:2");
    let from_web = || udp("10.0.0.5:1", "10.0.0.7:2");
    // Each has a number in its payload, to be told apart.
    let frames: [(Packet, bool); 8] = [
        (from_red().vlan(RED_VLAN), true),
        (from_red(), false),
        (from_web().vlan(RED_VLAN), false),
        (from_red().vlan(BLUE_VLAN), false),
        (from_red().vlan(300), false),
        (from_red().vlan(RED_VLAN).vlan(RED_VLAN), false),
        (from_web(), true),
        // A priority tag names no VLAN.
        (from_web().vlan(0), true),
    ];
    let numbered = frames.into_iter().zip(0u8..);
    for ((frame, passes), number) in numbered {
        let mark = [b"trunk".as_slice(), &[number]].concat();
        let frame = frame.payload(&mark);
        web.send(&frame.bytes());
        let patience = if passes { SOON } else { SHORT };
        let seen = peer.find(patience, |seen| seen.ends_with(&mark));
        assert_eq!(seen.is_some(), passes, "{frame}");
    }
    // The same the other way: only RED's answers are RED's.
    let answer = || udp("10.2.0.7:2", "10.2.0.5:1");
    for (frame, passes) in [
        (answer(), false),
        (answer().vlan(BLUE_VLAN), false),
        (answer().vlan(300), false),
        (answer().vlan(RED_VLAN), true),
    ] {
        peer.send(&frame.bytes());
        let patience = if passes { SOON } else { SHORT };
        let seen = web.find(patience, |seen| seen == frame.bytes());
        assert_eq!(seen.is_some(), passes, "{frame}");
    }
}

#[test]
fn sgctl_shows_subports_and_what_becomes_of_their_packets() {
    let mut node = Node::new("shown");
    let web = RawVm::new(&node, &web1());
    node.start(&inventory());

    let shown = node.query("show port BLUE");
    assert_eq!(
        (&shown["vlan"], &shown["state"]),
        (&json!(100), &json!("enforcing"))
    );
    assert_eq!(shown["interface"], json!(web1().interface()));
    let list = node.query("list ports");
    let vlans = list.as_array().unwrap().iter();
    assert_eq!(vlans.filter(|port| !port["vlan"].is_null()).count(), 3);
    let by_place = format!("show port {}.{RED_VLAN}", web1().interface());
    assert_eq!(node.query(&by_place)["name"], json!("RED"));

    let explain = |words: &str| node.sgctl(&format!("explain {words}"));
    explain("--port BLUE --ingress tcp 10.1.0.7:40000 10.1.0.5:443").expect(0);
    explain("--port BLUE --ingress tcp 10.0.0.7:40000 10.1.0.5:80").expect(10);
    explain("--port WEB1 --ingress tcp 10.1.0.7:40000 10.1.0.5:443 --vlan 100").expect(0);
    explain("--port WEB1 --ingress tcp 10.1.0.7:40000 10.1.0.5:443").expect(10);

    drop(web);
    sleep(NOTICE);
    for name in ["WEB1", "BLUE", "RED"] {
        let state = &node.query(&format!("show port {name}"))["state"];
        assert_eq!(*state, json!("elsewhere"), "{name}");
    }
}
