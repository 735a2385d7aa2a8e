//! What is up: members of etcd and nodes, each in a namespace, on a network for them and one for the machines.

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::times::Times;
use crate::api::Api;
use crate::crowd::wait_until;
use crate::daemon::Daemon;
use crate::demo::report::Report;
use crate::inventory::{Port, port};
use crate::netns::Netns;
use crate::node::Node;
use crate::traffic::EchoServer;
use crate::vm::Vm;

/// How many nodes.
pub(super) const NODES: usize = 8;

/// How many members of etcd.
pub(super) const MEMBERS: usize = 3;

/// How long something may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that is up during the demo, and gone afterwards.
pub(super) struct Cloud {
    pub api: Api,
    machines: Vec<Machine>,
    nodes: Vec<Node>,
    members: Vec<Member>,
    group: String,
    directory: TempDir,
    _networks: [Network; 2],
}

struct Machine {
    id: String,
    port: Port,
    vm: Vm,
    _servers: Vec<EchoServer>,
}

struct Member {
    netns: Netns,
    arguments: Vec<String>,
    running: Option<Daemon>,
}

/// A bridge that joins namespaces.
struct Network(Netns);

impl Network {
    fn new(label: &str) -> Self {
        let netns = Netns::new(label);
        netns.set("ipv6/conf/all/disable_ipv6", "1");
        netns.set("ipv6/conf/default/disable_ipv6", "1");
        netns.ip("link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0");
        netns.ip("link set br0 up");
        Self(netns)
    }

    /// Lays a wire from an interface of a namespace to the bridge.
    fn join(&self, netns: &Netns, interface: &str, number: usize) {
        let (here, there) = (format!("to{number}"), self.0.name());
        netns.ip(&format!(
            "link add {interface} type veth peer name {here} netns {there}"
        ));
        self.0.ip(&format!("link set {here} master br0 up"));
        netns.ip(&format!("link set {interface} up"));
    }

    /// The same, with an address.
    fn join_as(&self, netns: &Netns, number: usize) {
        self.join(netns, MANAGEMENT, number);
        netns.ip(&format!("address add {} dev {MANAGEMENT}", prefix(number)));
    }
}

/// The interface of nodes and members by which they reach each other.
const MANAGEMENT: &str = "mgmt";

/// The number of the first node on the network for management; members come before.
const FIRST_NODE: usize = 20;

fn address(number: usize) -> String {
    format!("192.0.2.{number}")
}

fn prefix(number: usize) -> String {
    format!("{}/24", address(number))
}

fn host(node: usize) -> String {
    format!("compute-{}", node + 1)
}

impl Cloud {
    /// Starts all, and creates a port on each node.
    pub fn new(report: &Report) -> Self {
        let directory = tempfile::tempdir();
        let directory = directory.unwrap_or_else(|e| panic!("no temporary directory: {e}"));
        let (management, fabric) = (Network::new("mgmt"), Network::new("fabric"));
        let mut members = members(&management, &directory);
        report.command("etcd --name m0 --initial-cluster m0=…,m1=…,m2=… …      # and m1, m2");
        members.iter_mut().for_each(Member::start);
        let urls: Vec<String> = (0..MEMBERS).map(url).collect();
        let urls = urls.join(",");
        let desk = Netns::new("desk");
        management.join_as(&desk, 1);
        report.command(&format!("sgapi run --etcd {urls}"));
        let log = directory.path().join("sgapi.log");
        let api = Api::start(&desk, &log, &["--etcd", &urls]);

        let (group, ports) = create(&api);
        report.command(&format!(
            "sgd run --etcd {urls} --host {}      # and on seven others",
            host(0)
        ));
        let mut nodes: Vec<Node> = (0..NODES).map(|node| Node::new(&host(node))).collect();
        for (number, node) in nodes.iter().enumerate() {
            management.join_as(node.netns(), FIRST_NODE + number);
            fabric.join(node.netns(), "uplink", number);
            node.netns().ip("link set uplink master br0");
        }
        thread::scope(|scope| {
            for (number, node) in nodes.iter_mut().enumerate() {
                let urls = urls.as_str();
                scope.spawn(move || node.start_followed(urls, &host(number), &[]));
            }
        });
        let machines = ports.into_iter().enumerate();
        let machines = machines.map(|(number, (id, port))| Machine::new(&nodes[number], id, port));
        let machines: Vec<Machine> = machines.collect();
        for node in &nodes {
            wait_until(PATIENCE, "every machine's port is enforced", || {
                node.query("status")["ports"]["enforcing"] == 1
            });
        }
        Self {
            api,
            machines,
            nodes,
            members,
            group,
            directory,
            _networks: [management, fabric],
        }
    }

    /// A drawing of it.
    pub fn drawing(&self) -> String {
        let members: Vec<String> = (0..MEMBERS)
            .map(|m| format!("m{m} {}", address(10 + m)))
            .collect();
        let nodes = self.machines.iter().enumerate().map(|(node, machine)| {
            format!(
                "{} {} ── {} {}",
                host(node),
                address(FIRST_NODE + node),
                machine.port.name(),
                machine.vm.v4()
            )
        });
        let nodes: Vec<String> = nodes.collect();
        format!(
            "sgapi {} ──► etcd: {}\n{}",
            self.api.address(),
            members.join(", "),
            nodes.join("\n")
        )
    }

    /// The machine that was on a node at first.
    pub fn vm(&self, node: usize) -> &Vm {
        &self.machines[node].vm
    }

    /// How many nodes the API sees alive.
    pub fn alive(&self) -> usize {
        let mut alive = 0;
        wait_until(PATIENCE, "the API sees the nodes", || {
            let agents = self.api.ask("GET /v2.0/agents", &Value::Null).json();
            let agents = agents["agents"].as_array().cloned().unwrap_or_default();
            alive = agents.iter().filter(|agent| agent["alive"] == true).count();
            alive == NODES
        });
        alive
    }

    /// Permits TCP to a port number to all machines; returns the rule.
    pub fn permit(&self, port: u16) -> String {
        let rule = json!({
            "security_group_id": self.group, "direction": "ingress", "ethertype": "IPv4",
            "protocol": "tcp", "port_range_min": port, "port_range_max": port,
        });
        let rule = self.api.create("security_group_rule", rule);
        rule["id"].as_str().unwrap_or_default().to_owned()
    }

    /// Takes a rule away.
    pub fn forbid(&self, rule: &str) {
        self.api.delete("security_group_rule", rule);
    }

    /// The same, if it can be done; whether the rule is gone.
    pub fn try_forbid(&self, rule: &str) -> bool {
        let request = format!("DELETE /v2.0/security-group-rules/{rule}");
        [204, 404].contains(&self.api.ask(&request, &Value::Null).status)
    }

    /// Whether a node's tables let a new connection to its machine.
    pub fn is_open(&self, node: usize, port: u16) -> bool {
        let to = &self.machines[node];
        let words = format!(
            "explain --port {} --ingress tcp 10.0.0.250:40000 {}:{port}",
            to.id,
            to.vm.v4()
        );
        self.nodes[node].sgctl(&words).code == 0
    }

    /// What a node says of the store that it follows.
    pub fn source(&self, node: usize) -> Value {
        self.nodes[node].query("status")["source"].take()
    }

    /// Runs a verb of `sgctl` on a node and shows what it prints.
    pub fn show(&self, node: usize, report: &Report, verb: &str) {
        report.command(&format!("sgctl {verb}      # on {}", host(node)));
        report.output(&self.nodes[node].sgctl(verb).stdout, 12);
    }

    /// How long after the API's answer each of so many rules was in force on each node.
    pub fn times(&self, rounds: usize) -> Times {
        let mut times = Vec::new();
        for round in 0..rounds {
            let port = 10_000 + u16::try_from(round).unwrap_or_default();
            let rule = self.permit(port);
            let answered = Instant::now();
            let all = thread::scope(|scope| {
                let nodes = (0..NODES).map(|node| {
                    scope.spawn(move || {
                        while !self.is_open(node, port) {
                            assert!(answered.elapsed() < PATIENCE, "a node does not follow");
                        }
                        answered.elapsed()
                    })
                });
                let nodes: Vec<_> = nodes.collect();
                nodes
                    .into_iter()
                    .map(|node| node.join())
                    .collect::<Vec<_>>()
            });
            times.extend(all.into_iter().flatten());
            self.forbid(&rule);
            wait_until(PATIENCE, "the rule is gone again", || {
                (0..NODES).all(|node| !self.is_open(node, port))
            });
        }
        Times::of(times)
    }

    /// Kills a member of etcd, if it runs.
    pub fn kill_member(&mut self, member: usize, report: &Report) {
        report.command(&format!("kill -9 …      # etcd m{member}"));
        self.members[member].running = None;
    }

    /// Starts a member of etcd with what it has.
    pub fn start_member(&mut self, member: usize, report: &Report) {
        report.command(&format!("etcd --name m{member} …"));
        self.members[member].start();
    }

    /// Pulls a node's cable to the members, or puts it in again.
    pub fn cut_off(&self, node: usize, off: bool, report: &Report) {
        let way = if off { "down" } else { "up" };
        report.command(&format!(
            "ip link set {MANAGEMENT} {way}      # on {}",
            host(node)
        ));
        self.nodes[node]
            .netns()
            .ip(&format!("link set {MANAGEMENT} {way}"));
    }

    /// Stops a node's daemon and starts it again.
    pub fn restart_daemon(&mut self, node: usize, report: &Report) {
        report.command(&format!("systemctl restart sgd      # on {}", host(node)));
        let urls: Vec<String> = (0..MEMBERS).map(url).collect();
        self.nodes[node].terminate();
        self.nodes[node].start_followed(&urls.join(","), &host(node), &[]);
    }

    /// Moves the machine of one node to another one, and its connections.
    pub fn move_machine(&mut self, from: usize, to: usize, report: &Report) {
        let id = self.machines[from].id.clone();
        let file = self.directory.path().join("flows.json");
        let file = file.display();
        report.say(&format!(
            "{}'s port is bound to {}; its machine is paused.",
            self.machines[from].port.name(),
            host(to)
        ));
        report.command(&format!(
            "sgctl flows export --port {id} -f flows.json      # on {}",
            host(from)
        ));
        self.nodes[from]
            .sgctl(&format!("flows export --port {id} -f {file}"))
            .expect(0);
        self.api
            .update("port", &id, json!({"binding:host_id": host(to)}));
        wait_until(PATIENCE, "the new node knows the port", || {
            self.nodes[to].sgctl(&format!("show port {id}")).code != 7
        });
        report.command(&format!(
            "sgctl flows import -f flows.json      # on {}",
            host(to)
        ));
        let imported = self.nodes[to].sgctl(&format!("flows import -f {file}"));
        // Of a connection to 443 that has ended there is still a trace, which is no longer permitted: left out.
        assert!([0, 4].contains(&imported.code), "{}", imported.stderr);
        report.output(&imported.stdout, 5);
        self.machines[from].vm.move_to(&self.nodes[to]);
        wait_until(PATIENCE, "the port is enforced at its new node", || {
            self.nodes[to].query("status")["ports"]["enforcing"] == 2
        });
        // QEMU says for a guest where it is now, and the switches learn it; whatever it sends says the same.
        let neighbour = (self.machines[0].vm.v4(), 9);
        self.machines[from].vm.netns().run(|| {
            let socket = UdpSocket::bind("0.0.0.0:0");
            let sent = socket.and_then(|socket| socket.send_to(b"here", neighbour));
            sent.unwrap_or_else(|e| panic!("the machine sends nothing: {e}"))
        });
    }
}

impl Machine {
    fn new(node: &Node, id: String, port: Port) -> Self {
        let vm = Vm::new(node, &port);
        let servers = [80, 443].map(|port| EchoServer::start(vm.netns(), port));
        Self {
            id,
            port,
            vm,
            _servers: servers.into(),
        }
    }
}

impl Member {
    fn start(&mut self) {
        if self.running.is_some() {
            return;
        }
        let mut command = Command::new("etcd");
        command.args(&self.arguments).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.running = Some(Daemon::start(&self.netns, command));
    }
}

fn url(member: usize) -> String {
    format!("http://{}:2379", address(10 + member))
}

fn peer(member: usize) -> String {
    format!("http://{}:2380", address(10 + member))
}

fn members(management: &Network, directory: &TempDir) -> Vec<Member> {
    let all: Vec<String> = (0..MEMBERS).map(|m| format!("m{m}={}", peer(m))).collect();
    let member = |number: usize| {
        let netns = Netns::new(&format!("m{number}"));
        management.join_as(&netns, 10 + number);
        let data = directory.path().join(format!("m{number}"));
        let arguments = [
            ("--name", format!("m{number}")),
            ("--data-dir", data.display().to_string()),
            ("--listen-client-urls", url(number)),
            ("--advertise-client-urls", url(number)),
            ("--listen-peer-urls", peer(number)),
            ("--initial-advertise-peer-urls", peer(number)),
            ("--initial-cluster", all.join(",")),
            ("--log-level", "error".to_owned()),
        ];
        Member {
            netns,
            arguments: arguments
                .into_iter()
                .flat_map(|(name, value)| [name.to_owned(), value])
                .collect(),
            running: None,
        }
    };
    (0..MEMBERS).map(member).collect()
}

/// A network, a group, and a port in it on each node; returns the group, and the ports with their ids.
fn create(api: &Api) -> (String, Vec<(String, Port)>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let network = text(&api.create("network", json!({"name": "demo"}))["id"]);
    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24", "enable_dhcp": false});
    let _ = api.create("subnet", subnet);
    let group = text(&api.create("security_group", json!({"name": "WEB_SERVERS"}))["id"]);
    let ports = (0..NODES).map(|node| {
        let (name, address) = (format!("VM{}", node + 1), format!("10.0.0.{}", 11 + node));
        let created = api.create(
            "port",
            json!({
                "name": name, "network_id": network, "binding:host_id": host(node),
                "fixed_ips": [{"ip_address": address}], "security_groups": [group],
            }),
        );
        let id = text(&created["id"]);
        let uuid: Uuid = id
            .parse()
            .unwrap_or_else(|e| panic!("{id:?} is no id: {e}"));
        let mac = text(&created["mac_address"]);
        (id, port(&name).with_id(uuid).ip(&address).mac(mac.as_str()))
    });
    let ports = ports.collect();
    (group, ports)
}
