//! Group indexes: who belongs to which of a set of remote groups and address groups.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use sg_common::layout::policy::{Member, MemberKey, PREFIX_KEY_BITS, PrefixKey, ask};
use sg_common::wire::addr::{Family, from_ip};
use uuid::Uuid;

use super::ids::{Collision, Ids, Source, prefix};
use super::image::Rows;
use super::nested;
use crate::model::address;
use crate::model::{GroupId, Inventory, Port};

/// The addresses of every source, gathered once, when one is asked for.
pub(super) struct Sources<'a> {
    /// The inventory that they are of.
    pub inventory: &'a Inventory,
    holders: OnceCell<BTreeMap<GroupId, Vec<&'a Port>>>,
}

/// One index; its rows are in the image.
#[derive(Clone, Debug)]
pub(super) struct Index {
    /// The sources, in the order of their ids.
    sources: Vec<Source>,
    family: Family,
    /// Its peers: the sources that each stands for, and how many rows it has.
    peers: BTreeMap<u64, (Vec<Source>, usize)>,
    members: usize,
    prefixes: usize,
}

/// What of an index the grants of policies hang on.
#[derive(PartialEq, Eq)]
pub(super) struct Shape {
    peers: Vec<u64>,
    ask: u64,
}

impl<'a> Sources<'a> {
    pub fn of(inventory: &'a Inventory) -> Self {
        Self {
            inventory,
            holders: OnceCell::new(),
        }
    }

    fn holders(&self, group: GroupId) -> &[&'a Port] {
        let holders = self.holders.get_or_init(|| {
            let mut holders = BTreeMap::<_, Vec<_>>::new();
            for port in self.inventory.ports.values() {
                for group in &port.groups {
                    holders.entry(*group).or_default().push(port);
                }
            }
            holders
        });
        holders.get(&group).map(Vec::as_slice).unwrap_or_default()
    }

    fn addresses(&self, source: Source, family: Family) -> Vec<IpNet> {
        match source {
            Source::Group(id) => {
                let ports = self.holders(id).iter();
                let nets = ports.flat_map(|port| port.addresses());
                let nets = nets.chain(self.inventory.given(id.0));
                nets.filter(|net| address::family(net) == family).collect()
            }
            Source::AddressGroup(id) => self.inventory.addresses(id, family).collect(),
        }
    }

    /// Whether an address is one of a source.
    fn holds(&self, source: Source, net: &IpNet) -> bool {
        let given = self.inventory.given.get(&source.id());
        given.is_some_and(|given| given.contains(net))
            || match source {
                Source::Group(id) => {
                    let mut ports = self.holders(id).iter();
                    ports.any(|port| port.addresses().any(|own| own == *net))
                }
                Source::AddressGroup(id) => {
                    let group = self.inventory.address_groups.get(&id);
                    group.is_some_and(|group| group.addresses.contains(net))
                }
            }
    }

    /// The index of a set of sources, and its rows.
    pub fn index(
        &self,
        id: u64,
        sources: &[Source],
        family: Family,
        ids: &mut Ids,
    ) -> Result<(Index, Rows), Collision> {
        let mut index = Index {
            sources: sources.to_vec(),
            family,
            peers: BTreeMap::new(),
            members: 0,
            prefixes: 0,
        };
        let mut rows = Rows::default();
        let of = |source: &Source| self.addresses(*source, family);
        let mut held: Vec<(IpNet, Source)> = sources
            .iter()
            .flat_map(|source| of(source).into_iter().map(|net| (net, *source)))
            .collect();
        held.sort_unstable();
        held.dedup();
        let mut nets = BTreeMap::new();
        for held in held.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((net, _)) = held.first() else {
                continue;
            };
            let holders = held.iter().map(|(_, source)| *source);
            if is_host(net) {
                index.add_member(id, net, holders.collect(), ids, &mut rows)?;
            } else {
                nets.insert(*net, holders.collect());
            }
        }
        index.add_prefixes(id, nets, ids, &mut rows)?;
        Ok((index, rows))
    }
}

fn is_host(net: &IpNet) -> bool {
    net.prefix_len() == net.max_prefix_len()
}

impl Index {
    /// Its peers, and the sources that each stands for.
    pub fn peers(&self) -> impl Iterator<Item = (u64, &[Source])> {
        let peers = self.peers.iter();
        peers.map(|(peer, (sources, _))| (*peer, &**sources))
    }

    /// What there is to ask of it: bits of [`ask`].
    pub fn ask(&self) -> u64 {
        let members = if self.members == 0 { 0 } else { ask::MEMBERS };
        let prefixes = if self.prefixes == 0 {
            0
        } else {
            ask::SOURCE_PREFIXES
        };
        members | prefixes
    }

    pub fn shape(&self) -> Shape {
        Shape {
            peers: self.peers.keys().copied().collect(),
            ask: self.ask(),
        }
    }

    /// Brings the rows of some members to what they are now; returns the old ones and the new ones.
    pub fn update(
        &mut self,
        id: u64,
        touched: &BTreeMap<Uuid, BTreeSet<IpNet>>,
        sources: &Sources<'_>,
        image: &Rows,
        ids: &mut Ids,
    ) -> Result<(Rows, Rows), Collision> {
        let (mut old, mut new) = (Rows::default(), Rows::default());
        let own = self
            .sources
            .iter()
            .filter_map(|source| touched.get(&source.id()));
        let nets: BTreeSet<_> = own
            .flatten()
            .filter(|net| address::family(net) == self.family)
            .copied()
            .collect();
        let (hosts, nets): (Vec<_>, Vec<_>) = nets.into_iter().partition(is_host);
        for net in &hosts {
            let key = member_key(id, net);
            if let Some(member) = image.members.get(&key) {
                old.members.insert(key, *member);
                self.members -= 1;
                self.leave(member.peer);
            }
            let own = self.sources.clone().into_iter();
            let holders: Vec<_> = own.filter(|source| sources.holds(*source, net)).collect();
            if !holders.is_empty() {
                self.add_member(id, net, holders, ids, &mut new)?;
            }
        }
        if !nets.is_empty() {
            for (key, peer) in image.prefixes_of(id) {
                old.prefixes.insert(*key, *peer);
                self.prefixes -= 1;
                self.leave(*peer);
            }
            let mut nets = BTreeMap::<_, BTreeSet<_>>::new();
            for source in self.sources.clone() {
                let addresses = sources.addresses(source, self.family);
                for net in addresses.into_iter().filter(|net| !is_host(net)) {
                    nets.entry(net).or_default().insert(source);
                }
            }
            self.add_prefixes(id, nets, ids, &mut new)?;
        }
        Ok((old, new))
    }

    fn add_member(
        &mut self,
        id: u64,
        net: &IpNet,
        holders: Vec<Source>,
        ids: &mut Ids,
        rows: &mut Rows,
    ) -> Result<(), Collision> {
        let key = member_key(id, net);
        let peer = self.peer(holders, ids)?;
        rows.members.insert(key, Member { key, peer });
        self.members += 1;
        Ok(())
    }

    fn add_prefixes(
        &mut self,
        id: u64,
        nets: BTreeMap<IpNet, BTreeSet<Source>>,
        ids: &mut Ids,
        rows: &mut Rows,
    ) -> Result<(), Collision> {
        for (net, holders) in nested::inherit(nets) {
            let (bits, address) = prefix(&net);
            let peer = self.peer(holders.into_iter().collect(), ids)?;
            let key = PrefixKey { index: id, address };
            rows.prefixes.insert((PREFIX_KEY_BITS + bits, key), peer);
            self.prefixes += 1;
        }
        Ok(())
    }

    fn peer(&mut self, holders: Vec<Source>, ids: &mut Ids) -> Result<u64, Collision> {
        let peer = ids.peer(&holders)?;
        self.peers.entry(peer).or_insert((holders, 0)).1 += 1;
        Ok(peer)
    }

    /// A row of a peer is gone.
    fn leave(&mut self, peer: u64) {
        if let Some((_, rows)) = self.peers.get_mut(&peer) {
            *rows -= 1;
            if *rows == 0 {
                self.peers.remove(&peer);
            }
        }
    }
}

fn member_key(index: u64, net: &IpNet) -> MemberKey {
    MemberKey {
        index,
        address: from_ip(&net.addr()),
    }
}
