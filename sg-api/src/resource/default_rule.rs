//! The rules that new security groups get.

use uuid::Uuid;

use super::matches::{Matches, Same};
use super::{Collection, Create, address_group, id, security_group};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::{DefaultRule, Fields, Match, Object, fields};
use crate::query::Filters;
use crate::world::{Draft, World};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "default-security-group-rules",
    resource: "default_security_group_rule",
    plural: "default_security_group_rules",
    attributes: tables::DEFAULT_RULES,
    is_core: false,
    is_tagged: false,
    has_bulk: false,
    has_quota: false,
    list,
    show,
    create: Some(Create::Each(create)),
    update: None,
    delete: Some(delete),
    key: "id",
    always: &[],
    actions: &[],
};

/// The group itself, in the place of the remote one.
pub const PARENT: &str = "PARENT";

/// Those that a store begins with: out to everywhere, and in from the group itself where it is the default.
pub fn seed(draft: &mut Draft) {
    let rule = |direction: &str, ethertype: &str, remote: Option<&str>| Match {
        direction: direction.into(),
        ethertype: ethertype.into(),
        protocol: None,
        port_range_min: None,
        port_range_max: None,
        remote_ip_prefix: None,
        remote_group_id: remote.map(str::to_owned),
        remote_address_group_id: None,
    };
    let rules = [
        (
            "Legacy default SG rule for egress traffic",
            rule("egress", "IPv4", None),
        ),
        (
            "Legacy default SG rule for egress traffic",
            rule("egress", "IPv6", None),
        ),
        (
            "Legacy default SG rule for ingress traffic",
            rule("ingress", "IPv4", Some(PARENT)),
        ),
        (
            "Legacy default SG rule for ingress traffic",
            rule("ingress", "IPv6", Some(PARENT)),
        ),
    ];
    for (description, matches) in rules {
        let is_own = matches.remote_group_id.is_some();
        let standard = draft.standard(None);
        draft.put(Object::DefaultRule(DefaultRule {
            id: draft.id(),
            description: Some(description.into()),
            matches,
            used_in_default_sg: true,
            used_in_non_default_sg: !is_own,
            standard_attr_id: standard.standard_attr_id,
        }));
    }
}

/// One that names a group as remote, of either kind: every new group would get a rule that names what is not there,
/// were that group taken away.
pub fn naming(world: &World, group: Uuid) -> Option<&DefaultRule> {
    let group = group.to_string();
    world.default_rules.values().find(|rule| {
        let matches = &rule.matches;
        let remotes = [&matches.remote_group_id, &matches.remote_address_group_id];
        remotes.into_iter().flatten().any(|remote| *remote == group)
    })
}

fn view(rule: &DefaultRule) -> Fields {
    let mut fields = fields(rule);
    fields.remove("standard_attr_id");
    fields
}

fn find<'a>(world: &'a World, text: &str) -> Result<&'a DefaultRule> {
    let rule = id(text).and_then(|id| world.default_rules.get(&id));
    rule.ok_or_else(|| not_found(Missing::DefaultRule, text))
}

fn list(draft: &mut Draft, _: &Filters) -> Result<Vec<Fields>> {
    Ok(draft.world.default_rules.values().map(view).collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    Ok(view(find(world, text)?))
}

fn create(draft: &mut Draft, attributes: Attrs) -> Result<Fields> {
    let matches = Match::read(&attributes)?;
    // One that is not there would be in the way of every new group.
    if let Some(remote) = matches
        .remote_group_id
        .as_deref()
        .filter(|id| *id != PARENT)
    {
        security_group::find(&draft.world, remote)?;
    }
    if let Some(remote) = &matches.remote_address_group_id {
        address_group::find(&draft.world, remote)?;
    }
    let in_default = attributes.bool("used_in_default_sg").unwrap_or(false);
    let in_others = attributes.bool("used_in_non_default_sg").unwrap_or(false);
    let same: Same = matches.same();
    for rule in draft.world.default_rules.values() {
        let meet =
            in_default && rule.used_in_default_sg || in_others && rule.used_in_non_default_sg;
        if meet && rule.matches.same() == same {
            return Err(ApiError::conflict(
                "DefaultSecurityGroupRuleExists",
                format!(
                    "Default Security group rule already exists. Rule id is {}.",
                    rule.id
                ),
            ));
        }
    }
    let standard = draft.standard(None);
    let rule = DefaultRule {
        id: draft.id(),
        description: attributes.text("description").map(str::to_owned),
        matches,
        used_in_default_sg: in_default,
        used_in_non_default_sg: in_others,
        standard_attr_id: standard.standard_attr_id,
    };
    let fields = view(&rule);
    draft.put(Object::DefaultRule(rule));
    Ok(fields)
}

fn delete(draft: &mut Draft, text: &str) -> Result<()> {
    let rule = find(&draft.world, text)?.clone();
    draft.delete(&Object::DefaultRule(rule));
    Ok(())
}
