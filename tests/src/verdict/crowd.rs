//! Five thousand rules that permit nothing that a test asks.

use sg_userspace::model::{self, PortId};

use crate::inventory::{Group, Inventory, group, group_id, port};

/// How many rules there are.
pub const RULES: usize = 5000;

/// Groups of rules that a port may be put into without any difference to what tests send: they
/// name the same peers, in nested CIDRs, remote groups and address groups, but ports above 20,000,
/// ICMP types above 200, protocols from 140 to 249, or whole networks where no peer is.
#[derive(Debug)]
pub struct Crowd {
    inventory: model::Inventory,
}

/// The groups that hold the rules.
const GROUPS: usize = 10;
/// Remote groups and address groups.
const REMOTES: usize = 60;

/// The peers that tests like to use.
const PEERS4: [&str; 4] = ["198.51.100.7", "10.0.0.7", "203.0.113.9", "192.0.2.33"];
const PEERS6: [&str; 3] = ["2001:db8:7::7", "2001:db8::7", "2001:db8:9::9"];

impl Crowd {
    /// The rules and what they name.
    #[must_use]
    pub fn new() -> Self {
        let mut groups: Vec<Group> = (0..GROUPS)
            .map(|number| group(&rules_name(number)))
            .collect();
        for number in 0..RULES {
            let place = number % GROUPS;
            groups[place] = groups[place].clone().rule(&rule(number));
        }
        let inventory = groups.into_iter().fold(Inventory::new(), Inventory::group);
        let inventory = (0..REMOTES).fold(inventory, add_remotes);
        let parsed = model::parse(inventory.json().to_string().as_bytes());
        let parsed = parsed.unwrap_or_else(|e| panic!("the crowd is no inventory: {e}"));
        assert_eq!(parsed.faults.first(), None, "the crowd is right");
        Self {
            inventory: parsed.inventory,
        }
    }

    /// Puts a port into all groups of the crowd, as last ones.
    pub fn join(&self, inventory: &mut model::Inventory, id: PortId) {
        let crowd = self.inventory.clone();
        let Some(port) = inventory.ports.get(&id) else {
            return;
        };
        let stateful = inventory.is_stateful(port);
        inventory.ports.extend(crowd.ports);
        inventory.groups.extend(crowd.groups);
        inventory.address_groups.extend(crowd.address_groups);
        for number in 0..GROUPS {
            let id = model::GroupId(group_id(&rules_name(number)));
            if let Some(group) = inventory.groups.get_mut(&id) {
                group.stateful = stateful;
            }
        }
        if let Some(port) = inventory.ports.get_mut(&id) {
            let groups = (0..GROUPS).map(|number| model::GroupId(group_id(&rules_name(number))));
            port.groups.extend(groups);
        }
    }
}

impl Default for Crowd {
    fn default() -> Self {
        Self::new()
    }
}

fn rules_name(number: usize) -> String {
    format!("CROWD-RULES-{number}")
}

fn members_name(number: usize) -> String {
    format!("CROWD-MEMBERS-{number}")
}

fn addresses_name(number: usize) -> String {
    format!("CROWD-ADDRESSES-{number}")
}

/// One of the rules, in words.
fn rule(number: usize) -> String {
    let direction = ["ingress", "egress"][number % 2];
    let v4 = (number / 2).is_multiple_of(2);
    let (family, icmp) = if v4 {
        ("IPv4", "icmp")
    } else {
        ("IPv6", "icmpv6")
    };
    let (port, kind) = (20_000 + number, number / 4 % 10);
    let (far, remote) = (port + number % 7, number % REMOTES);
    let (near, cold) = (nested(v4, 1, number / 40), cold(v4, number));
    let rest = match kind {
        0 => format!("tcp {port}"),
        1 => format!("udp {port}-{far}"),
        2 => format!("tcp {port} from {near}"),
        3 => format!("sctp {port}-{far} from {near}"),
        4 => format!("{} from {near}", 140 + number % 110),
        5 => format!("from {cold}"),
        6 => format!("tcp {port} from group {}", members_name(remote)),
        7 => format!("udp {port}-{far} from group {}", members_name(remote)),
        8 => format!("tcp {port} from addresses {}", addresses_name(remote)),
        _ => format!("{icmp} {}/{}", 201 + number % 50, number % 256),
    };
    format!("{direction} {family} {rest}")
}

/// A CIDR around a peer, of any length from `shortest`.
fn nested(v4: bool, shortest: usize, number: usize) -> String {
    match v4 {
        true => format!(
            "{}/{}",
            PEERS4[number % 4],
            shortest + number / 4 % (33 - shortest)
        ),
        false => format!(
            "{}/{}",
            PEERS6[number % 3],
            shortest + number / 3 % (129 - shortest)
        ),
    }
}

/// A network where no peer is.
fn cold(v4: bool, number: usize) -> String {
    match v4 {
        true => format!(
            "100.64.{}.{}/{}",
            number / 250,
            number % 250,
            24 + number % 9
        ),
        false => format!("2001:db8:c01d:{number:x}::/{}", 64 + number % 65),
    }
}

/// A remote group with two members, of which one is a peer, and an address group like it.
fn add_remotes(inventory: Inventory, number: usize) -> Inventory {
    let (peer4, peer6) = (PEERS4[number % 4], PEERS6[number % 3]);
    let members = members_name(number);
    let member = |name: &str| port(&format!("{members}-{name}")).groups(&[&members]);
    let (far4, far6) = (
        format!("100.65.{number}.1"),
        format!("2001:db8:c01d:{number:x}::1"),
    );
    let (wide4, wide6) = (nested(true, 8, 3 * number), nested(false, 8, 5 * number));
    inventory
        .group(group(&members))
        .port(member("near").ip(peer4).ip(peer6))
        .port(member("far").ip(&far4).ip(&far6).pair(&wide4).pair(&wide6))
        .address_group(
            &addresses_name(number),
            &[peer4, peer6, &wide4, &wide6, &far4],
        )
}
