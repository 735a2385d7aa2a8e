//! Whose the pins are: those of one network namespace, because interfaces have their numbers in it.

use aya::maps::{Array, Map, MapData, MapInfo};
use aya::programs::loaded_programs;
use sg_common::hook::Hook;
use sg_common::layout::maps::{ABI, CONNECTIONS, Node, name};

use super::attached::attached;
use super::error::{Error, Result};
use super::netns;
use super::pins::{Pins, Way};
use super::tables::{Raw, Tables};

/// Takes the pins for this namespace. Those of another one are taken over when none of its interfaces is
/// filtered by them any more, as when that namespace is gone: there is nothing left to protect.
///
/// # Errors
///
/// [`Error::OtherNamespace`] if some are; [`Error::OtherLayout`] if the tables say that a program with
/// another layout has written them.
pub fn claim(tables: &mut Tables, pins: &Pins) -> Result<()> {
    let here = netns::cookie().map_err(Error::NoNamespace)?;
    let node = tables.node()?;
    if node.abi != 0 && node.abi != ABI {
        return Err(Error::OtherLayout {
            pin: pins.map(name::NODE),
            found: format!("written by version {}", node.abi),
            wanted: format!("version {ABI}"),
        });
    }
    if node.netns != 0 && node.netns != here {
        if is_in_force(pins)? {
            return Err(Error::OtherNamespace {
                directory: pins.directory().into(),
                cookie: node.netns,
            });
        }
        tracing::info!("the namespace that was filtered before is gone; taking over its pins");
        pins.remove_links()?;
    }
    tables.set_node(Node {
        abi: ABI,
        next_generation: node.next_generation.max(1),
        netns: here,
        connections: CONNECTIONS,
        reserved: [0; 3],
    })
}

/// Whether this namespace can take off what is pinned. A link ends with its pin, wherever it is; a
/// filter of a qdisc can only be removed where it is.
///
/// # Errors
///
/// [`Error::OtherNamespace`] if it cannot.
pub fn check_removal(pins: &Pins) -> Result<()> {
    let cookie = wrote(pins).map_or(0, |node| node.netns);
    let here = netns::cookie().map_err(Error::NoNamespace)?;
    if cookie == 0 || cookie == here || !has_filters(pins)? || !is_in_force(pins)? {
        return Ok(());
    }
    Err(Error::OtherNamespace {
        directory: pins.directory().into(),
        cookie,
    })
}

/// Whether pins of another layout or with other sizes can make way for those of this namespace: they are its own, or
/// filter nothing any more.
///
/// # Errors
///
/// [`Error::OtherNamespace`] if they are in force in another one.
pub fn is_ours(pins: &Pins) -> Result<bool> {
    let cookie = wrote(pins).map_or(0, |node| node.netns);
    let here = netns::cookie().map_err(Error::NoNamespace)?;
    if cookie == 0 || cookie == here {
        return Ok(true);
    }
    match is_in_force(pins)? {
        true => Err(Error::OtherNamespace {
            directory: pins.directory().into(),
            cookie,
        }),
        false => Ok(false),
    }
}

/// What wrote these pins, which may be of another layout; `None` if that cannot be read.
pub fn wrote(pins: &Pins) -> Option<Node> {
    let map = Map::from_map_data(MapData::from_pin(pins.map(name::NODE)).ok()?).ok()?;
    let node: Array<_, Raw<Node>> = map.try_into().ok()?;
    let Raw(node) = node.get(&0, 0).ok()?;
    (node.abi != 0).then_some(node)
}

/// Whether any interface anywhere is filtered by what is pinned here.
fn is_in_force(pins: &Pins) -> Result<bool> {
    let held = pins.held()?.into_values();
    let mut links = held.chain(pins.away()?.map(|(_, held)| held));
    if links.any(|held| attached(&held).is_some()) {
        return Ok(true);
    }
    if !has_filters(pins)? {
        return Ok(false);
    }
    // A filter in another namespace cannot be asked for, but it keeps its program, which then is nobody
    // else's.
    pins.remove_programs()?;
    Ok(is_program_loaded(pins))
}

/// Whether any filter of a qdisc is marked.
fn has_filters(pins: &Pins) -> Result<bool> {
    Ok(pins.spots()?.any(|spot| spot.way == Way::Clsact))
}

/// Whether the kernel has a filter that works on these maps. If it does not tell, it may have one.
fn is_program_loaded(pins: &Pins) -> bool {
    let Ok(ports) = MapInfo::from_pin(pins.map(name::PORTS)) else {
        return true;
    };
    for program in loaded_programs() {
        // One that ends while we look does not count.
        let Ok(program) = program else { return true };
        // The sweep of expired connections works on maps of ours too, but filters nothing.
        let is_filter = |hook: Hook| program.name_as_str() == Some(hook.as_str());
        if !Hook::ALL.into_iter().any(is_filter) {
            continue;
        }
        match program.map_ids() {
            Ok(Some(maps)) if maps.contains(&ports.id()) => return true,
            _ => {}
        }
    }
    false
}
