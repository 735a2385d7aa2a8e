//! How many objects of each kind a project may have.

use std::collections::BTreeMap;

use crate::attributes::Attrs;
use crate::error::{ApiError, Result};
use crate::python;
use crate::world::{Draft, World};

/// What a project may have of each kind if nothing else is said.
pub const DEFAULTS: [(&str, i64); 11] = [
    ("floatingip", 50),
    ("network", 100),
    ("port", 500),
    ("rbac_policy", 10),
    ("router", 10),
    ("router_route", 30),
    ("security_group", 10),
    ("security_group_rule", 100),
    ("subnet", 100),
    ("subnetpool", -1),
    ("trunk", -1),
];

/// How many of a kind a project may have.
pub fn limit(world: &World, project: &str, kind: &str) -> i64 {
    let quota = world.quotas.get(project);
    let own = quota.and_then(|quota| quota.limits.get(kind)).copied();
    own.or_else(|| default(kind)).unwrap_or(-1)
}

/// How many of a kind a project may have if nothing else is said.
pub fn default(kind: &str) -> Option<i64> {
    let default = DEFAULTS.iter().find(|(of, _)| *of == kind)?;
    Some(default.1)
}

/// How many of a kind a project has.
pub fn used(world: &World, project: &str, kind: &str) -> usize {
    let is_own = |of: &str| of == project;
    match kind {
        "network" => count(world.networks.values(), |it| is_own(&it.project_id)),
        "subnet" => count(world.subnets.values(), |it| is_own(&it.project_id)),
        "port" => count(world.ports.values(), |it| is_own(&it.project_id)),
        "security_group" => count(world.groups.values(), |it| is_own(&it.project_id)),
        "security_group_rule" => count(world.rules.values(), |it| is_own(&it.project_id)),
        _ => 0,
    }
}

fn count<T>(all: impl Iterator<Item = T>, is_own: impl Fn(&T) -> bool) -> usize {
    all.filter(|one| is_own(one)).count()
}

/// Refuses if a project would have more of a kind than it may.
pub fn check(draft: &Draft, project: &str, kind: &str, more: usize) -> Result<()> {
    let limit = limit(&draft.world, project, kind);
    let Ok(limit) = usize::try_from(limit) else {
        return Ok(());
    };
    match used(&draft.world, project, kind) + more > limit {
        false => Ok(()),
        true => Err(ApiError::conflict(
            "OverQuota",
            format!("Quota exceeded for resources: {}.", python::list([kind])),
        )),
    }
}

/// The same for all that a request would make.
pub fn reserve(draft: &Draft, kind: &str, many: &[Attrs]) -> Result<()> {
    let mut projects: BTreeMap<String, usize> = BTreeMap::new();
    for attributes in many {
        *projects.entry(attributes.string("project_id")).or_default() += 1;
    }
    let mut projects = projects.into_iter();
    projects.try_for_each(|(project, more)| check(draft, &project, kind, more))
}
