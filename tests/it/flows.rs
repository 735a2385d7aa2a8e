//! Tracked connections in the hands of operators: listed, deleted, carried to another node.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::node::Node;
use sg_tests::packet::{Packet, icmp_echo, icmp_echo_reply, tcp, udp};
use sg_tests::pinned;
use sg_tests::vm::RawVm;

mod conntrack;

const PATIENCE: Duration = Duration::from_secs(2);
/// Long enough for a frame that passes to have come.
const SILENCE: Duration = Duration::from_millis(200);

const CLIENT: &str = "198.51.100.7:40000";
const SERVER: &str = "10.0.0.5:22";
const SSH: &str = "ingress IPv4 tcp 22 from 198.51.100.0/24";

/// A node with the tap of one VM, and the wire that leads to all others.
struct Host {
    vm: RawVm,
    wire: RawVm,
    node: Node,
}

fn web() -> Port {
    port("WEB1").ip("10.0.0.5").groups(&["WEB"])
}

/// WEB1, which may open no connection itself.
fn inventory(rules: &[&str]) -> Inventory {
    let web_ = rules
        .iter()
        .fold(group("WEB"), |group, rule| group.rule(rule));
    Inventory::new().port(web()).group(web_)
}

impl Host {
    fn new(label: &str, inventory: &Inventory) -> Self {
        let mut node = Node::new(label);
        let (vm, wire) = (RawVm::new(&node, &web()), RawVm::on(&node, "wire0"));
        node.start(inventory);
        Self { vm, wire, node }
    }

    #[track_caller]
    fn arrives(&self, packet: Packet) {
        assert!(self.reaches(&self.wire, &self.vm, &packet, PATIENCE));
    }

    #[track_caller]
    fn leaves(&self, packet: Packet) {
        assert!(self.reaches(&self.vm, &self.wire, &packet, PATIENCE));
    }

    #[track_caller]
    fn stays(&self, packet: Packet) {
        assert!(!self.reaches(&self.vm, &self.wire, &packet, SILENCE));
    }

    fn reaches(&self, from: &RawVm, to: &RawVm, packet: &Packet, patience: Duration) -> bool {
        let frame = packet.bytes();
        from.send(&frame);
        to.find(patience, |seen| seen == frame).is_some()
    }

    /// The client of the wire opens a connection to the VM's port 22.
    fn open(&self) {
        self.arrives(tcp(CLIENT, SERVER).syn().sequence(1000, 0));
        self.leaves(tcp(SERVER, CLIENT).syn_ack().sequence(5000, 1001));
        self.arrives(tcp(CLIENT, SERVER).ack().sequence(1001, 5001));
    }

    fn flows(&self) -> String {
        let listed = self.node.query("flows list");
        let mut flows = listed.as_array().expect("a list").clone();
        for flow in &mut flows {
            flow["expires"] = 0.into();
        }
        format!("{flows:?}")
    }

    fn export(&self) -> PathBuf {
        let file = self.node.directory().join("flows.json");
        let words = format!("flows export --port WEB1 -f {}", file.display());
        self.node.sgctl(&words).expect(0);
        file
    }

    fn import(&self, file: &Path) -> sg_tests::node::Output {
        self.node
            .sgctl(&format!("flows import -f {}", file.display()))
    }
}

/// What the server says first after a long silence: no rule would let the VM open this.
fn data() -> Packet {
    tcp(SERVER, CLIENT)
        .ack()
        .sequence(5001, 1001)
        .payload(b"you have mail")
}

#[test]
fn an_idle_connection_survives_the_migration_of_its_vm() {
    let old = Host::new("old", &inventory(&[SSH]));
    old.open();
    let file = old.export();
    let new = Host::new("new", &inventory(&[SSH]));
    new.stays(data());

    let imported = new.import(&file);
    imported.expect(0);
    assert!(
        imported.stdout.contains("1 imported"),
        "{}",
        imported.stdout
    );

    new.leaves(data());
    new.arrives(tcp(CLIENT, SERVER).ack().sequence(1001, 5014));
    let flow = new.node.query("flows list --port WEB1 --state established");
    assert_eq!(flow[0]["assured"], true);
    assert!(flow[0]["expires"].as_u64().unwrap() > 431_000, "{flow}");
    // What it knows of sequence numbers came along.
    new.stays(tcp(SERVER, CLIENT).rst().sequence(4000, 0));
    let counters = new.node.query("counters WEB1");
    assert_eq!(counters[0]["egress"]["invalid_tcp_reset"]["packets"], 1);

    // It counts towards the port's share, as one that was promoted here.
    let shares = new.node.map("port_flows");
    assert_eq!(pinned::numbers(&shares).iter().sum::<u32>(), 1);

    let again = new.import(&file);
    again.expect(0);
    assert!(
        again.stdout.contains("0 imported, 1 here already"),
        "{}",
        again.stdout
    );
    old.node.sgctl("flows delete --port WEB1").expect(0);
    old.stays(data());
}

#[test]
fn a_connection_that_the_new_node_does_not_permit_is_refused() {
    let old = Host::new("permits", &inventory(&[SSH]));
    old.open();
    let file = old.export();
    let new = Host::new("forbids", &inventory(&["ingress IPv4 tcp 80"]));

    let refused = new.import(&file);
    refused.expect(4);
    for part in ["0 imported", "1 refused", CLIENT, SERVER] {
        assert!(refused.stdout.contains(part), "{part}: {}", refused.stdout);
    }
    assert_eq!(new.flows(), "[]");
    new.stays(data());
}

#[test]
fn a_rule_that_goes_after_the_import_cuts_what_was_imported() {
    let old = Host::new("before", &inventory(&[SSH]));
    old.open();
    let file = old.export();
    let new = Host::new("after", &inventory(&[SSH]));
    new.import(&file).expect(0);
    new.node.apply(&inventory(&[])).expect(0);
    new.stays(data());
    let flow = new.node.query("flows list --status revoked");
    assert_eq!(flow[0]["remote_port"], 40000, "{flow}");
}

#[test]
fn a_bad_file_changes_nothing() {
    let old = Host::new("good", &inventory(&[SSH]));
    old.open();
    let text = fs::read_to_string(old.export()).unwrap();
    let new = Host::new("bad", &inventory(&[SSH]));
    new.arrives(tcp("198.51.100.7:40001", SERVER).syn().sequence(1000, 0));
    let before = new.flows();
    let other_port = text.replace(&web().id().to_string(), &port("OTHER").id().to_string());
    for (bad, code) in [
        (text[..text.len() / 2].to_owned(), 3),
        (text.replace("\"version\":1", "\"version\":2"), 3),
        (text.replace("\"layout\":", "\"layout\":9"), 3),
        (
            text.replace("\"remote\":\"198.51.100.7\"", "\"remote\":\"nowhere\""),
            3,
        ),
        (String::new(), 3),
        (other_port, 7),
    ] {
        assert_ne!(bad, text, "a case that changes nothing proves nothing");
        let file = new.node.directory().join("bad.json");
        fs::write(&file, &bad).unwrap();
        let refused = new.import(&file);
        refused.expect(code);
        assert!(refused.stderr.starts_with("sgctl: "), "{}", refused.stderr);
        assert_eq!(new.flows(), before);
    }
}

#[test]
fn connections_are_carried_over_without_the_interface_on_either_side() {
    let mut old = Host::new("gone", &inventory(&[SSH]));
    old.open();
    old.vm = RawVm::on(&old.node, "nobody0");
    wait_for(&old.node, "elsewhere");
    let file = old.export();
    assert!(fs::read_to_string(&file).unwrap().contains("198.51.100.7"));
    old.node.terminate();
    old.node.start_again();
    let again = fs::read_to_string(old.export()).unwrap();
    assert!(again.contains("198.51.100.7"), "{again}");

    let mut node = Node::new("early");
    let wire = RawVm::on(&node, "wire0");
    node.start(&Inventory::new());
    let import = |node: &Node| node.sgctl(&format!("flows import -f {}", file.display()));
    import(&node).expect(7);
    node.apply(&inventory(&["ingress IPv4 tcp 80"])).expect(0);
    import(&node).expect(4);
    node.apply(&inventory(&[SSH])).expect(0);
    import(&node).expect(0);
    let flows = node.query("flows list --port WEB1");
    assert_eq!(flows.as_array().map(Vec::len), Some(1), "{flows}");
    wait_for(&node, "elsewhere");

    let vm = RawVm::new(&node, &web());
    wait_for(&node, "enforcing");
    let new = Host { vm, wire, node };
    new.leaves(data());
    new.stays(
        tcp("10.0.0.5:22", "198.51.100.7:40001")
            .ack()
            .sequence(1, 1),
    );
}

/// Waits until WEB1 is in a state.
fn wait_for(node: &Node, state: &str) {
    let deadline = Instant::now() + PATIENCE;
    while node.query("show port WEB1")["state"] != state {
        assert!(Instant::now() < deadline, "WEB1 is not {state}");
    }
}

#[test]
fn connections_are_deleted_by_the_filters_of_conntrack() {
    let host = Host::new("deleted", &inventory(&["ingress IPv4", "egress IPv4"]));
    host.open();
    host.arrives(udp("198.51.100.7:40000", "10.0.0.5:53"));
    host.arrives(udp("198.51.100.8:40000", "10.0.0.5:53"));
    host.arrives(icmp_echo("198.51.100.7", "10.0.0.5"));
    host.leaves(icmp_echo_reply("10.0.0.5", "198.51.100.7"));
    let deleted = |filter: &str| {
        let output = host.node.sgctl(&format!("flows delete {filter}"));
        output.expect(0);
        let lines = output.stdout.lines().skip(1).count();
        let sum = format!("sgctl: {lines} flow entries ");
        assert!(output.stderr.starts_with(&sum), "{}", output.stderr);
        lines
    };
    host.node.sgctl("flows delete").expect(2);
    assert_eq!(deleted("-p tcp --state SYN_SENT"), 0);
    assert_eq!(deleted("-s 198.51.100.0/24 --dry-run"), 4);
    let words = "flows delete -o conntrack -p udp -s 198.51.100.8 -d 10.0.0.5 --dport 53";
    let line = host.node.sgctl(words).stdout;
    assert!(line.starts_with("udp      17 "), "{line}");
    assert!(line.contains("src=198.51.100.8 dst=10.0.0.5"), "{line}");
    let nothing = host.node.sgctl(words);
    nothing.expect(0);
    assert_eq!(nothing.stdout, "");
    let none = host.node.query("flows delete -f ipv6");
    assert_eq!(none.as_array().map(Vec::len), Some(0), "{none}");
    assert_eq!(deleted("-p icmp --port WEB1 -f ipv4"), 1);
    assert_eq!(deleted("-f ipv6"), 0);
    assert_eq!(deleted("--sport 40000 -u assured"), 1);
    assert_eq!(deleted("--all"), 1);
    assert_eq!(host.flows(), "[]");
}

#[test]
fn a_hundred_thousand_connections_hold_up_neither_memory_nor_orders() {
    const FLOWS: u32 = 100_000;
    let host = Host::new("many", &inventory(&[SSH]));
    host.open();
    pinned::multiply(&host.node.map("flows4"), FLOWS);
    let pid = host.node.daemon_pid();
    // From here on the peak counts anew (`proc_pid_clear_refs(5)`).
    fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
    let before = peak_memory(pid);

    let listing = Instant::now();
    let (slowest, answered) = std::thread::scope(|scope| {
        let list = scope.spawn(|| host.node.sgctl("flows list -o conntrack"));
        let (mut slowest, mut answered) = (Duration::ZERO, 0);
        while !list.is_finished() {
            let order = Instant::now();
            host.node.sgctl("list ports").expect(0);
            slowest = slowest.max(order.elapsed());
            answered += 1;
        }
        let listed = list.join().unwrap();
        listed.expect(0);
        assert_eq!(listed.stdout.lines().count() as u32, FLOWS + 1);
        (slowest, answered)
    });
    let listed = listing.elapsed();
    let grown = peak_memory(pid).saturating_sub(before);
    eprintln!("listed in {listed:?}, other orders within {slowest:?}, {grown} KiB more");
    assert!(
        answered > 2 && slowest < listed / 2,
        "{slowest:?} of {listed:?}"
    );
    assert!(grown < 16 * 1024, "{grown} KiB");

    let _ = host.node.query("status");
    let deleted = host.node.sgctl("flows delete --port WEB1");
    let sum = format!("sgctl: {} flow entries have been deleted", FLOWS + 1);
    assert!(deleted.stderr.contains(&sum), "{}", deleted.stderr);
    assert_eq!(deleted.stdout.lines().count() as u32, FLOWS + 2);
}

/// The most memory that a process has held so far, in KiB (`proc_pid_status(5)`, VmHWM).
fn peak_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.expect("VmHWM").parse().unwrap()
}
