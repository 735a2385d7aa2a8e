//! What is up: a node that is told by the API, the API, and the client that people type at.

use std::env;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::Api;
use crate::crowd::wait_until;
use crate::demo::report::Report;
use crate::inventory::port;
use crate::netns::Netns;
use crate::node::{Node, Output};
use crate::traffic::EchoServer;
use crate::vm::Vm;

/// What the node is called in `binding:host_id`.
const HOST: &str = "node";

/// How long something may take to come up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that is up during the demo, and gone afterwards.
pub(super) struct Cloud {
    pub web1: Vm,
    pub client: Vm,
    _servers: Vec<EchoServer>,
    api: Api,
    /// Where the client and the API are.
    desk: Netns,
    group: String,
    pub node: Node,
}

impl Cloud {
    /// Starts the node and the API, has the client create what WEB1 and CLIENT hang on, and plugs them in.
    pub fn new(report: &mut Report) -> Self {
        let mut node = Node::new("node");
        let desk = Netns::new("desk");
        report.command("sgd run --transactions");
        node.start_told();
        let (store, socket) = (node.directory().join("api"), node.socket());
        let (store, socket) = (store.to_string_lossy(), socket.to_string_lossy());
        let arguments = ["--store", &store, "--node", &socket, "--host", HOST];
        let api = Api::start(&desk, &node.directory().join("sgapi.log"), &arguments);
        report.command(&format!(
            "sgapi run --store api --node sgd.sock --host {HOST} --listen {}",
            api.address()
        ));
        let client = Client {
            desk: &desk,
            address: api.address(),
        };
        for words in [
            "network create demo",
            "subnet create v4 --network demo --subnet-range 10.0.0.0/24 --no-dhcp",
            "subnet create v6 --network demo --ip-version 6 --subnet-range 2001:db8::/64 --no-dhcp",
            // Members of a project's default group let each other in.
            "security group create CLIENTS",
        ] {
            client.run(report, words);
        }
        let mut created = |name: &str, last: u8, group: &str| {
            let (v4, v6) = (format!("10.0.0.{last}"), format!("2001:db8::{last}"));
            let words = format!(
                "port create {name} --network demo --host {HOST} --fixed-ip subnet=v4,ip-address={v4} \
                 --fixed-ip subnet=v6,ip-address={v6} {group} -f json"
            );
            let answer: Value = serde_json::from_str(&client.run(report, &words).stdout)
                .unwrap_or_else(|e| panic!("the client prints no JSON: {e}"));
            let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
            let id: Uuid = text("id").parse().unwrap_or_else(|e| panic!("no id: {e}"));
            port(name)
                .with_id(id)
                .ip(&v4)
                .ip(&v6)
                .mac(text("mac_address").as_str())
        };
        let (web1, machine) = (
            created("WEB1", 5, ""),
            created("CLIENT", 7, "--security-group CLIENTS"),
        );
        let (web1, machine) = (Vm::new(&node, &web1), Vm::new(&node, &machine));
        let servers = [80, 443, 22].map(|port| EchoServer::start(web1.netns(), port));
        wait_until(PATIENCE, "both ports are enforced", || {
            node.query("status")["ports"]["enforcing"] == 2
        });
        Self {
            web1,
            client: machine,
            _servers: servers.into(),
            api,
            desk,
            group: String::new(),
            node,
        }
    }

    /// A drawing of it.
    pub fn drawing(&self) -> String {
        format!(
            "openstack ──HTTP──► sgapi ({}) ──transactions──► sgd\n\
             WEB1   {} {} (namespace {})\nCLIENT {} {} (namespace {})",
            self.api.address(),
            self.web1.v4(),
            self.web1.v6(),
            self.web1.netns().name(),
            self.client.v4(),
            self.client.v6(),
            self.client.netns().name(),
        )
    }

    /// Runs a command of the client, which has to succeed.
    pub fn run(&mut self, report: &mut Report, words: &str) -> Output {
        let output = self.as_client().run(report, words);
        if let Some(group) = words.strip_prefix("security group create ") {
            let show = format!("security group show {group} -f value -c id");
            self.group = self.as_client().quietly(&show).stdout.trim().to_owned();
        }
        output
    }

    /// The id of what a command creates.
    pub fn id(&mut self, report: &mut Report, words: &str) -> String {
        let words = format!("{words} -f value -c id");
        self.run(report, &words).stdout.trim().to_owned()
    }

    /// The one value that a command prints.
    pub fn value(&mut self, report: &mut Report, words: &str) -> String {
        self.run(report, words).stdout.trim().to_owned()
    }

    /// Runs a command that has to be refused, with these words in what it says.
    pub fn refused(&self, report: &mut Report, words: &str, why: &str) {
        report.command(&format!("openstack {words}"));
        let output = self.as_client().quietly(words);
        report.output(&output.stderr, 5);
        let seen = match (output.code, output.stderr.contains(why)) {
            (1, true) => "refused",
            (1, false) => "refused, for another reason",
            _ => "not refused",
        };
        report.check(&format!("openstack {words}"), "refused", seen);
    }

    /// Runs a verb of `sgctl` and shows what it prints.
    pub fn show(&self, report: &mut Report, verb: &str) {
        report.command(&format!("sgctl {verb}"));
        let output = self.node.sgctl(verb);
        report.output(&output.stdout, 60);
        report.output(&output.stderr, 20);
        report.check(&format!("exit code of sgctl {verb}"), 0, output.code);
    }

    /// Permits TCP to a port number without the client, which takes its time.
    pub fn permit(&self, port: u16) {
        let rule = json!({
            "security_group_id": self.group, "direction": "ingress", "ethertype": "IPv4",
            "protocol": "tcp", "port_range_min": port, "port_range_max": port,
        });
        let _ = self.api.create("security_group_rule", rule);
    }

    /// Ends the API.
    pub fn stop_api(&mut self, report: &Report) {
        report.command("systemctl stop sgapi    # here: SIGTERM");
        self.api.stop();
    }

    /// Starts it again, with what it has kept.
    pub fn start_api(&mut self, report: &Report) {
        report.command("systemctl start sgapi");
        self.api.start_again();
    }

    fn as_client(&self) -> Client<'_> {
        Client {
            desk: &self.desk,
            address: self.api.address(),
        }
    }
}

/// The `openstack` command as it is installed, pointed at the API.
struct Client<'a> {
    desk: &'a Netns,
    address: SocketAddr,
}

impl Client<'_> {
    fn run(&self, report: &mut Report, words: &str) -> Output {
        report.command(&format!("openstack {words}"));
        let output = self.quietly(words);
        report.output(&output.stdout, 40);
        report.output(&output.stderr, 20);
        let title = words.split(" --").next().unwrap_or(words);
        report.check(&format!("exit code of openstack {title}"), 0, output.code);
        output
    }

    fn quietly(&self, words: &str) -> Output {
        let mut command = Command::new(client_program());
        command
            .args(words.split_whitespace())
            .env("OS_AUTH_TYPE", "none")
            .env("OS_ENDPOINT", format!("http://{}", self.address))
            .stdin(Stdio::null());
        let output: io::Result<_> = self.desk.run(|| command.output());
        output
            .unwrap_or_else(|e| panic!("cannot run {command:?}: {e}"))
            .into()
    }
}

fn client_program() -> PathBuf {
    env::var_os("SG_OPENSTACK").map_or_else(
        || {
            panic!(
                "SG_OPENSTACK does not say where the client is: run `cargo xtask demo --openstack`"
            )
        },
        PathBuf::from,
    )
}
