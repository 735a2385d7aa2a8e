//! Pinned maps, emptied between tests: the filter has no reason to forget a connection on request.

use std::path::Path;

use aya::Pod;
use aya::maps::{Array, HashMap, Map, MapData};
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4};
use sg_common::layout::fragment::{FragmentKey, FragmentValue};
use sg_common::layout::sweep::Room;

use crate::testrun::PinnedHash;

/// How full the table of assured IPv4 connections is, by the map of rooms.
#[must_use]
pub fn room(path: &Path) -> Room {
    let map = MapData::from_pin(path).and_then(Map::from_map_data);
    let map: Result<Array<MapData, [u32; 2]>, _> = map.and_then(Array::try_from);
    let room = map.and_then(|map| map.get(&0, 0));
    let [used, capacity] = room.unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()));
    Room { used, capacity }
}

/// Removes every entry of a flow table, or of the tables of all ports.
pub fn clear(path: &Path) {
    const FLOW: usize = size_of::<Flow>();
    const NARROW: usize = size_of::<FlowKey4>();
    const WIDE: usize = size_of::<FlowKey>();
    const FRAGMENT: usize = size_of::<FragmentKey>();

    match path.file_name().and_then(|name| name.to_str()) {
        Some("flows4") => PinnedHash::<NARROW, FLOW>::open(path).clear(),
        Some("flows6") => PinnedHash::<WIDE, FLOW>::open(path).clear(),
        Some("embryos4") => empty::<NARROW, FLOW>(path),
        Some("embryos6") => empty::<WIDE, FLOW>(path),
        Some("fragments") => empty::<FRAGMENT, { size_of::<FragmentValue>() }>(path),
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
    let key: FlowKey4 = bytemuck::cast(*key);
    for copy in 0..copies {
        let remote = (0x0a80_0000 + copy).to_be_bytes();
        let key: [u8; NARROW] = bytemuck::cast(FlowKey4 { remote, ..key });
        map.insert(key, flow, 0)
            .unwrap_or_else(|e| panic!("cannot add a connection: {e}"));
    }
}

fn empty<const K: usize, const V: usize>(path: &Path) {
    PinnedHash::<K, V>::within(path)
        .values_mut()
        .for_each(PinnedHash::clear);
}

fn open<K: Pod, V: Pod>(path: &Path) -> HashMap<MapData, K, V> {
    let shown = path.display();
    let data = MapData::from_pin(path).unwrap_or_else(|e| panic!("cannot open {shown}: {e}"));
    let map = Map::from_map_data(data).unwrap_or_else(|e| panic!("{shown}: {e}"));
    map.try_into().unwrap_or_else(|e| panic!("{shown}: {e}"))
}

/// The numbers of an array.
pub fn numbers(path: &Path) -> Vec<u32> {
    let shown = path.display();
    let data = MapData::from_pin(path).unwrap_or_else(|e| panic!("cannot open {shown}: {e}"));
    let map = Map::from_map_data(data).unwrap_or_else(|e| panic!("{shown}: {e}"));
    let map: Array<_, u32> = map.try_into().unwrap_or_else(|e| panic!("{shown}: {e}"));
    map.iter()
        .map(|number| number.unwrap_or_else(|e| panic!("cannot read {shown}: {e}")))
        .collect()
}
