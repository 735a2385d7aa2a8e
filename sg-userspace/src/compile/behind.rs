//! Which rules stand behind a row, where it has permitted something.

use std::net::IpAddr;

use ipnet::IpNet;
use sg_common::layout::hit::{HitKey, way};
use sg_common::wire::addr::Family;

use super::{Compilation, Source, Who, every_way};
use crate::model::{Inventory, Matches, Port, Remote, Rule, protocol};

impl Compilation {
    /// The rules of a port that may have permitted what was counted of a row: those that name the peer of the
    /// row, and what of it has permitted something. Of a row that is not known any more, the peer or the
    /// direction may not be: then it is rather too many.
    pub fn behind<'a>(
        &self,
        inventory: &'a Inventory,
        port: &'a Port,
        row: &HitKey,
    ) -> Vec<&'a Rule> {
        let of = self.compiled().policies.get(&row.policy);
        let ways = every_way().filter(|way| of.is_none_or(|of| (of.direction, of.family) == *way));
        let rules =
            ways.flat_map(|(direction, family)| inventory.rules(&port.groups, direction, family));
        let who = match row.peer {
            0 => Some(Who::Anyone),
            peer => self.who(peer),
        };
        let names = |rule: &Rule| who.as_ref().is_none_or(|who| names(rule.remote, who));
        rules
            .filter(|rule| names(rule) && permits(rule, row))
            .collect()
    }
}

/// Whether a rule is one of those whose union the row of a peer is.
fn names(remote: Remote, who: &Who) -> bool {
    match (remote, who) {
        (Remote::Anyone, Who::Anyone) => true,
        (Remote::Prefix(net), Who::Anyone) => net.prefix_len() == 0,
        (Remote::Prefix(net), Who::Net(inner)) => net.prefix_len() > 0 && net.contains(inner),
        (Remote::Group(id), Who::Sources(sources)) => sources.contains(&Source::Group(id)),
        (Remote::AddressGroup(id), Who::Sources(sources)) => {
            sources.contains(&Source::AddressGroup(id))
        }
        _ => false,
    }
}

/// Whether what of the row has permitted something is of the rule. What permits a protocol whole takes the
/// ports of it out of the row.
fn permits(rule: &Rule, row: &HitKey) -> bool {
    let within = |low: u16, high: u16| low <= row.high && row.low <= high;
    match (row.way, rule.matches) {
        (way::PROTOCOL, Matches::Any) => true,
        (way::PROTOCOL, Matches::Protocol(number)) => number == row.protocol,
        (way::PORTS, Matches::Ports(protocol, range)) => {
            protocol.number() == row.protocol && within(range.low(), range.high())
        }
        (way::PORTS, Matches::Icmp { kind, code }) => {
            let (low, high) = code.map_or((0, u8::MAX), |code| (code, code));
            let number = |code| u16::from_be_bytes([kind, code]);
            protocol::icmp(rule.ethertype) == row.protocol && within(number(low), number(high))
        }
        (way::PAIRS, Matches::Pairs(protocol, _)) => protocol.number() == row.protocol,
        _ => false,
    }
}

/// Whether all that a rule permits is permitted by another as well, so that nothing changes without it.
pub fn covers(wider: &Rule, rule: &Rule) -> bool {
    let services = |rule: &Rule| super::Services::of([rule.matches]);
    (wider.direction, wider.ethertype) == (rule.direction, rule.ethertype)
        && is_for_all_of(wider, rule)
        && services(wider).covers(&services(rule))
}

fn is_for_all_of(wider: &Rule, rule: &Rule) -> bool {
    match (wider.remote, rule.remote) {
        (Remote::Anyone, _) => true,
        (Remote::Prefix(net), _) if net.prefix_len() == 0 => true,
        (Remote::Prefix(net), Remote::Prefix(inner)) => net.contains(&inner),
        (one, other) => one == other,
    }
}

/// What the bytes of a peer's id say.
pub(super) fn decode(content: &[u8]) -> Option<Who> {
    const ID: usize = 17;
    let (kind, rest) = content.split_first()?;
    match kind {
        b's' => {
            let sources = rest.chunks_exact(ID).map(Source::of_bytes);
            sources.collect::<Option<_>>().map(Who::Sources)
        }
        b'c' => {
            let (&[length, family], octets) = rest.split_first_chunk()?;
            let octets: [u8; 16] = octets.try_into().ok()?;
            let address = sg_common::wire::addr::Address::new(octets);
            let family = Family::ALL.into_iter().find(|one| *one as u8 == family)?;
            let address: IpAddr = sg_common::wire::addr::to_ip(&address, family);
            IpNet::new(address, length).ok().map(Who::Net)
        }
        _ => None,
    }
}
