//! Ids of rows: hashes of what they stand for.
//!
//! The same inventory gives the same ids on every run, so a restarted daemon finds its rows in the
//! pinned maps as it left them.

use std::collections::HashMap;
use std::hash::Hasher;

use ipnet::IpNet;
use sg_common::hook::Direction;
use sg_common::layout::policy::PortPair;
use sg_common::wire::addr::{Address, Family, from_ip};
use siphasher::sip::SipHasher24;
use uuid::Uuid;

use super::ranges::RangeSet;
use crate::model::{AddressGroupId, GroupId};

/// A source of addresses that rules can name: an element of a group index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The members of a security group.
    Group(GroupId),
    /// The addresses of an address group.
    AddressGroup(AddressGroupId),
}

/// Two different things have one id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Collision(pub u64);

/// Gives out ids, and remembers for what.
#[derive(Clone, Debug)]
pub(crate) struct Ids {
    hash: fn(&[u8]) -> u64,
    content: HashMap<u64, Vec<u8>>,
}

impl Default for Ids {
    fn default() -> Self {
        Self::hashing(siphash)
    }
}

impl Ids {
    pub fn hashing(hash: fn(&[u8]) -> u64) -> Self {
        Self {
            hash,
            content: HashMap::new(),
        }
    }

    /// A policy: the groups, in the order of their ids, for one direction and family.
    pub fn policy(
        &mut self,
        groups: &[GroupId],
        direction: Direction,
        family: Family,
    ) -> Result<u64, Collision> {
        let head = [b'p', direction as u8, family as u8];
        self.id(head
            .into_iter()
            .chain(groups.iter().flat_map(|group| *group.0.as_bytes())))
    }

    /// The index of a set of sources, in the order of their ids.
    pub fn index(&mut self, sources: &[Source], family: Family) -> Result<u64, Collision> {
        let head = [b'i', family as u8];
        self.id(head
            .into_iter()
            .chain(sources.iter().flat_map(|source| source.bytes())))
    }

    /// The peer that belongs to a set of sources, in the order of their ids.
    pub fn peer(&mut self, sources: &[Source]) -> Result<u64, Collision> {
        self.id([b's']
            .into_iter()
            .chain(sources.iter().flat_map(|source| source.bytes())))
    }

    /// The peer that belongs to a CIDR of a rule.
    pub fn cidr(&mut self, net: &IpNet) -> Result<u64, Collision> {
        let head = [b'c', net.prefix_len(), Family::of(&net.addr()) as u8];
        self.id(head.into_iter().chain(from_ip(&net.addr()).octets()))
    }

    /// A set of ports.
    pub fn port_set(&mut self, ports: &RangeSet) -> Result<u64, Collision> {
        let ends = ports
            .ranges()
            .iter()
            .flat_map(|range| [range.low(), range.high()]);
        self.id([b'r'].into_iter().chain(ends.flat_map(u16::to_be_bytes)))
    }

    /// Pairs of ports, each with the number of its protocol.
    pub fn port_pairs(&mut self, pairs: &[PortPair]) -> Result<u64, Collision> {
        self.id([b'q']
            .into_iter()
            .chain(bytemuck::cast_slice(pairs).iter().copied()))
    }

    /// Something that only a transition needs, of a kind, made from a few numbers.
    pub fn transient(&mut self, kind: u8, numbers: &[u64]) -> Result<u64, Collision> {
        let numbers = numbers.iter().flat_map(|number| number.to_be_bytes());
        self.id([b't', kind].into_iter().chain(numbers))
    }

    /// What an id was made of.
    pub fn content(&self, id: u64) -> Option<&[u8]> {
        self.content.get(&id).map(Vec::as_slice)
    }

    fn id(&mut self, content: impl Iterator<Item = u8>) -> Result<u64, Collision> {
        let content: Vec<u8> = content.collect();
        let id = (self.hash)(&content);
        // 0 means none.
        if id == 0 || *self.content.entry(id).or_insert_with(|| content.clone()) != content {
            return Err(Collision(id));
        }
        Ok(id)
    }
}

impl Source {
    /// The id of the group, of whichever kind.
    pub fn id(self) -> Uuid {
        match self {
            Self::Group(id) => id.0,
            Self::AddressGroup(id) => id.0,
        }
    }

    /// The source that has these [`Self::bytes`].
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, id) = bytes.split_first()?;
        let id = Uuid::from_slice(id).ok()?;
        match kind {
            b'g' => Some(Self::Group(GroupId(id))),
            b'a' => Some(Self::AddressGroup(AddressGroupId(id))),
            _ => None,
        }
    }

    fn bytes(self) -> [u8; 17] {
        let (kind, id) = match self {
            Self::Group(id) => (b'g', id.0),
            Self::AddressGroup(id) => (b'a', id.0),
        };
        let mut bytes = [kind; 17];
        bytes[1..].copy_from_slice(id.as_bytes());
        bytes
    }
}

fn siphash(content: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(content);
    hasher.finish()
}

/// The 16-byte form of a CIDR and how many of its bits count.
pub(crate) fn prefix(net: &IpNet) -> (u32, Address) {
    let bits = match net {
        IpNet::V4(_) => sg_common::wire::addr::V4_PREFIX_BITS,
        IpNet::V6(_) => 0,
    };
    (bits + u32::from(net.prefix_len()), from_ip(&net.addr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_things_never_share_an_id_unnoticed() {
        let mut ids = Ids::hashing(|content| content.len() as u64);
        let one = "10.0.0.0/24".parse().unwrap();
        let other = "10.0.1.0/24".parse().unwrap();
        let id = ids.cidr(&one).unwrap();
        assert_eq!(ids.cidr(&one), Ok(id));
        assert_eq!(ids.cidr(&other), Err(Collision(id)));
    }

    #[test]
    fn an_id_is_never_zero() {
        let mut ids = Ids::hashing(|_| 0);
        assert_eq!(ids.cidr(&"10.0.0.0/24".parse().unwrap()), Err(Collision(0)));
    }

    #[test]
    fn ids_are_the_same_on_every_run() {
        // A change here makes every daemon rewrite its maps at its next start.
        let id = Ids::default().cidr(&"10.0.0.0/24".parse().unwrap());
        assert_eq!(id, Ok(4_402_273_804_474_911_277));
    }
}
