//! Who plays: a compute node, WEB1, CLIENT, and the uplink of the bridge.

use crate::inventory::{Group, Inventory, Port, group, port};
use crate::node::Node;
use crate::traffic::EchoServer;
use crate::vm::{RawVm, Vm};

/// The port that CLIENT serves on.
pub(super) const CLIENT_PORT: u16 = 8080;

/// Everything that is up during the demo.
pub(super) struct Scene {
    pub web1: Vm,
    pub client: Vm,
    /// Where the bridge meets the physical network: sees what is broadcast.
    pub uplink: RawVm,
    _servers: Vec<EchoServer>,
    pub node: Node,
}

/// What of WEB_SERVERS there is, and whether WEB1 is in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WebServers {
    NotApplied,
    Applied,
    Without80,
}

impl Scene {
    /// Builds the node, plugs in both machines and starts servers in them.
    pub fn new() -> Self {
        let node = Node::new("node");
        let (web1, client) = (Vm::new(&node, &web1_port()), Vm::new(&node, &client_port()));
        let uplink = RawVm::on(&node, "uplink");
        let mut servers: Vec<_> = [80, 443, 22]
            .map(|port| EchoServer::start(web1.netns(), port))
            .into();
        servers.push(EchoServer::start(client.netns(), CLIENT_PORT));
        Self {
            web1,
            client,
            uplink,
            _servers: servers,
            node,
        }
    }

    /// A drawing of it.
    pub fn drawing(&self) -> String {
        let machine = |vm: &Vm, port: &Port| {
            format!(
                "{:<6} {} {} ({}, namespace {})",
                vm.name(),
                vm.v4(),
                vm.v6(),
                port.mac_address(),
                vm.netns().name()
            )
        };
        let (web1, client) = (web1_port(), client_port());
        format!(
            "{}\n  └─ {} ─┐\n{}\n  └─ {} ─┼─ br0 ── uplink (namespace {})",
            machine(&self.web1, &web1),
            web1.interface(),
            machine(&self.client, &client),
            client.interface(),
            self.node.netns().name(),
        )
    }
}

/// The inventory in one of its states.
pub(super) fn inventory(state: WebServers) -> Inventory {
    let groups: &[&str] = match state {
        WebServers::NotApplied => &["default"],
        WebServers::Applied | WebServers::Without80 => &["default", "WEB_SERVERS"],
    };
    Inventory::new()
        .group(default_group())
        .group(web_servers(state != WebServers::Without80))
        .group(clients())
        .port(web1_port().groups(groups))
        .port(client_port().groups(&["CLIENTS"]))
}

fn web1_port() -> Port {
    port("WEB1").ip("10.0.0.5").ip("2001:db8::5")
}

fn client_port() -> Port {
    port("CLIENT").ip("10.0.0.7").ip("2001:db8::7")
}

/// The group of every port that names none: out to everyone, in from its own members.
fn default_group() -> Group {
    group("default")
        .default_egress()
        .rule("ingress IPv4 from group default")
        .rule("ingress IPv6 from group default")
}

fn web_servers(with_80: bool) -> Group {
    let group = group("WEB_SERVERS")
        .default_egress()
        .rule("ingress IPv4 tcp 443 from 0.0.0.0/0")
        .rule("ingress IPv6 tcp 443 from ::/0");
    if with_80 {
        group
            .rule("ingress IPv4 tcp 80 from 0.0.0.0/0")
            .rule("ingress IPv6 tcp 80 from ::/0")
    } else {
        group
    }
}

fn clients() -> Group {
    let mut group = group("CLIENTS").default_egress();
    for ethertype in ["IPv4", "IPv6"] {
        for protocol in ["tcp", "udp"] {
            group = group.rule(&format!("ingress {ethertype} {protocol} {CLIENT_PORT}"));
        }
    }
    group
}
