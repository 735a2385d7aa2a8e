//! Tags of objects.

use std::collections::HashSet;

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
    let mut object = find(&draft.world, kind, id)?;
    if tags.len() > MOST {
        return Err(ApiError::bad_resource(
            kind.plural,
            format!("The number of tags exceed the per-resource limit of {MOST}"),
        ));
    }
    let Some(standard) = standard(&mut object) else {
        return Ok(());
    };
    let same = |one: &[String], other: &[String]| one.iter().all(|tag| other.contains(tag));
    let has_changed = !(same(&standard.tags, &tags) && same(&tags, &standard.tags));
    standard.tags = tags;
    draft.touch(has_changed, standard)?;
    if has_changed {
        draft.put(object);
    }
    Ok(())
}

/// Gives an object some tags more.
pub fn add(draft: &mut Draft, kind: &Collection, id: &str, more: Vec<String>) -> Result<()> {
    let mut tags = of(&draft.world, kind, id)?;
    let here: HashSet<String> = tags.iter().cloned().collect();
    // None of these is twice in it.
    tags.extend(more.into_iter().filter(|tag| !here.contains(tag)));
    replace(draft, kind, id, tags)
}

/// Takes a tag away.
pub fn remove(draft: &mut Draft, kind: &Collection, id: &str, tag: &str) -> Result<()> {
    let mut tags = of(&draft.world, kind, id)?;
    if !tags.iter().any(|one| one == tag) {
        return Err(unknown(tag));
    }
    tags.retain(|one| one != tag);
    replace(draft, kind, id, tags)
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
