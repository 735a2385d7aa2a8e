//! What the tables of a port are made from: their definitions in the object, and its types.
//!
//! A map of maps takes only what is like the one it was made with. To Linux 6.1 a map without types is not like
//! one with them (`timer_off` in `bpf_map_meta_equal`, `kernel/bpf/map_in_map.c`), and aya has made it with them.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use aya::maps::{MapData, MapError};
use aya_obj::Object;
use sg_common::layout::maps::{INNER, name};
use sg_common::layout::share::Kind;

use super::error::{Error, Result};
use super::object::{OBJECT, Sizes};
use super::sys;

/// What a port's table of a kind is made from.
pub struct Template {
    name: &'static str,
    map: aya_obj::Map,
    /// The types of the object in the kernel; `None` if it takes none, nor took them from aya.
    types: Option<Arc<OwnedFd>>,
}

impl Template {
    /// Of each [`Kind`], and of the packets and bytes of connections.
    pub fn all(sizes: Sizes) -> Result<([Template; 3], Template)> {
        let mut object = Object::parse(OBJECT).map_err(|error| Error::Load(error.into()))?;
        let types = types(&mut object)?.map(Arc::new);
        let of = |name| {
            let outer = object.maps.get(name);
            let map = outer.and_then(aya_obj::Map::inner);
            let (map, types) = (map.ok_or(Error::NoMap { name })?, types.clone());
            Ok(Template { name, map, types })
        };
        let [embryos4, embryos6, fragments] = Kind::ALL.map(|kind| {
            let mut template = of(INNER[kind as usize].name)?;
            template.map.set_max_entries(sizes.of_port(kind));
            Ok(template)
        });
        Ok(([embryos4?, embryos6?, fragments?], of(name::ACCOUNTS)?))
    }

    /// Name of the map of maps.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Room in each table.
    pub fn room(&self) -> u32 {
        self.map.max_entries()
    }

    /// Makes a table.
    pub fn make(&self) -> std::result::Result<MapData, MapError> {
        let types = self.types.as_ref().map(|types| types.as_fd());
        MapData::create(self.map.clone(), self.name, types)
    }
}

/// Gives the kernel the types of the object, as aya does when it loads it.
fn types(object: &mut Object) -> Result<Option<OwnedFd>> {
    let Some(features) = aya::features().btf() else {
        return Ok(None);
    };
    let types = object.fixup_and_sanitize_btf(features);
    let types = types.map_err(|error| Error::Load(error.into()))?;
    Ok(types.and_then(|types| sys::load_types(&types.to_bytes()).ok()))
}
