//! Random inventories from a world so small that CIDRs nest and groups overlap.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rule::{PREFIXES, Rule};
use crate::inventory::{self, Inventory};
use crate::mac::Mac;
use crate::parity::random::Random;
use crate::parity::scenario::End;

pub const GROUPS: [&str; 4] = ["G1", "G2", "G3", "G4"];

/// The names of the address groups.
pub const LISTS: [&str; 2] = ["A1", "A2"];

/// The MAC of some pairs.
pub const PAIR_MAC: Mac = Mac([0, 0, 0x5e, 0, 1, 5]);

/// Pairs that a port may have; those with `true` have [`PAIR_MAC`].
const PAIRS: [(&str, bool); 8] = [
    ("10.0.0.99", false),
    ("10.8.0.0/30", false),
    ("10.9.0.0/24", true),
    ("10.0.0.98", true),
    ("2001:db8:9::/64", false),
    ("2001:db8::99", false),
    ("2001:db8:8::8", true),
    ("2001:db8:7::/48", true),
];

/// A security group.
#[derive(Clone, Debug)]
pub struct Group {
    pub stateful: bool,
    pub rules: Vec<Rule>,
}

/// A port that frames may come from or go to.
#[derive(Clone, Debug)]
pub struct Machine {
    pub end: End,
    pub mac: Mac,
    /// Its fixed addresses by family.
    pub addresses: [Vec<String>; 2],
    /// CIDRs of its pairs, and whether they have [`PAIR_MAC`].
    pub pairs: Vec<(&'static str, bool)>,
    pub groups: Vec<&'static str>,
    pub secured: bool,
    trusted: bool,
}

/// A port on another node, or on none.
#[derive(Clone, Debug)]
pub struct Other {
    pub name: &'static str,
    pub addresses: [&'static str; 2],
    pub pair: Option<&'static str>,
    pub groups: Vec<&'static str>,
}

/// An inventory that remembers what it was made of.
#[derive(Clone, Debug)]
pub struct World {
    /// Those of [`GROUPS`].
    pub groups: Vec<Group>,
    pub machines: Vec<Machine>,
    pub others: Vec<Other>,
    /// The addresses of [`LISTS`].
    pub lists: Vec<Vec<&'static str>>,
}

impl World {
    pub fn new(random: &mut Random) -> Self {
        // Neutron lets a port have stateful groups or stateless ones; the agent takes any mix.
        let stateless = random.pick(&[0, 0, 0, 0, 0, 0, 0, 50, 100]);
        let groups = GROUPS.map(|_| Group {
            stateful: !random.percent(stateless),
            rules: rules(random),
        });
        let mut machines = vec![machine(random, End::VM1, ["10.0.0.5", "2001:db8::5"])];
        if random.percent(60) {
            machines.push(machine(random, End::VM2, ["10.0.0.6", "2001:db8::6"]));
        }
        let others = [
            ("R1", ["10.0.0.77", "2001:db8::77"]),
            ("R2", ["198.51.100.7", "2001:db8:ff::7"]),
        ];
        Self {
            groups: groups.into(),
            machines,
            others: others
                .map(|(name, addresses)| other(random, name, addresses))
                .into(),
            lists: LISTS.iter().map(|_| list(random)).collect(),
        }
    }

    /// The rules of the groups that a machine has.
    pub fn rules_of(&self, machine: &Machine) -> Vec<&Rule> {
        let has = |name: &&str| machine.groups.contains(name);
        let groups = GROUPS.iter().zip(&self.groups);
        groups
            .filter(|(name, _)| has(name))
            .flat_map(|(_, group)| &group.rules)
            .collect()
    }

    pub fn json(&self) -> Value {
        let mut inventory = Inventory::new();
        for (name, group) in GROUPS.iter().zip(&self.groups) {
            let empty = inventory::group(name).with("stateful", group.stateful);
            let whole = group
                .rules
                .iter()
                .fold(empty, |group, rule| group.rule(&rule.words));
            inventory = inventory.group(whole);
        }
        for (name, list) in LISTS.iter().zip(&self.lists) {
            inventory = inventory.address_group(name, list);
        }
        let here = self.machines.iter().map(Machine::port);
        here.chain(self.others.iter().map(Other::port))
            .fold(inventory, Inventory::port)
            .json()
    }
}

impl Machine {
    fn port(&self) -> inventory::Port {
        let name = self.end.port().unwrap_or_default();
        let mut port = inventory::port(name).mac(self.mac);
        for address in self.addresses.iter().flatten() {
            port = port.ip(address);
        }
        if self.secured {
            port = port.groups(&self.groups);
            for (pair, with_mac) in &self.pairs {
                port = match with_mac {
                    true => port.pair_with_mac(pair, PAIR_MAC),
                    false => port.pair(pair),
                };
            }
        } else {
            // Neutron's API allows a port without port security neither groups nor pairs.
            port = port.with("port_security_enabled", false);
        }
        match self.trusted {
            true => port.with("device_owner", "network:dhcp"),
            false => port,
        }
    }
}

impl Other {
    fn port(&self) -> inventory::Port {
        let [v4, v6] = self.addresses;
        let port = inventory::port(self.name).ip(v4).ip(v6);
        let port = port.groups(&self.groups).with("status", "DOWN");
        self.pair.iter().fold(port, |port, pair| port.pair(pair))
    }
}

/// Without the twins that Neutron's API would refuse.
fn rules(random: &mut Random) -> Vec<Rule> {
    let mut rules: Vec<Rule> = (0..random.below(8)).map(|_| Rule::random(random)).collect();
    let mut seen = BTreeSet::new();
    rules.retain(|rule| seen.insert(rule.words.clone()));
    rules
}

/// A list of networks; Neutron's API wants no host bits in them.
pub fn list(random: &mut Random) -> Vec<&'static str> {
    let mut list = vec!["192.0.2.0/24"];
    for _ in 0..random.below(4) {
        let family = random.below(2);
        let cidr = random.pick(&PREFIXES[family]);
        let host_bits = cidr.contains(".3/") || cidr.contains("1::1/");
        if !host_bits && !list.contains(&cidr) {
            list.push(cidr);
        }
    }
    list
}

pub fn some_groups(random: &mut Random) -> Vec<&'static str> {
    let mut names = Vec::new();
    for _ in 0..random.below(4) {
        let name = random.pick(&GROUPS);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

pub fn other(random: &mut Random, name: &'static str, addresses: [&'static str; 2]) -> Other {
    let pairs = ["10.1.0.0/16", "2001:db8:1::/48", "203.0.113.9", "0.0.0.0/0"];
    Other {
        name,
        addresses,
        pair: random.percent(30).then(|| random.pick(&pairs)),
        groups: some_groups(random),
    }
}

fn machine(random: &mut Random, end: End, [v4, v6]: [&str; 2]) -> Machine {
    let mac = Mac::of(v4.parse().unwrap_or_else(|_| unreachable!("an address")));
    let mut groups = some_groups(random);
    if groups.is_empty() && random.percent(70) {
        groups = vec![random.pick(&GROUPS)];
    }
    // Both families, one of them, or no fixed address at all.
    let mut addresses = [vec![v4.to_owned()], vec![v6.to_owned()]];
    match random.below(100) {
        0..8 => addresses[0].clear(),
        8..18 => addresses[1].clear(),
        18..24 => addresses = [Vec::new(), Vec::new()],
        24..34 => addresses[0].push(v4.replace("10.0.0", "10.0.7")),
        _ => {}
    }
    let mut pairs = Vec::new();
    if random.percent(40) {
        for _ in 0..1 + random.below(3) {
            let pair = match random.percent(6) {
                true => (random.pick(&["0.0.0.0/0", "::/0"]), false),
                false => random.pick(&PAIRS),
            };
            if !pairs.contains(&pair) {
                pairs.push(pair);
            }
        }
    }
    Machine {
        end,
        mac,
        addresses,
        pairs,
        groups,
        secured: !random.percent(4),
        trusted: random.percent(3),
    }
}
