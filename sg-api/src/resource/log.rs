//! Loggings of packets.

use super::{Collection, Create, id, shown};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{Fields, Log, Object};
use crate::query::Filters;
use crate::world::{Draft, World};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "logs",
    resource: "log",
    plural: "logs",
    attributes: tables::LOGS,
    is_core: false,
    is_tagged: false,
    has_bulk: true,
    has_quota: false,
    list,
    show,
    create: Some(Create::Each(create)),
    update: Some(update),
    delete: Some(delete),
    key: "id",
    always: &[],
    actions: &[],
};

/// The only type of what is logged.
pub const LOGGABLE: &str = "security_group";

fn find<'a>(world: &'a World, text: &str) -> Result<&'a Log> {
    let log = id(text).and_then(|id| world.logs.get(&id));
    log.ok_or_else(|| not_found(Missing::Log, text))
}

fn view(log: &Log) -> Fields {
    let mut fields = shown(log);
    fields.remove("tags");
    fields
}

fn list(draft: &mut Draft, filters: &Filters) -> Result<Vec<Fields>> {
    let logs = draft.world.logs.values();
    let logs = logs.filter(|log| filters.may_have_id(log.id));
    Ok(logs.map(view).collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(find(world, text)?))
}

fn create(draft: &mut Draft, attributes: Attrs) -> Result<Fields> {
    let resource_type = attributes.string("resource_type");
    if resource_type != LOGGABLE {
        return Err(ApiError::bad(
            "InvalidLogResourceType",
            format!("Invalid log resource_type: {resource_type}."),
        ));
    }
    let group = attributes.text("resource_id");
    let group_id = group.and_then(|text| text.parse().ok());
    let port = attributes.text("target_id");
    let port_id = port.and_then(|text| text.parse().ok());
    if let Some(text) = group
        && group_id
            .and_then(|id| draft.world.groups.get(&id))
            .is_none()
    {
        return Err(ApiError::missing(
            "ResourceNotFound",
            format!("Resource {text} could not be found."),
        ));
    }
    let target = port_id.and_then(|id| draft.world.ports.get(&id));
    if let (Some(text), None) = (port, target) {
        return Err(ApiError::missing(
            "TargetResourceNotFound",
            format!("Target resource {text} could not be found."),
        ));
    }
    if let (Some(group_id), Some(target)) = (group_id, target)
        && !target.security_groups.contains(&group_id)
    {
        return Err(ApiError::bad(
            "InvalidResourceConstraint",
            format!(
                "Invalid resource constraint between resource (security_group {group_id}) and target resource \
                 (port {}).",
                target.id
            ),
        ));
    }
    let log = Log {
        id: draft.id(),
        name: attributes.string("name"),
        project_id: attributes.string("project_id"),
        resource_type,
        resource_id: group_id,
        target_id: port_id,
        event: attributes.string("event"),
        enabled: attributes.bool("enabled").unwrap_or(true),
        standard: draft.standard(attributes.text("description").map(str::to_owned)),
    };
    let fields = view(&log);
    draft.put(Object::Log(log));
    Ok(fields)
}

fn update(draft: &mut Draft, text: &str, attributes: Attrs) -> Result<Fields> {
    let old = find(&draft.world, text)?.clone();
    let mut log = old.clone();
    if let Some(name) = attributes.text("name") {
        log.name = name.into();
    }
    if let Some(enabled) = attributes.bool("enabled") {
        log.enabled = enabled;
    }
    if let Some(description) = attributes.get("description") {
        log.standard.description = description.as_str().map(str::to_owned);
    }
    draft.touch(log != old, &mut log.standard)?;
    let fields = view(&log);
    draft.put(Object::Log(log));
    Ok(fields)
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let log = find(&draft.world, text)?.clone();
    draft.expect(&log.standard)?;
    draft.delete(&Object::Log(log));
    Ok(())
}
