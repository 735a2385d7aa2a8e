//! What is done to a node all the time, at random.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use super::Options;
use crate::inventory::{Inventory, Port, group, port};
use crate::node::Node;
use crate::steady::{Steady, inventory};
use crate::tap::Tap;

/// Connections that are opened and closed in one step.
const CONNECTIONS: usize = 50;

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    PlugIn,
    Unplug,
    MakeAgain,
    Rule,
    Member,
    Connect,
    Kill,
    Restart,
    RemovePins,
}

/// Each as often as it stands here.
const ACTIONS: [Action; 14] = [
    Action::PlugIn,
    Action::PlugIn,
    Action::PlugIn,
    Action::Unplug,
    Action::Unplug,
    Action::MakeAgain,
    Action::Rule,
    Action::Rule,
    Action::Member,
    Action::Member,
    Action::Connect,
    Action::Kill,
    Action::Restart,
    Action::RemovePins,
];

/// The node as it is to be, and what was done.
pub struct Churn {
    state: u64,
    ports: Vec<(Port, Option<Tap>)>,
    /// Ports of other nodes, in the group that WEB1's rules name.
    members: Vec<bool>,
    /// Ports that one rule each permits.
    rules: BTreeSet<u16>,
    done: BTreeMap<Action, u64>,
}

impl Churn {
    /// Nothing is plugged in yet.
    pub fn new(options: &Options) -> Self {
        let other = |number: usize| {
            let address = format!("10.1.{}.{}", number / 250, number % 250 + 1);
            port(&format!("OTHER{number}"))
                .ip(&address)
                .groups(&["PEERS"])
        };
        Self {
            state: options.seed,
            ports: (0..options.ports)
                .map(|number| (other(number), None))
                .collect(),
            members: vec![false; options.ports],
            rules: BTreeSet::new(),
            done: BTreeMap::new(),
        }
    }

    /// What the daemon is told.
    pub fn inventory(&self) -> Inventory {
        let rules = self
            .rules
            .iter()
            .map(|port| format!("ingress IPv4 tcp {port} from group PEERS"));
        let rules: Vec<_> = rules.collect();
        let rules: Vec<_> = rules.iter().map(String::as_str).collect();
        let peers = group("PEERS")
            .rule("ingress IPv4 tcp 22 from group PEERS")
            .default_egress();
        let here = self.ports.iter().filter(|(_, tap)| tap.is_some());
        let here = here.map(|(port, _)| port.clone());
        let elsewhere = (0..).zip(&self.members).filter(|(_, is_there)| **is_there);
        let elsewhere = elsewhere.map(|(number, _)| {
            let address = format!("10.2.{}.{}", number / 250, number % 250 + 1);
            port(&format!("ELSEWHERE{number}"))
                .ip(&address)
                .groups(&["PEERS"])
        });
        here.chain(elsewhere)
            .fold(inventory(&rules).group(peers), Inventory::port)
    }

    /// Does something. The daemon is left alone where all is to be `calm`.
    pub fn step(&mut self, node: &mut Node, steady: &Steady, calm: bool) {
        let action = ACTIONS[self.number(ACTIONS.len())];
        if calm && matches!(action, Action::Kill | Action::Restart | Action::RemovePins) {
            return;
        }
        *self.done.entry(action).or_default() += 1;
        let which = self.number(self.ports.len());
        match action {
            Action::PlugIn => self.plug_in(node, which),
            Action::Unplug => self.ports[which].1 = None,
            Action::MakeAgain => {
                if self.ports[which].1.take().is_some() {
                    self.plug_in(node, which);
                }
            }
            Action::Rule => {
                let port = 2000 + which as u16 * 3;
                if !self.rules.remove(&port) {
                    self.rules.insert(port);
                }
            }
            Action::Member => self.members[which] = !self.members[which],
            Action::Connect => connect(steady),
            Action::Kill => {
                node.kill();
                node.begin();
                // Killed again at some instant of its start.
                sleep(Duration::from_millis(self.number(300) as u64));
                node.kill();
                node.start_again();
            }
            Action::Restart => {
                node.terminate();
                node.start_again();
            }
            Action::RemovePins => {
                let _ = fs::remove_dir_all(node.pins());
            }
        }
        self.tell(node);
        sleep(Duration::from_millis(self.number(400) as u64));
    }

    /// Takes everything away that has come since the beginning.
    pub fn unplug_all(&mut self, node: &Node) {
        self.ports.iter_mut().for_each(|(_, tap)| *tap = None);
        self.members.fill(false);
        self.rules.clear();
        self.tell(node);
    }

    fn tell(&self, node: &Node) {
        let told = node.apply(&self.inventory());
        // Taps that have just been made, or are gone, are in other states for a moment.
        assert!(
            [0, 8].contains(&told.code),
            "{}{}",
            told.stdout,
            told.stderr
        );
    }

    fn plug_in(&mut self, node: &Node, which: usize) {
        let (port, tap) = &mut self.ports[which];
        if tap.is_none() {
            *tap = Some(node.tap(&port.interface()));
        }
    }

    fn number(&mut self, below: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % below
    }
}

/// Opens and closes connections.
fn connect(steady: &Steady) {
    let Steady { web, client } = steady;
    let address = (web.v4(), 22).into();
    client.netns().run(|| {
        for _ in 0..CONNECTIONS {
            // Refused or not: each is a connection to the filter.
            let _ = TcpStream::connect_timeout(&address, Duration::from_millis(200));
        }
    });
}

impl fmt::Display for Churn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self
            .done
            .iter()
            .map(|(action, times)| format!("{action:?} {times}"));
        write!(f, "done: {}", done.collect::<Vec<_>>().join(", "))
    }
}
