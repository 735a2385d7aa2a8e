//! Conversations between a machine and a peer, aimed at a rule.

mod datagram;
mod fragment;
mod link;
mod neighbor;
mod odd;
mod tcp;

use super::rule::{Rule, is_icmp};
use super::talk::Talk;
use super::world::{Machine, World};
use crate::packet::Packet;
use crate::parity::random::Random;
use crate::parity::scenario::Step;

/// The steps of one conversation.
pub fn steps(world: &World, random: &mut Random) -> Vec<Step> {
    let machine = random.pick(&world.machines);
    let mut steps = match random.below(100) {
        0..6 => link::steps(&machine, random),
        6..14 => neighbor::steps(&machine, random),
        _ => spoken(world, &machine, random),
    };
    // A lost frame, or one that comes twice.
    if steps.len() > 1 && random.percent(15) {
        let at = random.below(steps.len());
        match random.percent(50) {
            true => drop(steps.remove(at)),
            false => steps.insert(at, steps[at].clone()),
        }
    }
    steps
}

/// A conversation over IP about the ports of a rule, or beside them.
fn spoken(world: &World, machine: &Machine, random: &mut Random) -> Vec<Step> {
    let own = world.rules_of(machine);
    let all: Vec<&Rule> = world.groups.iter().flat_map(|group| &group.rules).collect();
    let rules = if own.is_empty() || random.percent(15) {
        all
    } else {
        own
    };
    let aim = (!rules.is_empty() && random.percent(85)).then(|| random.pick(&rules));
    let v6 = aim.map_or_else(|| random.percent(40), |rule| rule.v6);
    let ingress = aim.map_or_else(|| random.percent(60), |rule| rule.ingress);
    let mut protocol = aim.map_or(0, |rule| rule.protocol);
    if protocol == 0 || random.percent(8) {
        let icmp = if v6 { 58 } else { 1 };
        protocol = random.pick(&[6, 6, 17, 17, icmp, 47, 50, 253, 132]);
    }
    let (low, high) = aim.and_then(|rule| rule.range).unwrap_or((80, 443));
    let (below, above) = (low.saturating_sub(1), high.saturating_add(1));
    let edges = [low, high, low, high, below, above, 80];
    let port = random.pick(&edges);
    let talk = Talk::random(world, machine, random, (v6, !ingress, port), aim);
    match (protocol, random.below(100)) {
        (6 | 17, 0..8) => fragment::steps(&talk.to_one(machine), protocol, random),
        (other, 8..14) if !matches!(other, 33 | 132) => odd::steps(&talk, protocol, random),
        (6, _) => tcp::steps(&talk, random),
        (17 | 136, _) => datagram::udp_steps(&talk, protocol, random),
        (icmp, _) if is_icmp(icmp) && v6 == (icmp == 58) => {
            datagram::icmp_steps(&talk, (low, high), random)
        }
        _ => datagram::plain_steps(&talk, protocol, random),
    }
}

/// The first packet of a conversation of a protocol, or the answer to it.
fn packet(talk: &Talk, protocol: u8, first: bool) -> Packet {
    let (a, b) = talk.endpoints(first);
    match protocol {
        6 if first => crate::packet::tcp(&a, &b).syn().sequence(1000, 0),
        6 => crate::packet::tcp(&a, &b).syn_ack().sequence(5000, 1001),
        17 => crate::packet::udp(&a, &b).payload(&[7; 120]),
        136 => crate::packet::udplite(&a, &b).payload(&[7; 120]),
        132 => crate::packet::sctp(&a, &b),
        33 => crate::packet::dccp(&a, &b),
        1 | 58 if talk.v6 == (protocol == 58) => {
            let (a, b) = talk.addresses(first);
            match first {
                true => crate::packet::icmp_echo(&a, &b),
                false => crate::packet::icmp_echo_reply(&a, &b),
            }
        }
        number => {
            let (a, b) = talk.addresses(first);
            crate::packet::protocol(number, &a, &b).payload(&[0; 32])
        }
    }
}
