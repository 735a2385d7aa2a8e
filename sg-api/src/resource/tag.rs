//! Tags of objects.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Collection, network, port, security_group, subnet};
use crate::attributes::{Validate, validate};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{Object, Standard};
use crate::world::{Draft, World};

/// How many an object may have.
const MOST: usize = 50;

/// The longest.
const LONGEST: usize = 255;

/// The tags of an object.
pub fn of(world: &World, kind: &Collection, id: &str) -> Result<Vec<String>> {
    let mut object = find(world, kind, id)?;
    Ok(standard(&mut object)
        .map(|standard| standard.tags.clone())
        .unwrap_or_default())
}

/// Gives an object these tags and no others.
pub fn replace(draft: &mut Draft, kind: &Collection, id: &str, tags: Vec<String>) -> Result<()> {
    of(&draft.world, kind, id)?;
    limit(kind, tags.len())?;
    set(draft, kind, id, tags)
}

/// Refuses more tags than there may be.
fn limit(kind: &Collection, count: usize) -> Result<()> {
    match count > MOST {
        false => Ok(()),
        true => Err(ApiError::bad_resource(
            kind.plural,
            format!("The number of tags exceed the per-resource limit of {MOST}"),
        )),
    }
}

fn set(draft: &mut Draft, kind: &Collection, id: &str, tags: Vec<String>) -> Result<()> {
    let mut object = find(&draft.world, kind, id)?;
    let Some(standard) = standard(&mut object) else {
        return Ok(());
    };
    let set = |tags: &[String]| -> BTreeSet<String> { tags.iter().cloned().collect() };
    let has_changed = set(&standard.tags) != set(&tags);
    standard.tags = tags;
    draft.touch(has_changed, standard)?;
    if has_changed {
        draft.put(object);
    }
    Ok(())
}

/// Gives an object some tags more. Neutron counts these, and not those that are there.
pub fn add(draft: &mut Draft, kind: &Collection, id: &str, more: Vec<String>) -> Result<()> {
    let mut tags = of(&draft.world, kind, id)?;
    limit(kind, more.len())?;
    let here: BTreeSet<String> = tags.iter().cloned().collect();
    // None of these is twice in it.
    tags.extend(more.into_iter().filter(|tag| !here.contains(tag)));
    set(draft, kind, id, tags)
}

/// Gives an object one tag more.
pub fn add_one(draft: &mut Draft, kind: &Collection, id: &str, tag: &str) -> Result<()> {
    let here = of(&draft.world, kind, id)?;
    limit(kind, here.len() + 1)?;
    add(draft, kind, id, vec![tag.to_owned()])
}

/// Takes a tag away.
pub fn remove(draft: &mut Draft, kind: &Collection, id: &str, tag: &str) -> Result<()> {
    let mut tags = of(&draft.world, kind, id)?;
    if !tags.iter().any(|one| one == tag) {
        return Err(unknown(tag));
    }
    tags.retain(|one| one != tag);
    set(draft, kind, id, tags)
}

/// The object has no such tag.
pub fn unknown(tag: &str) -> ApiError {
    ApiError::missing("TagNotFound", format!("Tag {tag} could not be found."))
}

/// Reads the tags of a body.
pub fn read(body: &Value) -> Result<Vec<String>> {
    let Some(tags) = body.get("tags") else {
        return Err(ApiError::input("Invalid tags body"));
    };
    match validate(Validate::Texts(LONGEST), tags)? {
        Some(reason) => Err(ApiError::input(reason)),
        None => Ok(tags
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tag| tag.as_str().map(str::to_owned))
            .collect()),
    }
}

/// Whether a text can be a tag.
pub fn check(tag: &str) -> Result<()> {
    match validate(Validate::Text(LONGEST), &json!(tag))? {
        Some(reason) => Err(ApiError::input(reason)),
        None => Ok(()),
    }
}

fn find(world: &World, kind: &Collection, id: &str) -> Result<Object> {
    Ok(match kind.resource {
        "security_group" => Object::SecurityGroup(security_group::find(world, id)?.clone()),
        "network" => Object::Network(network::find(world, id)?.clone()),
        "subnet" => Object::Subnet(subnet::find(world, id)?.clone()),
        "port" => Object::Port(port::find(world, id)?.clone()),
        _ => return Err(not_found(Missing::Network, id)),
    })
}

fn standard(object: &mut Object) -> Option<&mut Standard> {
    match object {
        Object::SecurityGroup(it) => Some(&mut it.standard),
        Object::Network(it) => Some(&mut it.standard),
        Object::Subnet(it) => Some(&mut it.standard),
        Object::Port(it) => Some(&mut it.standard),
        _ => None,
    }
}
