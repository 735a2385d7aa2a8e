//! Security groups.

use serde_json::Value;
use uuid::Uuid;

use super::default_rule::{self, PARENT};
use super::matches::Matches;
use super::{Collection, Create, id, quota, rule, shown};
use crate::attributes::{Attrs, Validate, tables, validate};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{Fields, Object, Rule, SecurityGroup, Standard};
use crate::query::Filters;
use crate::world::{Draft, LONGEST_PROJECT, World};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "security-groups",
    resource: "security_group",
    plural: "security_groups",
    attributes: tables::SECURITY_GROUPS,
    is_core: false,
    is_tagged: true,
    has_bulk: true,
    has_quota: true,
    list,
    show,
    create: Some(Create::Each(create)),
    update: Some(update),
    delete: Some(delete),
    key: "id",
    always: &[],
    actions: &[],
};

/// The group's name that no other may have.
const DEFAULT: &str = "default";

/// The group of an id.
pub fn find<'a>(world: &'a World, text: &str) -> Result<&'a SecurityGroup> {
    let group = id(text).and_then(|id| world.groups.get(&id));
    group.ok_or_else(|| not_found(Missing::SecurityGroup, text))
}

/// The group that is a project's when nothing is said; made when it is asked for first.
///
/// # Errors
///
/// The project's name is longer than one can be.
pub fn ensure_default(draft: &mut Draft, project: &str) -> Result<Uuid> {
    // In a query nobody has looked at it.
    if let Some(reason) = validate(Validate::Text(LONGEST_PROJECT), &project.into())? {
        return Err(ApiError::bad_resource("project_id", reason));
    }
    match draft.world.default_group(project) {
        Some(group) => Ok(group),
        None => make(
            draft,
            project,
            DEFAULT.into(),
            Some("Default security group".into()),
            // Whatever the others of the project are: Neutron does not ask.
            Some(true),
        ),
    }
}

/// Whether a group is its project's when nothing is said.
pub fn is_default(group: &SecurityGroup) -> bool {
    group.name == DEFAULT
}

/// Refuses if ports have a group.
fn in_use(world: &World, group: Uuid) -> Result<()> {
    match world.ports_having(group).next() {
        None => Ok(()),
        Some(_) => Err(ApiError::conflict(
            "SecurityGroupInUse",
            format!("Security Group {group} in use."),
        )),
    }
}

/// What is shown of a group. In lists Neutron does not say of what its rules are.
fn view(world: &World, group: &SecurityGroup, in_list: bool) -> Fields {
    let mut fields = shown(group);
    let is_default = (!in_list).then(|| is_default(group));
    let rules = world.rules_of(group.id);
    let rules: Vec<Value> = rules
        .into_iter()
        .map(|rule| rule::within_group(rule, is_default).into())
        .collect();
    fields.insert("security_group_rules".into(), rules.into());
    fields.insert("shared".into(), false.into());
    fields
}

fn list(draft: &mut Draft, filters: &Filters) -> Result<Vec<Fields>> {
    let project = filters.first("project_id").or(filters.first("tenant_id"));
    let project = project.unwrap_or(&draft.context.project).to_owned();
    ensure_default(draft, &project)?;
    let groups = draft.world.groups.values();
    Ok(groups
        .filter(|group| filters.may_have_id(group.id))
        .map(|group| view(&draft.world, group, true))
        .collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(world, find(world, text)?, false))
}

fn create(draft: &mut Draft, attributes: Attrs) -> Result<Fields> {
    let project = attributes.string("project_id");
    ensure_default(draft, &project)?;
    let group = make(
        draft,
        &project,
        attributes.string("name"),
        attributes.text("description").map(str::to_owned),
        attributes.bool("stateful"),
    )?;
    show(&draft.world, &group.to_string())
}

fn make(
    draft: &mut Draft,
    project: &str,
    name: String,
    description: Option<String>,
    stateful: Option<bool>,
) -> Result<Uuid> {
    let is_default = name == DEFAULT;
    let stateful = stateful.unwrap_or_else(|| default_stateful(&draft.world, project));
    let templates = draft.world.default_rules.values();
    let mut templates: Vec<_> = templates
        .filter(|template| match is_default {
            true => template.used_in_default_sg,
            false => template.used_in_non_default_sg,
        })
        .cloned()
        .collect();
    templates.sort_by_key(|template| template.standard_attr_id);
    quota::check(draft, project, "security_group_rule", templates.len())?;
    let group = SecurityGroup {
        id: draft.id(),
        name,
        project_id: project.into(),
        stateful,
        standard: Standard {
            revision_number: 1,
            ..draft.standard(description)
        },
    };
    let id = group.id;
    draft.put(Object::SecurityGroup(group));
    for template in templates {
        let mut matches = template.matches;
        if matches.remote_group_id.as_deref() == Some(PARENT) {
            matches.remote_group_id = Some(id.to_string());
        }
        let rule = Rule {
            id: draft.id(),
            project_id: project.into(),
            security_group_id: id,
            normalized_cidr: matches.normalized(),
            matches,
            standard: draft.standard(None),
        };
        draft.put(Object::Rule(rule));
    }
    Ok(id)
}

/// Whether new groups of a project are stateful.
fn default_stateful(world: &World, project: &str) -> bool {
    let of = |project: Option<&str>| {
        let mut settings = world.statefulness.values();
        let setting = settings.find(|setting| setting.project_id.as_deref() == project);
        setting.map(|setting| setting.stateful)
    };
    of(Some(project)).or_else(|| of(None)).unwrap_or(true)
}

fn update(draft: &mut Draft, text: &str, attributes: Attrs) -> Result<Fields> {
    let old = find(&draft.world, text)?.clone();
    let mut group = old.clone();
    if let Some(stateful) = attributes.bool("stateful") {
        if stateful != group.stateful {
            in_use(&draft.world, group.id)?;
        }
        group.stateful = stateful;
    }
    if is_default(&group) && attributes.get("name").is_some() {
        return Err(ApiError::conflict(
            "SecurityGroupCannotUpdateDefault",
            "Updating default security group not allowed.",
        ));
    }
    if let Some(name) = attributes.text("name") {
        group.name = name.into();
    }
    if let Some(description) = attributes.get("description") {
        group.standard.description = description.as_str().map(str::to_owned);
    }
    draft.touch(group != old, &mut group.standard)?;
    let fields = view(&draft.world, &group, false);
    draft.put(Object::SecurityGroup(group));
    Ok(fields)
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let group = find(&draft.world, text)?.clone();
    in_use(&draft.world, group.id)?;
    if let Some(rule) = default_rule::naming(&draft.world, group.id) {
        return Err(ApiError::conflict(
            "SecurityGroupInUse",
            format!(
                "Security Group {} in use by default security group rule {}.",
                group.id, rule.id
            ),
        ));
    }
    draft.expect(&group.standard)?;
    let own = draft.world.rules_of(group.id).into_iter();
    let naming = draft.world.rules_naming(group.id).into_iter();
    let rules: Vec<Rule> = own.chain(naming).cloned().collect();
    for rule in rules {
        draft.delete(&Object::Rule(rule));
    }
    let logs = draft.world.logs.values();
    let logs: Vec<_> = logs
        .filter(|log| log.resource_id == Some(group.id))
        .cloned()
        .collect();
    for log in logs {
        draft.delete(&Object::Log(log));
    }
    draft.delete(&Object::SecurityGroup(group));
    Ok(())
}
