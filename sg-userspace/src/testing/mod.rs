//! Inventories and packets for the properties: valid by construction, from a world so small that CIDRs
//! nest, groups overlap and packets hit the edges.

mod fuzz;
mod large;
mod packets;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{Index, select, subsequence};
use sg_common::layout::port::PortKey;
use sg_common::packet::Opening;
use sg_common::wire::addr::Family;
use uuid::Uuid;

pub use packets::{Packet, Source};
use packets::{openings, sources};
use world::{BROAD, CROWDED, World};

use crate::compile::Places;
use crate::model::{
    AddressGroup, AddressGroupId, AddressPair, Group, GroupId, Interface, Inventory, Mac, Matches,
    Members, Port, PortId, PortPair, PortRange, Remote, Rule, RuleId, Security, Touched, protocol,
};

/// Two inventories, and what to ask of them.
#[derive(Clone, Debug)]
pub struct Scene {
    pub one: Inventory,
    pub other: Inventory,
    pub openings: Vec<Opening>,
    pub sources: Vec<Source>,
}

/// Two inventories that have nothing to do with each other, or one that came out of the other by a few
/// events of a live network; and some packets.
pub fn scenes(packets: usize) -> impl Strategy<Value = Scene> {
    select(vec![&BROAD, &CROWDED]).prop_flat_map(move |world| {
        let events = prop_oneof![Just(usize::MAX), 1..4usize];
        let events = events.prop_flat_map(|count| vec(any::<(bool, Index)>(), count.min(20)));
        let inventories = (inventory(world), inventory(world), events);
        (inventories, openings(world, packets), sources(world)).prop_map(
            |((one, other, events), openings, sources)| {
                let other = after(&one, &other, &events);
                Scene {
                    one,
                    other,
                    openings,
                    sources,
                }
            },
        )
    })
}

/// `one` with some of its ports and groups replaced by those of `other`.
fn after(one: &Inventory, other: &Inventory, events: &[(bool, Index)]) -> Inventory {
    let mut next = one.clone();
    for (is_port, index) in events {
        if *is_port {
            let id = PortId(id(3, index.index(PORTS)));
            match other.ports.get(&id) {
                Some(port) => drop(next.ports.insert(id, port.clone())),
                None => drop(next.ports.remove(&id)),
            }
        } else {
            let id = GroupId(id(1, index.index(GROUPS)));
            next.groups.insert(id, other.groups[&id].clone());
            match other.given.get(&id.0) {
                Some(given) => drop(next.given.insert(id.0, given.clone())),
                None => drop(next.given.remove(&id.0)),
            }
        }
    }
    next
}

/// What has changed from one inventory to another.
pub fn touched(one: &Inventory, other: &Inventory) -> Touched {
    fn differing<K: Ord + Copy, V: PartialEq>(
        one: &BTreeMap<K, V>,
        other: &BTreeMap<K, V>,
    ) -> BTreeSet<K> {
        let ids = one.keys().chain(other.keys());
        ids.filter(|id| one.get(id) != other.get(id))
            .copied()
            .collect()
    }
    let mut touched = Touched {
        ports: differing(&one.ports, &other.ports),
        groups: differing(&one.groups, &other.groups),
        ..Touched::default()
    };
    let all = |inventory: &Inventory, id: Uuid| -> BTreeSet<IpNet> {
        let families = Family::ALL.into_iter();
        let nets = families.flat_map(|family| {
            let members = inventory.members(GroupId(id), family);
            members
                .chain(inventory.addresses(AddressGroupId(id), family))
                .collect::<Vec<_>>()
        });
        nets.collect()
    };
    for id in [one, other].iter().flat_map(|inventory| {
        let groups = inventory.groups.keys().map(|id| id.0);
        let given = inventory.given.keys().copied();
        groups
            .chain(inventory.address_groups.keys().map(|id| id.0))
            .chain(given)
    }) {
        let (before, after) = (all(one, id), all(other, id));
        let nets: BTreeSet<_> = before.symmetric_difference(&after).copied().collect();
        if !nets.is_empty() {
            touched.members.insert(id, nets);
        }
    }
    touched
}

/// The keys of the ports of this host.
pub fn places(inventory: &Inventory) -> Places {
    let ports = inventory.ports.values();
    ports
        .filter_map(|port| Some((port.id, local(port)?)))
        .collect()
}

const PORTS: usize = 5;
const GROUPS: usize = 3;

fn id(kind: u16, number: usize) -> Uuid {
    Uuid::from_fields(number as u32, kind, 0x4000, &[0x80; 8])
}

/// The key of a port that is on this host: the first three are, the third on the interface of the second.
pub fn local(port: &Port) -> Option<PortKey> {
    let (ifindex, vlan) = match port.id.0.as_fields().0 {
        0 => (100, 0),
        1 => (101, 0),
        2 => (101, 7),
        _ => return None,
    };
    Some(PortKey::new(ifindex, vlan))
}

fn mac(number: usize) -> Mac {
    Mac([0xfa, 0x16, 0x3e, 0, 0, number as u8])
}

fn net(world: &'static World) -> impl Strategy<Value = IpNet> {
    select(world.nets).prop_map(|text| text.parse().unwrap())
}

/// An inventory in which every reference can be resolved.
fn inventory(world: &'static World) -> impl Strategy<Value = Inventory> {
    let groups = vec((any::<bool>(), vec(rule(world), 0..=world.rules)), GROUPS);
    let address_groups = vec(vec(net(world), 0..3), 2);
    let ports = vec(proptest::option::weighted(0.85, port(world)), PORTS);
    let given = vec(proptest::option::of(vec(net(world), 0..4)), GROUPS);
    let parts = (groups, address_groups, ports, given);
    parts.prop_map(|(groups, address_groups, ports, given)| Inventory {
        given: given
            .into_iter()
            .enumerate()
            .filter_map(numbered_members)
            .collect(),
        groups: groups.into_iter().enumerate().map(numbered_group).collect(),
        address_groups: address_groups
            .into_iter()
            .enumerate()
            .map(numbered_addresses)
            .collect(),
        ports: ports
            .into_iter()
            .enumerate()
            .filter_map(numbered_port)
            .collect(),
        ..Inventory::default()
    })
}

fn numbered_group((number, (stateful, rules)): (usize, (bool, Vec<Rule>))) -> (GroupId, Group) {
    let id = GroupId(id(1, number));
    (
        id,
        Group {
            id,
            name: String::new(),
            stateful,
            rules,
        },
    )
}

fn numbered_addresses((number, addresses): (usize, Vec<IpNet>)) -> (AddressGroupId, AddressGroup) {
    let id = AddressGroupId(id(2, number));
    (
        id,
        AddressGroup {
            id,
            name: String::new(),
            addresses,
        },
    )
}

fn numbered_members((number, nets): (usize, Option<Vec<IpNet>>)) -> Option<(Uuid, Members)> {
    Some((id(1, number), nets?.into_iter().collect()))
}

fn numbered_port((number, port): (usize, Option<Port>)) -> Option<(PortId, Port)> {
    let id = PortId(id(3, number));
    Some((
        id,
        Port {
            id,
            interface: Interface::tap(id),
            ..port?
        },
    ))
}

fn port(world: &'static World) -> impl Strategy<Value = Port> {
    let fixed_ips = subsequence(world.hosts, 0..3);
    let pairs = vec((net(world), 0..3usize), 0..2);
    let groups = subsequence(Vec::from_iter(0..GROUPS), 0..=2).prop_shuffle();
    let security = prop_oneof![
        8 => Just(Security::Filtered),
        1 => Just(Security::PortSecurityOff),
        1 => Just(Security::Trusted),
    ];
    let fields = (0..3usize, fixed_ips, pairs, groups, security);
    fields.prop_map(|(number, fixed_ips, pairs, groups, security)| {
        let id = PortId(Uuid::nil());
        let pair = |(net, number): &(IpNet, usize)| AddressPair {
            net: *net,
            mac: mac(*number),
        };
        Port {
            id,
            name: String::new(),
            interface: Interface::tap(id),
            trunk: None,
            mac: mac(number),
            fixed_ips: fixed_ips.iter().map(|ip| ip.parse().unwrap()).collect(),
            pairs: pairs.iter().map(pair).collect(),
            groups: groups
                .iter()
                .map(|group| GroupId(self::id(1, *group)))
                .collect(),
            security,
            device_owner: String::new(),
            project: String::new(),
        }
    })
}

fn rule(world: &'static World) -> impl Strategy<Value = Rule> {
    let group = (0..GROUPS).prop_map(|group| Remote::Group(GroupId(id(1, group))));
    let address_group =
        (0..2usize).prop_map(|group| Remote::AddressGroup(AddressGroupId(id(2, group))));
    let remote = prop_oneof![
        1 => Just(Remote::Anyone),
        3 => net(world).prop_map(Remote::Prefix),
        4 => group,
        2 => address_group,
    ];
    let fields = (
        select(world.directions),
        select(world.families),
        matches(world),
        remote,
    );
    fields.prop_map(|(direction, ethertype, matches, remote)| {
        let remote = match remote {
            Remote::Prefix(net) if Family::of(&net.addr()) != ethertype => Remote::Anyone,
            remote => remote,
        };
        // As the model does: ICMP is that of the family.
        let matches = match matches {
            Matches::Protocol(protocol::ICMP) => Matches::Protocol(protocol::icmp(ethertype)),
            matches => matches,
        };
        Rule {
            id: RuleId(Uuid::nil()),
            direction,
            ethertype,
            matches,
            remote,
        }
    })
}

fn matches(world: &'static World) -> impl Strategy<Value = Matches> {
    let range = |of: &'static [u16]| {
        let ends = (select(of), select(of));
        ends.prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap())
    };
    let ports = (select(world.protocols), range(world.ports));
    let destination = prop_oneof![2 => range(world.ports), 1 => Just(PortRange::ALL)];
    let pair = (range(world.sources), destination).prop_map(|(source, destination)| PortPair {
        source,
        destination,
    });
    let pairs = (select(world.protocols), pair);
    let code = proptest::option::of(select(vec![0, 1, 255]));
    let icmp = (select(vec![0, 8, 128, 255]), code);
    let portless = prop_oneof![
        Just(Matches::Any),
        select(vec![1, 6, 17, 47]).prop_map(Matches::Protocol),
        icmp.prop_map(|(kind, code)| Matches::Icmp { kind, code }),
    ];
    prop_oneof![
        10 - world.portless - world.paired =>
            ports.prop_map(|(protocol, range)| Matches::Ports(protocol, range)),
        world.paired => pairs.prop_map(|(protocol, pair)| Matches::Pairs(protocol, pair)),
        world.portless.max(1) => portless,
    ]
}
