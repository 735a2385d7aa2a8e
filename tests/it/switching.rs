//! A node of Neutron's hybrid iptables driver is switched to this filter in place, and back, under traffic.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use sg_tests::hybrid::{self, Chains, Fabric};
use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::node::Node;
use sg_tests::streams::{Ends, Pair, Pinger, SILENCE, Traffic, datagram, datagrams};
use sg_tests::vm::Vm;

const FABRIC: &str = "10.0.0.1";
/// Where nothing may come through.
const REFUSED: u16 = 9999;

fn web() -> Port {
    port("WEB1").ip("10.0.0.5").groups(&["WEB"])
}

fn database() -> Port {
    port("DB1").ip("10.0.0.6").groups(&["DB"])
}

fn inventory() -> Inventory {
    let web_ = group("WEB")
        .rule("ingress IPv4 tcp 22")
        .rule("ingress IPv4 icmp")
        .rule("egress IPv4 udp 53")
        .rule("egress IPv4 tcp 5432");
    let db = group("DB").rule("ingress IPv4 tcp 5432");
    Inventory::new()
        .port(web())
        .port(database())
        .group(web_)
        .group(db)
}

/// The same for iptables.
fn chains<'a>(web: &'a Port, database: &'a Port) -> [Chains<'a>; 2] {
    [
        Chains {
            port: web,
            zone: 4097,
            ingress: &["-p tcp -m tcp --dport 22", "-p icmp"],
            egress: &["-p udp -m udp --dport 53", "-p tcp -m tcp --dport 5432"],
        },
        Chains {
            port: database,
            zone: 4098,
            ingress: &["-p tcp -m tcp --dport 5432"],
            egress: &[],
        },
    ]
}

#[test]
fn a_node_is_switched_and_back_and_no_connection_notices() {
    let begun = Instant::now();
    let (web, database) = (web(), database());
    let mut node = Node::new("hybrid");
    let fabric = Fabric::new("10.0.0.1/24");
    let [vm, db] = [&web, &database].map(|port| {
        let vm = Vm::new(&node, port);
        fabric.plug(node.netns(), port);
        vm
    });
    let (outside, inside) = (fabric.netns(), vm.netns());
    let forbidden = [
        (format!("{FABRIC}:0"), format!("10.0.0.5:{REFUSED}")),
        ("10.0.0.5:0".to_owned(), format!("{FABRIC}:{REFUSED}")),
    ];
    let ways = [(outside, inside), (inside, outside)];
    let forbidden: Vec<_> = ways
        .into_iter()
        .zip(&forbidden)
        .map(|((from, to), (source, destination))| {
            (datagrams(from, source), datagrams(to, destination))
        })
        .collect();
    // Without a filter it comes; otherwise its absence would prove nothing.
    for (from, to) in &forbidden {
        datagram(from, to);
    }
    let chains = chains(&web, &database);
    hybrid::enforce(node.netns(), &chains);
    // What is idle for as long as the test takes is not over.
    node.netns()
        .set("netfilter/nf_conntrack_udp_timeout", "120");

    let open = |address: &str| Pair::open(outside, inside, address);
    let (busy, mut vm_first, mut peer_first) = (
        open("10.0.0.5:22"),
        open("10.0.0.5:22"),
        open("10.0.0.5:22"),
    );
    let mut neighbours = Pair::open(inside, db.netns(), "10.0.0.6:5432");
    // Permitted once, and no longer by the rules of either filter; iptables goes by its connection.
    let chain = hybrid::ingress_chain(&web);
    hybrid::iptables(
        node.netns(),
        &format!("-I {chain} 2 -p tcp -m tcp --dport 80 -j RETURN"),
    );
    let mut unwanted = open("10.0.0.5:80");
    hybrid::iptables(node.netns(), &format!("-D {chain} 2"));
    unwanted.server_first("under iptables");
    let (resolver, asker) = (
        datagrams(outside, "10.0.0.1:53"),
        datagrams(inside, "10.0.0.5:5000"),
    );
    let (idle, pinger) = (
        datagrams(inside, "10.0.0.5:5001"),
        Pinger::new(outside, SILENCE),
    );
    let (other, resolver_) = (datagrams(inside, "10.0.0.5:5002"), &resolver);
    for quiet in [&idle, &other] {
        datagram(quiet, resolver_);
        datagram(resolver_, quiet);
    }

    let traffic = Traffic::default();
    thread::scope(|scope| {
        let ends = Ends(&traffic);
        let traffic = &traffic;
        let forbidden = [&forbidden[0], &forbidden[1]].map(|(from, to)| (from, to));
        scope.spawn(move || traffic.busy(busy));
        scope.spawn(|| traffic.asks(&asker, &resolver));
        scope.spawn(|| traffic.pings(&pinger, [10, 0, 0, 5]));
        scope.spawn(move || traffic.refused(forbidden));
        traffic.flows("under iptables");

        node.start(&inventory());
        let adopted = node.sgctl("-o json flows adopt");
        adopted.expect(4);
        let report: serde_json::Value = serde_json::from_str(&adopted.stdout).unwrap();
        let of = |port: &Port| {
            let mut ports = report["ports"].as_array().unwrap().iter();
            ports
                .find(|adopted| adopted["port"] == port.id().to_string().as_str())
                .unwrap()
        };
        let (of_web, of_db) = (of(&web), of(&database));
        assert_eq!(of_web["zone"], 4097, "{report}");
        assert_eq!(of_web["refused"][0]["local_port"], 80, "{report}");
        assert_eq!(
            of_web["refused"].as_array().map(Vec::len),
            Some(1),
            "{report}"
        );
        let sum = |of: &serde_json::Value| {
            of["adopted"].as_u64().unwrap() + of["existing"].as_u64().unwrap()
        };
        assert!(sum(of_web) >= 8, "{report}");
        assert_eq!(sum(of_db), 1, "{report}");
        traffic.flows("under both");
        neighbours.server_first("neighbours, under both");
        assert!(
            unwanted.is_cut(),
            "a connection that no rule permits was adopted"
        );

        hybrid::iptables(node.netns(), "-D FORWARD -j neutron-openvswi-FORWARD");
        hybrid::iptables(node.netns(), "-D INPUT -j neutron-openvswi-INPUT");
        traffic.flows("under this filter");
        vm_first.server_first("the VM speaks first");
        peer_first.client_first("its client speaks first");
        datagram(resolver_, &idle);
        let listed = node.query("flows list --port WEB1 -p tcp --dport 22");
        let listed = listed.as_array().unwrap();
        assert!(
            listed.iter().all(|flow| flow["direction"] == "ingress"),
            "{listed:?}"
        );
        assert_eq!(listed.len(), 3, "{listed:?}");

        hybrid::iptables(node.netns(), "-A FORWARD -j neutron-openvswi-FORWARD");
        hybrid::iptables(node.netns(), "-A INPUT -j neutron-openvswi-INPUT");
        traffic.flows("under both again");
        node.terminate();
        node.sgd("detach").expect(0);
        traffic.flows("under iptables again");
        vm_first.server_first("the VM speaks first again");
        peer_first.client_first("its client speaks first again");
        neighbours.client_first("neighbours, under iptables again");
        datagram(resolver_, &other);
        drop(ends);
    });
    let count = |of: &AtomicU64| of.load(Relaxed);
    let [tcp, udp, pings] = traffic.answered.each_ref().map(count);
    let [_, lost_udp, lost_pings] = traffic.lost.each_ref().map(count);
    eprintln!(
        "TCP {tcp}, longest {} ms; UDP {udp}, {lost_udp} lost; pings {pings}, {lost_pings} lost; {} refused, in {:?}",
        count(&traffic.longest),
        count(&traffic.sent),
        begun.elapsed()
    );
    assert!(count(&traffic.sent) > 100);
    assert_eq!(count(&traffic.passed), 0, "what is refused has passed");
}
