//! Address groups.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Collection, Create, default_rule, id, shown};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{AddressGroup, Fields, Object};
use crate::query::Filters;
use crate::world::{Draft, World};
use crate::{net, python};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "address-groups",
    resource: "address_group",
    plural: "address_groups",
    attributes: tables::ADDRESS_GROUPS,
    is_core: false,
    is_tagged: false,
    has_bulk: false,
    has_quota: false,
    list,
    show,
    create: Some(Create::Each(create)),
    update: Some(update),
    delete: Some(delete),
    key: "id",
    always: &["tenant_id"],
    actions: &[("add_addresses", add), ("remove_addresses", remove)],
};

/// The group of an id.
pub fn find<'a>(world: &'a World, text: &str) -> Result<&'a AddressGroup> {
    let group = id(text).and_then(|id| world.address_groups.get(&id));
    group.ok_or_else(|| not_found(Missing::AddressGroup, text))
}

fn view(group: &AddressGroup) -> Fields {
    let mut fields = shown(group);
    fields.remove("tags");
    fields
}

fn list(draft: &mut Draft, filters: &Filters) -> Result<Vec<Fields>> {
    let groups = draft.world.address_groups.values();
    let groups = groups.filter(|group| filters.may_have_id(group.id));
    Ok(groups.map(view).collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(find(world, text)?))
}

fn create(draft: &mut Draft, attributes: Attrs) -> Result<Fields> {
    let mut group = AddressGroup {
        id: draft.id(),
        name: attributes.string("name"),
        project_id: attributes.string("project_id"),
        addresses: Vec::new(),
        standard: draft.standard(attributes.text("description").map(str::to_owned)),
    };
    if let Some(addresses) = attributes.get("addresses") {
        add_to(&mut group, addresses)?;
    }
    let fields = view(&group);
    draft.put(Object::AddressGroup(group));
    Ok(fields)
}

fn update(draft: &mut Draft, text: &str, attributes: Attrs) -> Result<Fields> {
    let old = find(&draft.world, text)?.clone();
    let mut group = old.clone();
    if let Some(name) = attributes.text("name") {
        group.name = name.into();
    }
    if let Some(description) = attributes.get("description") {
        group.standard.description = description.as_str().map(str::to_owned);
    }
    draft.touch(group != old, &mut group.standard)?;
    let fields = view(&group);
    draft.put(Object::AddressGroup(group));
    Ok(fields)
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let names_it = |id: &Option<String>| id.as_deref() == Some(text);
    let mut rules = draft.world.rules.values();
    if rules.any(|rule| names_it(&rule.matches.remote_address_group_id)) {
        return Err(ApiError::conflict(
            "AddressGroupInUse",
            format!("Address group {text} is in use on one or more security group rules."),
        ));
    }
    let group = find(&draft.world, text)?.clone();
    if let Some(rule) = default_rule::naming(&draft.world, group.id) {
        return Err(ApiError::conflict(
            "AddressGroupInUse",
            format!(
                "Address group {text} is in use on default security group rule {}.",
                rule.id
            ),
        ));
    }
    draft.expect(&group.standard)?;
    draft.delete(&Object::AddressGroup(group));
    Ok(())
}

fn add(draft: &mut Draft, text: &str, body: &Fields) -> Result<Fields> {
    change(draft, text, body, add_to)
}

fn remove(draft: &mut Draft, text: &str, body: &Fields) -> Result<Fields> {
    change(draft, text, body, remove_from)
}

fn change(
    draft: &mut Draft,
    text: &str,
    body: &Fields,
    how: fn(&mut AddressGroup, &Value) -> Result<()>,
) -> Result<Fields> {
    let mut group = find(&draft.world, text)?.clone();
    draft.expect(&group.standard)?;
    let unsaid = || ApiError::request("Unable to find 'addresses' in request body");
    how(&mut group, body.get("addresses").ok_or_else(unsaid)?)?;
    group.standard.updated_at = draft.context.now.clone();
    let mut fields = view(&group);
    fields.insert("shared".into(), false.into());
    fields.insert(
        "standard_attr_id".into(),
        group.standard.standard_attr_id.into(),
    );
    draft.put(Object::AddressGroup(group));
    Ok([("address_group".to_owned(), Value::Object(fields))]
        .into_iter()
        .collect())
}

/// Which of the addresses, without host bits and each once, a group has, and which it has not.
fn sorted(group: &AddressGroup, addresses: &Value) -> Result<(Vec<String>, Vec<String>)> {
    let invalid =
        |reason| ApiError::request(format!("Invalid input for addresses. Reason: {reason}."));
    let told = || format!("'{}' is not a list", python::str(addresses));
    let mut normal: Vec<String> = Vec::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let each: Vec<Value> = match addresses {
        Value::Array(each) => each.clone(),
        // A text is a row of characters.
        Value::String(text) => text.chars().map(|one| one.to_string().into()).collect(),
        _ => return Err(invalid(told())),
    };
    for address in &each {
        let network = address.as_str().and_then(net::network);
        let network = network.ok_or_else(|| {
            let told = python::str(address);
            ApiError::bad("AddrFormatError", format!("invalid IPNetwork {told}"))
        })?;
        let network = network.trunc().to_string();
        if seen.insert(network.clone()) {
            normal.push(network);
        }
    }
    let has: BTreeSet<&String> = group.addresses.iter().collect();
    Ok(normal
        .into_iter()
        .partition(|network| has.contains(network)))
}

fn add_to(group: &mut AddressGroup, addresses: &Value) -> Result<()> {
    let (here, new) = sorted(group, addresses)?;
    if !here.is_empty() {
        return Err(ApiError::bad(
            "AddressesAlreadyExist",
            format!(
                "Addresses {} already exist in the address group {}.",
                python::list(here),
                group.id
            ),
        ));
    }
    group.standard.revision_number += new.len() as u64;
    group.addresses.extend(new);
    group.addresses.sort();
    Ok(())
}

fn remove_from(group: &mut AddressGroup, addresses: &Value) -> Result<()> {
    let (here, missing) = sorted(group, addresses)?;
    if !missing.is_empty() {
        return Err(ApiError::missing(
            "AddressesNotFound",
            format!(
                "Addresses {} not found in the address group {}.",
                python::list(missing),
                group.id
            ),
        ));
    }
    group.standard.revision_number += here.len() as u64;
    let here: BTreeSet<String> = here.into_iter().collect();
    group.addresses.retain(|address| !here.contains(address));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use uuid::Uuid;

    use super::*;
    use crate::world::Context;

    #[test]
    fn very_many_addresses_are_added_and_removed() {
        let mut group = AddressGroup {
            id: Uuid::nil(),
            name: String::new(),
            project_id: String::new(),
            addresses: Vec::new(),
            standard: Draft::new(&World::default(), Context::now()).standard(None),
        };
        let addresses = (0..100_000u32).map(|number| Ipv4Addr::from(number).to_string());
        let addresses: Vec<Value> = addresses.map(Value::from).collect();
        let twice: Value = addresses.iter().chain(&addresses).cloned().collect();
        add_to(&mut group, &twice).unwrap();
        assert_eq!(group.addresses.len(), addresses.len());
        assert_eq!(
            add_to(&mut group, &twice).unwrap_err().kind,
            "AddressesAlreadyExist"
        );
        remove_from(&mut group, &twice).unwrap();
        assert!(group.addresses.is_empty());
    }
}
