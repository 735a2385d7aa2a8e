//! Places in the tables for ports that have no interface here at the moment.
//!
//! A port keeps its slot, and so its connections, as long as it is in the inventory: they can be exported
//! when its interface is gone, and imported before it has come.

use std::collections::BTreeMap;

use sg_common::layout::port::PortKey;

use super::enforce::Places;
use crate::{
    compile::Limits,
    model::{Inventory, PortId},
    plan::State,
};

/// The parked are no more than this part of all ports.
const SHARE: u32 = 4;

/// The places of the ports of an inventory that have no interface: of those that the tables know, and of one
/// that is expected. If they are too many, the longest parked lose theirs.
pub fn parked(
    state: &State,
    inventory: &Inventory,
    places: &Places,
    expected: Option<PortId>,
    limits: &Limits,
) -> BTreeMap<PortId, PortKey> {
    let is_away = |id: &PortId| inventory.ports.contains_key(id) && !places.contains_key(id);
    let known = state.ports.iter().map(|(key, port)| {
        let id = PortId(uuid::Uuid::from_bytes(port.uuid));
        (id, key.is_parked().then_some(*key))
    });
    let expected = expected.map(|id| (id, None));
    let (parked, coming): (Vec<_>, Vec<_>) = known
        .chain(expected)
        .filter(|(id, _)| is_away(id))
        .partition(|(_, key)| key.is_some());
    let mut parked: BTreeMap<PortId, PortKey> = parked
        .into_iter()
        .filter_map(|(id, key)| Some((id, key?)))
        .collect();
    for (id, _) in coming {
        let last = parked.values().min().copied();
        if !parked.contains_key(&id)
            && let Some(key) = PortKey::parked(last)
        {
            parked.insert(id, key);
        }
    }
    let mut keys: Vec<_> = parked.values().copied().collect();
    keys.sort_unstable();
    if let Some(too_many) = keys.get(limits.ports.div_ceil(SHARE) as usize) {
        parked.retain(|_, key| *key < *too_many);
    }
    parked
}

#[cfg(test)]
mod tests;
