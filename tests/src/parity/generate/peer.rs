//! Peers: hosts of the network on both sides of the edges of what rules name, and the other machine.

use std::net::IpAddr;

use ipnet::IpNet;

use super::rule::{Remote, Rule};
use super::world::{Machine, World};
use crate::parity::random::Random;
use crate::parity::scenario::End;

/// Hosts of the network by family.
pub const PEERS: [[&str; 12]; 2] = [
    [
        "198.51.100.7",
        "198.51.100.6",
        "198.51.100.127",
        "198.51.100.128",
        "198.51.101.0",
        "10.0.0.77",
        "10.0.0.255",
        "10.0.1.0",
        "10.1.255.255",
        "10.2.0.0",
        "11.0.0.0",
        "203.0.113.9",
    ],
    [
        "2001:db8:ff::7",
        "2001:db8:ff::6",
        "2001:db8:ff::7fff",
        "2001:db8:ff::8000",
        "2001:db8:ff:1::",
        "2001:db8::77",
        "2001:db8::ffff:1",
        "2001:db8:0:1::",
        "2001:db8:1:ffff::",
        "2001:db8:2::",
        "2001:db9::",
        "3fff::1",
    ],
];

/// A peer that the rule is about, most of the time; else any, or the other machine of the node.
pub fn peer(
    world: &World,
    machine: &Machine,
    random: &mut Random,
    v6: bool,
    aim: Option<&Rule>,
) -> (End, String) {
    let all = || PEERS[usize::from(v6)].map(|peer| (End::Fabric, peer.to_owned()));
    let other = || {
        let mut others = world
            .machines
            .iter()
            .filter(|other| other.end != machine.end);
        let other = others.next()?;
        Some((other.end, other.addresses[usize::from(v6)].first()?.clone()))
    };
    let meant = match aim {
        Some(rule) if random.percent(55) => meant(world, machine, rule.remote, v6),
        _ => Vec::new(),
    };
    match meant.is_empty() {
        false => random.pick(&meant),
        true if random.percent(25) => other().unwrap_or_else(|| random.pick(&all())),
        true => random.pick(&all()),
    }
}

/// The peers that a rule is about.
fn meant(world: &World, machine: &Machine, remote: Remote, v6: bool) -> Vec<(End, String)> {
    let within = |cidr: &str| {
        let peers = PEERS[usize::from(v6)].into_iter();
        let inside = peers.filter(move |peer| holds(cidr, peer));
        inside
            .map(|peer| (End::Fabric, peer.to_owned()))
            .collect::<Vec<_>>()
    };
    match remote {
        Remote::Anyone => Vec::new(),
        Remote::Prefix(cidr) => within(cidr),
        Remote::Addresses(at) => world.lists[at]
            .iter()
            .flat_map(|cidr| within(cidr))
            .collect(),
        Remote::Group(name) => {
            let others = world
                .others
                .iter()
                .filter(|other| other.groups.contains(&name));
            let there = others.flat_map(|other| {
                let pair = other.pair.into_iter().flat_map(within);
                let own = other.addresses[usize::from(v6)].to_owned();
                pair.chain([(End::Fabric, own)])
            });
            let machines = world.machines.iter();
            let here =
                machines.filter(|other| other.end != machine.end && other.groups.contains(&name));
            let here = here.flat_map(|other| {
                let own = other.addresses[usize::from(v6)].iter();
                own.map(|address| (other.end, address.clone()))
            });
            there.chain(here).collect()
        }
    }
}

fn holds(cidr: &str, peer: &str) -> bool {
    let host = || Some(IpNet::from(cidr.parse::<IpAddr>().ok()?));
    let net = cidr.parse().ok().or_else(host);
    let peer = peer.parse::<IpAddr>().ok();
    net.zip(peer).is_some_and(|(net, peer)| net.contains(&peer))
}
