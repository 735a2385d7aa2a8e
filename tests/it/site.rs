//! The site that the tests of the daemon share: WEB1 with a web server, and a client, on one node.

use serde_json::{Value, json};
use sg_tests::inventory::{Inventory, group};
use sg_tests::node::Node;
pub use sg_tests::site::{client, site, web1};
use sg_tests::traffic::{EchoServer, Outcome, ask_tcp};
use sg_tests::vm::Vm;

/// A node with two machines, of which WEB1 serves ports 80 and 443.
pub struct Site {
    pub web: Vm,
    pub client: Vm,
    _servers: [EchoServer; 2],
    pub node: Node,
}

impl Site {
    pub fn new(label: &str) -> Self {
        let node = Node::new(label);
        let (web, client) = (Vm::new(&node, &web1()), Vm::new(&node, &client()));
        let servers = [80, 443].map(|port| EchoServer::start(web.netns(), port));
        Self {
            web,
            client,
            _servers: servers,
            node,
        }
    }

    /// What becomes of a connection from the client to a port of WEB1.
    pub fn ask(&self, port: u16) -> Outcome {
        ask_tcp(self.client.netns(), self.web.v4(), port)
    }

    /// A counter of WEB1.
    pub fn count(&self, direction: &str, reason: &str) -> u64 {
        let counters = self.node.query("counters WEB1");
        let ports = counters.as_array().expect("a list of ports");
        ports[0][direction][reason]["packets"]
            .as_u64()
            .expect("a count")
    }
}

pub const HTTP: &str = "ingress IPv4 tcp 80 from 0.0.0.0/0";
pub const HTTPS: &str = "ingress IPv4 tcp 443 from 0.0.0.0/0";

/// The site with HTTP, and one more rule in the API's form.
pub fn site_with_rule(rule: Value) -> Inventory {
    let web = group("WEB_SERVERS")
        .default_egress()
        .rule(HTTP)
        .raw_rule(rule);
    Inventory::new()
        .port(web1())
        .port(client())
        .group(web)
        .group(group("CLIENTS").default_egress())
}

/// An ingress rule with further fields.
pub fn ingress(fields: Value) -> Value {
    let mut rule = json!({"direction": "ingress", "ethertype": "IPv4"});
    let (rule_fields, more) = (rule.as_object_mut().unwrap(), fields.as_object().unwrap());
    rule_fields.extend(more.clone());
    rule
}
