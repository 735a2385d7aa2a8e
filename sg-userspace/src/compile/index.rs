//! Group indexes: who belongs to which of a set of remote groups and address groups.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use sg_common::layout::policy::{Member, MemberKey, PREFIX_KEY_BITS, PrefixKey};
use sg_common::wire::addr::{Family, from_ip};

use super::ids::{Collision, Ids, Source, prefix};
use super::image::Rows;
use super::nested;
use crate::model::address;
use crate::model::{GroupId, Inventory, Port};

/// The addresses of every source, gathered once.
pub(super) struct Sources<'a> {
    inventory: &'a Inventory,
    members: BTreeMap<GroupId, Vec<&'a Port>>,
}

/// One index.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    /// Its peers, and the sources that each stands for.
    pub peers: BTreeMap<u64, Vec<Source>>,
    /// Its rows of `members` and `prefixes`.
    pub rows: Rows,
}

impl<'a> Sources<'a> {
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut members = BTreeMap::<_, Vec<_>>::new();
        for port in inventory.ports.values() {
            for group in &port.groups {
                members.entry(*group).or_default().push(port);
            }
        }
        Self { inventory, members }
    }

    fn addresses(&self, source: Source, family: Family) -> Vec<IpNet> {
        let mut nets: Vec<IpNet> = match source {
            Source::Group(id) => {
                let ports = self.members.get(&id).map(Vec::as_slice).unwrap_or_default();
                ports.iter().flat_map(|port| port.addresses()).collect()
            }
            Source::AddressGroup(id) => {
                let group = self.inventory.address_groups.get(&id);
                group
                    .map(|group| group.addresses.clone())
                    .unwrap_or_default()
            }
        };
        nets.retain(|net| address::family(net) == family);
        nets
    }

    /// The index of a set of sources.
    pub fn index(
        &self,
        id: u64,
        sources: &[Source],
        family: Family,
        ids: &mut Ids,
    ) -> Result<Index, Collision> {
        let mut holders = BTreeMap::<IpNet, BTreeSet<Source>>::new();
        for source in sources {
            for net in self.addresses(*source, family) {
                holders.entry(net).or_default().insert(*source);
            }
        }
        let (hosts, nets): (BTreeMap<_, _>, BTreeMap<_, _>) = holders
            .into_iter()
            .partition(|(net, _)| net.prefix_len() == net.max_prefix_len());
        let mut index = Index::default();
        for (net, holders) in hosts {
            let key = MemberKey {
                index: id,
                address: from_ip(&net.addr()),
            };
            let peer = index.peer(holders, ids)?;
            index.rows.members.insert(key, Member { key, peer });
        }
        for (net, holders) in nested::inherit(nets) {
            let (bits, address) = prefix(&net);
            let peer = index.peer(holders, ids)?;
            let key = PrefixKey { index: id, address };
            index
                .rows
                .prefixes
                .insert((PREFIX_KEY_BITS + bits, key), peer);
        }
        Ok(index)
    }
}

impl Index {
    fn peer(&mut self, holders: BTreeSet<Source>, ids: &mut Ids) -> Result<u64, Collision> {
        let holders: Vec<_> = holders.into_iter().collect();
        let peer = ids.peer(&holders)?;
        self.peers.entry(peer).or_insert(holders);
        Ok(peer)
    }
}
