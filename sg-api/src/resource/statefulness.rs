//! Whether new security groups are stateful.

use super::{Collection, Create, id};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Result};
use crate::objects::{Fields, Object, Statefulness, fields};
use crate::query::Filters;
use crate::world::{Draft, World};

/// What can be done with them. One is called as many are.
pub const COLLECTION: Collection = Collection {
    path: "security-groups-default-statefulness",
    resource: "security_groups_default_statefulness",
    plural: "security_groups_default_statefulness",
    attributes: tables::STATEFULNESS,
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
    always: &[],
    actions: &[],
};

fn find<'a>(world: &'a World, text: &str) -> Result<&'a Statefulness> {
    let setting = id(text).and_then(|id| world.statefulness.get(&id));
    setting.ok_or_else(|| {
        ApiError::missing(
            "SecurityGroupDefaultStatefulnessNotFound",
            format!("Security group default statefulness {text} could not be found."),
        )
    })
}

fn list(draft: &mut Draft, _: &Filters) -> Result<Vec<Fields>> {
    Ok(draft.world.statefulness.values().map(fields).collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(fields(find(world, text)?))
}

fn create(draft: &mut Draft, attributes: Attrs) -> Result<Fields> {
    let project_id = attributes.text("project_id").map(str::to_owned);
    let mut settings = draft.world.statefulness.values();
    if settings.any(|setting| setting.project_id == project_id) {
        return Err(ApiError::conflict(
            "SecurityGroupDefaultStatefulnessAlreadyExists",
            format!(
                "A security group default statefulness setting already exists for project '{}'.",
                project_id.as_deref().unwrap_or("system-wide")
            ),
        ));
    }
    let setting = Statefulness {
        id: draft.id(),
        project_id,
        stateful: attributes.bool("stateful").unwrap_or(true),
    };
    let fields = fields(&setting);
    draft.put(Object::Statefulness(setting));
    Ok(fields)
}

fn update(draft: &mut Draft, text: &str, attributes: Attrs) -> Result<Fields> {
    let mut setting = find(&draft.world, text)?.clone();
    if let Some(stateful) = attributes.bool("stateful") {
        setting.stateful = stateful;
    }
    let fields = fields(&setting);
    draft.put(Object::Statefulness(setting));
    Ok(fields)
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let setting = find(&draft.world, text)?.clone();
    draft.delete(&Object::Statefulness(setting));
    Ok(())
}
