//! A policy that permits what either of two permits.

use std::collections::BTreeSet;

use sg_common::layout::policy::{
    Grant, GrantKey, Member, MemberKey, PREFIX_KEY_BITS, Permits, Policy, PrefixKey,
};
use sg_common::memory::mask;
use sg_common::wire::addr::Address;

use crate::compile::{Collision, Ids, Rows, Services};

/// One of the two: the rows, and which policy of them.
#[derive(Clone, Copy)]
pub(super) struct Half<'a> {
    pub rows: &'a Rows,
    pub policy: u64,
}

/// The two, and the id of the policy to be made of them, which is the id of its indexes too.
pub(super) struct Either<'a> {
    pub id: u64,
    pub halves: [Half<'a>; 2],
}

impl Either<'_> {
    /// The rows of the policy.
    pub fn rows(&self, ids: &mut Ids) -> Result<Rows, Collision> {
        let mut rows = Rows::default();
        let anyone = self
            .halves
            .map(|half| half.row().map(|policy| policy.anyone));
        let policy = Policy {
            id: self.id,
            sources: self.id,
            // Its own id is the index of its sources; any other does for its CIDRs.
            cidrs: !self.id,
            ask: self
                .halves
                .iter()
                .filter_map(|half| half.row())
                .fold(0, |ask, row| ask | row.ask),
            anyone: self.union(anyone, ids, &mut rows)?,
        };
        self.add_members(&policy, ids, &mut rows)?;
        self.add_prefixes(policy.sources, |policy| policy.sources, ids, &mut rows)?;
        self.add_prefixes(policy.cidrs, |policy| policy.cidrs, ids, &mut rows)?;
        rows.policies.insert(self.id, policy);
        Ok(rows)
    }

    fn add_members(&self, to: &Policy, ids: &mut Ids, rows: &mut Rows) -> Result<(), Collision> {
        let addresses = self.halves.iter().flat_map(|half| half.members());
        let addresses: BTreeSet<_> = addresses.map(|key| key.address).collect();
        for address in addresses {
            let peers = self.halves.map(|half| half.member(address));
            let key = MemberKey {
                index: to.sources,
                address,
            };
            let peer = self.add_peer(peers, ids, rows)?;
            rows.members.insert(key, Member { key, peer });
        }
        Ok(())
    }

    fn add_prefixes(
        &self,
        index: u64,
        of: fn(&Policy) -> u64,
        ids: &mut Ids,
        rows: &mut Rows,
    ) -> Result<(), Collision> {
        let prefixes = self.halves.iter().flat_map(|half| half.prefixes(of));
        let prefixes: BTreeSet<_> = prefixes.map(|(bits, key)| (*bits, key.address)).collect();
        for (bits, address) in prefixes {
            let peers = self.halves.map(|half| half.longest(of, bits, address));
            let peer = self.add_peer(peers, ids, rows)?;
            rows.prefixes
                .insert((bits, PrefixKey { index, address }), peer);
        }
        Ok(())
    }

    /// The peer that is granted what the peers of both halves are.
    fn add_peer(
        &self,
        peers: [Option<u64>; 2],
        ids: &mut Ids,
        rows: &mut Rows,
    ) -> Result<u64, Collision> {
        let [one, other] = peers.map(|peer| peer.unwrap_or(0));
        let peer = ids.transient(b'e', &[self.id, one, other])?;
        let key = GrantKey {
            policy: self.id,
            peer,
        };
        if !rows.grants.contains_key(&key) {
            let of = |i: usize| self.halves[i].grant(peers[i]?);
            let permits = self.union([of(0), of(1)], ids, rows)?;
            rows.grants.insert(key, Grant { key, permits });
        }
        Ok(peer)
    }

    fn union(
        &self,
        permits: [Option<Permits>; 2],
        ids: &mut Ids,
        rows: &mut Rows,
    ) -> Result<Permits, Collision> {
        let [one, other] = [0, 1].map(|i| {
            let rows = self.halves[i].rows;
            permits[i]
                .map(|permits| Services::lift(&permits, rows))
                .unwrap_or_default()
        });
        other.union(&one).lower(ids, rows)
    }
}

impl<'a> Half<'a> {
    fn row(self) -> Option<&'a Policy> {
        self.rows.policies.get(&self.policy)
    }

    fn grant(self, peer: u64) -> Option<Permits> {
        let key = GrantKey {
            policy: self.policy,
            peer,
        };
        self.rows.grants.get(&key).map(|grant| grant.permits)
    }

    fn member(self, address: Address) -> Option<u64> {
        let key = MemberKey {
            index: self.row()?.sources,
            address,
        };
        self.rows.members.get(&key).map(|member| member.peer)
    }

    fn members(self) -> impl Iterator<Item = &'a MemberKey> {
        let index = self.row().map_or(0, |policy| policy.sources);
        self.rows.members_of(index).map(|(key, _)| key)
    }

    fn prefixes(self, of: fn(&Policy) -> u64) -> impl Iterator<Item = &'a (u32, PrefixKey)> {
        let index = self.row().map_or(0, of);
        self.rows.prefixes_of(index).map(|(key, _)| key)
    }

    /// The peer of the longest prefix around a prefix.
    fn longest(self, of: fn(&Policy) -> u64, bits: u32, address: Address) -> Option<u64> {
        let index = of(self.row()?);
        (PREFIX_KEY_BITS..=bits).rev().find_map(|bits| {
            let address = mask(&address, bits - PREFIX_KEY_BITS);
            self.rows
                .prefixes
                .get(&(bits, PrefixKey { index, address }))
                .copied()
        })
    }
}
