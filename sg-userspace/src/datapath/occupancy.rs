//! How full the flow tables are, without counting their entries.

use aya::Ebpf;
use aya::maps::{Array, MapData};
use sg_common::layout::maps::name;
use sg_common::layout::sweep::{Room, Sweep};
use sg_common::wire::addr::Family;

use super::error::{Error, Result};
use super::tables::{Raw, take};

/// What the programs count as they store, and the sweep as it goes.
pub struct Occupancy {
    rooms: Array<MapData, Raw<Room>>,
    sweep: Array<MapData, Raw<Sweep>>,
    port_flows: Array<MapData, u32>,
}

impl Occupancy {
    /// Takes the maps out of the loaded object, and says how much room there is in the tables of assured
    /// connections, by family.
    pub fn open(object: &mut Ebpf, capacity: [u32; 2]) -> Result<Self> {
        let mut occupancy = Self {
            rooms: take(object, name::ROOMS)?,
            sweep: take(object, name::SWEEP)?,
            port_flows: take(object, name::PORT_FLOWS)?,
        };
        for (family, capacity) in Family::ALL.into_iter().zip(capacity) {
            occupancy.set_capacity(family, capacity)?;
        }
        Ok(occupancy)
    }

    /// What the sweep has done.
    pub fn sweep(&self) -> Result<Sweep> {
        self.sweep
            .get(&0, 0)
            .map(|raw| raw.0)
            .map_err(Error::map("read", name::SWEEP))
    }

    /// How full the tables of assured connections are.
    pub fn room(&self, family: Family) -> Result<Room> {
        self.rooms
            .get(&(family as u32), 0)
            .map(|raw| raw.0)
            .map_err(Error::map("read", name::ROOMS))
    }

    /// How many assured connections a slot has, or had until the sweep comes by.
    pub fn of_slot(&self, slot: u32) -> Result<u32> {
        let count = self.port_flows.get(&slot, 0);
        count.map_err(Error::map("read", name::PORT_FLOWS))
    }

    /// Written once, with the map: the programs count there from then on.
    fn set_capacity(&mut self, family: Family, capacity: u32) -> Result<()> {
        if self.room(family)?.capacity == capacity {
            return Ok(());
        }
        let room = Room { used: 0, capacity };
        self.rooms
            .set(family as u32, Raw(room), 0)
            .map_err(Error::map("write", name::ROOMS))
    }
}
