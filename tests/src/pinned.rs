//! Pinned maps, emptied between tests: the filter has no reason to forget a connection on request.

use std::marker::PhantomData;
use std::path::Path;

use aya::Pod;
use aya::maps::{Array, HashMap, Map, MapData};
use bytemuck::{bytes_of, cast, pod_read_unaligned};
use sg_common::layout::fair::{
    Datagram, Embryo4, Embryo6, Entry, Seeds, Share, Tag, WAYS, bucket, hash,
};
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4};
use sg_common::layout::maps::name;
use sg_common::layout::sweep::Room;

/// How full the table of assured IPv4 connections is, by the map of rooms.
#[must_use]
pub fn room(path: &Path) -> Room {
    let map = MapData::from_pin(path).and_then(Map::from_map_data);
    let map: Result<Array<MapData, [u32; 2]>, _> = map.and_then(Array::try_from);
    let room = map.and_then(|map| map.get(&0, 0));
    let [used, capacity] = room.unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    Room { used, capacity }
}

/// Removes every entry of a flow table or of the table of fragments.
pub fn clear(path: &Path) {
    const FLOW: usize = size_of::<Flow>();
    const NARROW: usize = size_of::<FlowKey4>();
    const WIDE: usize = size_of::<FlowKey>();

    match path.file_name().and_then(|name| name.to_str()) {
        Some("flows4") => empty::<[u8; NARROW], [u8; FLOW]>(path),
        Some("flows6") => empty::<[u8; WIDE], [u8; FLOW]>(path),
        Some("embryos4") => PinnedEmbryos4::open(path).clear(),
        Some("embryos6") => PinnedEmbryos6::open(path).clear(),
        Some("fragments") => PinnedFragments::open(path).clear(),
        _ => panic!("{} is no table that may be emptied", path.display()),
    }
}

/// Adds copies of the only entry of the table of assured IPv4 connections, each with another address at the
/// other side.
pub fn multiply(flows4: &Path, copies: u32) {
    const FLOW: usize = size_of::<Flow>();
    const NARROW: usize = size_of::<FlowKey4>();

    let mut map = open::<[u8; NARROW], [u8; FLOW]>(flows4);
    let entries: Vec<_> = map.iter().filter_map(Result::ok).collect();
    let [(key, flow)] = entries.as_slice() else {
        panic!("{} has {} entries", flows4.display(), entries.len());
    };
    let key: FlowKey4 = cast(*key);
    for copy in 0..copies {
        let remote = (0x0a80_0000 + copy).to_be_bytes();
        let key: [u8; NARROW] = cast(FlowKey4 { remote, ..key });
        map.insert(key, flow, 0)
            .unwrap_or_else(|e| panic!("cannot add a connection: {e}"));
    }
}

fn empty<K: Pod, V: Pod>(path: &Path) {
    let mut map = open::<K, V>(path);
    // An entry that the kernel removes meanwhile is gone as well.
    let keys: Vec<K> = map.keys().filter_map(Result::ok).collect();
    for key in keys {
        let _ = map.remove(&key);
    }
}

fn open<K: Pod, V: Pod>(path: &Path) -> HashMap<MapData, K, V> {
    let shown = path.display();
    let data = MapData::from_pin(path).unwrap_or_else(|e| panic!("cannot open {shown}: {e}"));
    let map = Map::from_map_data(data).unwrap_or_else(|e| panic!("{shown}: {e}"));
    map.try_into().unwrap_or_else(|e| panic!("{shown}: {e}"))
}

/// A pinned fair table. It is written here as no program does: while nothing else writes it.
pub struct PinnedFair<E, const SIZE: usize> {
    entries: Array<MapData, [u8; SIZE]>,
    tags: Array<MapData, [u64; WAYS]>,
    shares: Array<MapData, [u32; SHARE]>,
    seeds: Seeds,
    of: PhantomData<E>,
}

/// The table of IPv4 connections that are not assured.
pub type PinnedEmbryos4 = PinnedFair<Embryo4, { size_of::<Embryo4>() }>;

/// The table of IPv6 connections that are not assured.
pub type PinnedEmbryos6 = PinnedFair<Embryo6, { size_of::<Embryo6>() }>;

/// The table of fragments.
pub type PinnedFragments = PinnedFair<Datagram, { size_of::<Datagram>() }>;

/// Numbers of a [`Share`].
const SHARE: usize = size_of::<Share>() / 4;

impl<E: Entry, const SIZE: usize> PinnedFair<E, SIZE> {
    /// Opens it, with the maps beside it that go with it.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self {
            entries: array(path),
            tags: array(&path.with_file_name(name::TAGS)),
            shares: array(&path.with_file_name(name::SHARES)),
            seeds: seeds(&path.with_file_name(name::SEEDS)),
            of: PhantomData,
        }
    }

    /// What is stored.
    #[must_use]
    pub fn stored(&self) -> Vec<(E::Key, E::Value)> {
        (0..self.buckets())
            .flat_map(|bucket| self.places(bucket))
            .map(|place| self.entry(place).parts())
            .collect()
    }

    /// What is stored under a key.
    #[must_use]
    pub fn get(&self, key: &E::Key) -> Option<E::Value> {
        Some(self.entry(self.place(key)?).parts().1)
    }

    /// Gives a key that is stored another value, or removes it. One that is not is left alone.
    pub fn change(&mut self, key: &E::Key, value: Option<&E::Value>) {
        let Some(place) = self.place(key) else {
            return;
        };
        match value {
            Some(value) => {
                let mut entry = [0; SIZE];
                entry[..size_of::<E::Key>()].copy_from_slice(bytes_of(key));
                entry[size_of::<E::Key>()..].copy_from_slice(bytes_of(value));
                let written = self.entries.set(place, entry, 0);
                written.unwrap_or_else(|e| panic!("cannot write an entry: {e}"));
            }
            None => {
                let (bucket, way) = (place / WAYS as u32, place as usize % WAYS);
                let mut tags = self.tags(bucket);
                tags[way] = Tag::EMPTY.0;
                self.set_tags(bucket, tags);
                self.count(E::slot(key), |held| held - 1);
            }
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        for bucket in 0..self.buckets() {
            if self.tags(bucket) != [Tag::EMPTY.0; WAYS] {
                self.set_tags(bucket, [Tag::EMPTY.0; WAYS]);
            }
        }
        for slot in 0..self.shares.len() {
            self.count(slot, |_| 0);
        }
    }

    fn buckets(&self) -> u32 {
        self.seeds.buckets[E::TABLE.index()]
    }

    /// Where a key is stored.
    fn place(&self, key: &E::Key) -> Option<u32> {
        let bucket = bucket(hash(key, &self.seeds), self.buckets());
        let is_here = |place: &u32| bytes_of(&self.entry(*place).parts().0) == bytes_of(key);
        self.places(bucket).into_iter().find(is_here)
    }

    /// The places of a bucket where something is stored.
    fn places(&self, bucket: u32) -> Vec<u32> {
        let tags = self.tags(bucket).into_iter().zip(bucket * WAYS as u32..);
        tags.filter(|(tag, _)| Tag(*tag).is_live())
            .map(|(_, place)| place)
            .collect()
    }

    fn entry(&self, place: u32) -> E {
        let entry = self.entries.get(&place, 0);
        pod_read_unaligned(&entry.unwrap_or_else(|e| panic!("cannot read an entry: {e}")))
    }

    fn tags(&self, bucket: u32) -> [u64; WAYS] {
        let index = self.seeds.first[E::TABLE.index()] + bucket;
        let tags = self.tags.get(&index, 0);
        tags.unwrap_or_else(|e| panic!("cannot read tags: {e}"))
    }

    fn set_tags(&mut self, bucket: u32, tags: [u64; WAYS]) {
        let index = self.seeds.first[E::TABLE.index()] + bucket;
        let written = self.tags.set(index, tags, 0);
        written.unwrap_or_else(|e| panic!("cannot write tags: {e}"));
    }

    fn count(&mut self, slot: u32, change: impl Fn(u32) -> u32) {
        let share = self.shares.get(&slot, 0);
        let share = share.unwrap_or_else(|e| panic!("cannot read a share: {e}"));
        let mut share: Share = cast(share);
        let held = &mut share.fair[E::TABLE.index()];
        let changed = change(*held);
        if changed != *held {
            *held = changed;
            let written = self.shares.set(slot, cast::<_, [u32; SHARE]>(share), 0);
            written.unwrap_or_else(|e| panic!("cannot write a share: {e}"));
        }
    }
}

/// What each slot has in the tables that ports share.
#[must_use]
pub fn shares(path: &Path) -> Vec<Share> {
    let map: Array<MapData, [u32; SHARE]> = array(path);
    map.iter()
        .map(|share| cast(share.unwrap_or_else(|e| panic!("cannot read a share: {e}"))))
        .collect()
}

fn seeds(path: &Path) -> Seeds {
    let map: Array<MapData, [u8; size_of::<Seeds>()]> = array(path);
    pod_read_unaligned(
        &map.get(&0, 0)
            .unwrap_or_else(|e| panic!("cannot read the seeds: {e}")),
    )
}

fn array<T: Pod>(path: &Path) -> Array<MapData, T> {
    let shown = path.display();
    let data = MapData::from_pin(path).unwrap_or_else(|e| panic!("cannot open {shown}: {e}"));
    let map = Map::from_map_data(data).unwrap_or_else(|e| panic!("{shown}: {e}"));
    map.try_into().unwrap_or_else(|e| panic!("{shown}: {e}"))
}
