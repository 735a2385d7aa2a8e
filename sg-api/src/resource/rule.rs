//! Rules of security groups.

use std::collections::HashSet;

use uuid::Uuid;

use super::matches::{Matches, Same};
use super::{Collection, Create, address_group, id, security_group, shown};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{Fields, Match, Object, Rule, fields};
use crate::query::Filters;
use crate::world::{Draft, World};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "security-group-rules",
    resource: "security_group_rule",
    plural: "security_group_rules",
    attributes: tables::RULES,
    is_core: false,
    is_tagged: false,
    has_bulk: true,
    has_quota: true,
    list,
    show,
    create: Some(Create::All(create)),
    update: None,
    delete: Some(delete),
    key: "id",
    always: &[],
    actions: &[],
};

/// What is shown of a rule within its group.
pub fn within_group(rule: &Rule, is_default: Option<bool>) -> Fields {
    let mut fields = fields(rule);
    fields.insert("tenant_id".into(), rule.project_id.as_str().into());
    fields.insert("belongs_to_default_sg".into(), is_default.into());
    fields
}

fn view(world: &World, rule: &Rule) -> Fields {
    let mut fields = shown(rule);
    fields.remove("tags");
    // Whoever's the rule is: the group counts.
    let group = world.groups.get(&rule.security_group_id);
    let is_default = group.is_some_and(security_group::is_default);
    fields.insert("belongs_to_default_sg".into(), is_default.into());
    fields
}

fn find<'a>(world: &'a World, text: &str) -> Result<&'a Rule> {
    let rule = id(text).and_then(|id| world.rules.get(&id));
    rule.ok_or_else(|| not_found(Missing::Rule, text))
}

fn list(draft: &mut Draft, filters: &Filters) -> Result<Vec<Fields>> {
    let project = filters.first("project_id").or(filters.first("tenant_id"));
    let project = project.unwrap_or(&draft.context.project).to_owned();
    security_group::ensure_default(draft, &project)?;
    let world = &draft.world;
    let rules: Vec<&Rule> = match filters.ids("security_group_id") {
        Some(groups) => groups
            .into_iter()
            .flat_map(|group| world.rules_of(group))
            .collect(),
        None => world.rules.values().collect(),
    };
    Ok(rules
        .into_iter()
        .filter(|rule| filters.may_have_id(rule.id))
        .map(|rule| view(world, rule))
        .collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(world, find(world, text)?))
}

fn create(draft: &mut Draft, many: Vec<Attrs>) -> Result<Vec<Fields>> {
    one_group(&many)?;
    let mut made = Vec::new();
    for attributes in &many {
        made.push((attributes, checked(&draft.world, attributes)?));
    }
    let mut seen: HashSet<Same> = HashSet::new();
    for (_, (_, matches)) in &made {
        if !seen.insert(matches.same()) {
            return Err(ApiError::conflict(
                "DuplicateSecurityGroupRuleInPost",
                "Duplicate Security Group Rule in POST.",
            ));
        }
    }
    for group in made.iter().map(|(_, (group, _))| *group).take(1) {
        for rule in draft.world.rules_of(group) {
            if seen.contains(&rule.matches.same()) {
                return Err(ApiError::conflict(
                    "SecurityGroupRuleExists",
                    format!(
                        "Security group rule already exists. Rule id is {}.",
                        rule.id
                    ),
                ));
            }
        }
    }
    let groups: Vec<Uuid> = made.iter().map(|(_, (group, _))| *group).take(1).collect();
    let made = made.into_iter();
    let made = made.map(|(attributes, (group, matches))| make(draft, attributes, group, matches));
    let made = made.collect();
    for group in groups {
        bump(draft, group);
    }
    Ok(made)
}

/// All of one request belong to one group of one project.
fn one_group(many: &[Attrs]) -> Result<()> {
    let Some(first) = many.first() else {
        return Ok(());
    };
    for other in many {
        if other.get("security_group_id") != first.get("security_group_id") {
            return Err(ApiError::bad(
                "SecurityGroupNotSingleGroupRules",
                "Only allowed to update rules for one security profile at a time",
            ));
        }
        if other.get("project_id") != first.get("project_id") {
            return Err(ApiError::bad(
                "SecurityGroupRulesNotSingleProject",
                "Multiple project_ids in bulk security group rule create not allowed",
            ));
        }
    }
    Ok(())
}

fn checked(world: &World, attributes: &Attrs) -> Result<(Uuid, Match)> {
    let matches = Match::read(attributes)?;
    if let Some(remote) = &matches.remote_group_id {
        security_group::find(world, remote)?;
    }
    if let Some(remote) = &matches.remote_address_group_id {
        address_group::find(world, remote)?;
    }
    let group = security_group::find(world, &attributes.string("security_group_id"))?;
    Ok((group.id, matches))
}

fn make(draft: &mut Draft, attributes: &Attrs, group: Uuid, matches: Match) -> Fields {
    let rule = Rule {
        id: draft.id(),
        project_id: attributes.string("project_id"),
        security_group_id: group,
        normalized_cidr: matches.normalized(),
        matches,
        standard: draft.standard(attributes.text("description").map(str::to_owned)),
    };
    let fields = view(&draft.world, &rule);
    draft.put(Object::Rule(rule));
    fields
}

/// A group changes with its rules.
fn bump(draft: &mut Draft, group: Uuid) {
    if let Some(mut group) = draft.world.groups.get(&group).cloned() {
        draft.bump(&mut group.standard);
        draft.put(Object::SecurityGroup(group));
    }
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let rule = find(&draft.world, text)?.clone();
    draft.expect(&rule.standard)?;
    let group = rule.security_group_id;
    draft.delete(&Object::Rule(rule));
    bump(draft, group);
    Ok(())
}
