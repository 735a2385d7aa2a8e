//! Requests for quotas: one for each project, under the project's name.

use serde_json::{Value, json};

use super::{Answer, Request, not_so, nothing_here, read};
use crate::attributes::{Attrs, Verb, single, tables};
use crate::error::{ApiError, Result};
use crate::objects::{Fields, Object, Quota};
use crate::python;
use crate::resource::quota;
use crate::world::{Draft, World};

/// Answers a request for a path of these parts behind the name of the kind.
pub fn answer(draft: &mut Draft, request: &Request, parts: &[&str]) -> Result<Answer> {
    match (request.method.as_str(), parts) {
        ("GET", []) => Ok(Answer::ok(json!({"quotas": all(&draft.world)}))),
        ("POST", []) => Err(ApiError::new(
            501,
            "HTTPNotImplemented",
            "POST requests are not supported on this resource.",
        )),
        ("GET", ["tenant"]) => {
            let project = &draft.context.project;
            Ok(Answer::ok(json!({"tenant": {"tenant_id": project}})))
        }
        ("GET", ["project"]) => {
            let project = &draft.context.project;
            Ok(Answer::ok(json!({"project": {"project_id": project}})))
        }
        ("GET", [project]) => Ok(Answer::ok(json!({"quota": limits(&draft.world, project)}))),
        ("GET", [_, "default"]) => Ok(Answer::ok(json!({"quota": defaults()}))),
        ("GET", [project, "details"]) => {
            Ok(Answer::ok(json!({"quota": details(&draft.world, project)})))
        }
        ("PUT", [project]) => {
            let body = read::optional(request)?.unwrap_or_default();
            let quota = body.get("quota").unwrap_or(&Value::Null);
            let said = single(quota, "quota", tables::QUOTAS, Verb::Put, "")?;
            set(draft, project, &said)?;
            Ok(Answer::ok(json!({"quota": limits(&draft.world, project)})))
        }
        ("DELETE", [project]) => {
            let quota = draft.world.quotas.get(*project).cloned();
            let quota = quota.ok_or_else(|| {
                ApiError::missing(
                    "TenantQuotaNotFound",
                    format!("Quota for project {project} could not be found."),
                )
            })?;
            draft.delete(&Object::Quota(quota));
            Ok(Answer::gone())
        }
        (_, [] | [_]) => Err(not_so()),
        _ => Err(nothing_here()),
    }
}

fn all(world: &World) -> Vec<Fields> {
    let projects = world.quotas.keys();
    let quotas = projects.map(|project| {
        let mut fields = limits(world, project);
        fields.insert("project_id".into(), project.as_str().into());
        fields.insert("tenant_id".into(), project.as_str().into());
        fields
    });
    quotas.collect()
}

fn defaults() -> Fields {
    let kinds = quota::DEFAULTS.into_iter();
    kinds
        .map(|(kind, default)| (kind.to_owned(), default.into()))
        .collect()
}

fn limits(world: &World, project: &str) -> Fields {
    let kinds = quota::DEFAULTS.into_iter();
    kinds
        .map(|(kind, _)| (kind.to_owned(), quota::limit(world, project, kind).into()))
        .collect()
}

fn details(world: &World, project: &str) -> Fields {
    let kinds = quota::DEFAULTS.into_iter();
    kinds
        .map(|(kind, _)| {
            let limit = quota::limit(world, project, kind);
            let used = quota::used(world, project, kind);
            (
                kind.to_owned(),
                json!({"limit": limit, "used": used, "reserved": 0}),
            )
        })
        .collect()
}

/// Sets limits, each not below what is used already, unless that is forced.
fn set(draft: &mut Draft, project: &str, said: &Attrs) -> Result<()> {
    let is_forced = said.get("force").and_then(python::bool) == Some(true);
    let own = draft.world.quotas.get(project).cloned();
    let mut quota = own.unwrap_or_else(|| Quota {
        project_id: project.into(),
        limits: Default::default(),
    });
    for (kind, _) in quota::DEFAULTS {
        let Some(limit) = said.get(kind).and_then(Value::as_i64) else {
            continue;
        };
        let used = quota::used(&draft.world, project, kind);
        let is_low = usize::try_from(limit).is_ok_and(|limit| limit < used);
        if is_low && !is_forced {
            return Err(ApiError::request(format!(
                "Quota limit {limit} for {kind} must be greater than or equal to already used {used}"
            )));
        }
        quota.limits.insert(kind.into(), limit);
    }
    if !quota.limits.is_empty() {
        draft.put(Object::Quota(quota));
    }
    Ok(())
}
