//! Security groups.

use std::collections::HashMap;

use serde_json::Value;

use super::api;
use super::fault::{Effect, Fault, Kind, Object, Problem};
use super::fields::Fields;
use super::id::{GroupId, RuleId};
use super::rule::{self, Rule};

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `id`.
    pub id: GroupId,
    /// `name`.
    pub name: String,
    /// Whether ports whose first group this is track connections: `stateful`, or true when the
    /// group has no rules, for Neutron looks at the first rule (`_are_sg_rules_stateful`).
    pub stateful: bool,
    /// `security_group_rules`, in their order.
    pub rules: Vec<Rule>,
}

impl Group {
    /// How faults name the group.
    pub(super) fn object(&self) -> Object {
        Object {
            kind: Kind::SecurityGroup,
            id: self.id.to_string(),
            name: self.name.clone(),
        }
    }

    /// How faults name one of the group's rules.
    pub(super) fn rule_object(&self, rule: &Rule) -> Object {
        rule_object(&self.object(), rule.id.to_string())
    }

    /// The faults of rules that are left out.
    pub(crate) fn faults(
        &self,
        is_left_out: impl Fn(&Rule) -> bool,
        problem: impl Fn(&Rule) -> Problem,
    ) -> impl Iterator<Item = Fault> {
        let rules = self.rules.iter().filter(move |rule| is_left_out(rule));
        rules.map(move |rule| problem(rule).of(&self.rule_object(rule), Effect::RuleLeftOut))
    }

    /// Leaves out the rules that have a problem.
    pub(super) fn leave_out(
        &mut self,
        faults: &mut Vec<Fault>,
        problem: impl Fn(&Rule) -> Option<Problem>,
    ) {
        let rules = std::mem::take(&mut self.rules);
        for rule in rules {
            match problem(&rule) {
                None => self.rules.push(rule),
                Some(problem) => {
                    faults.push(problem.of(&self.rule_object(&rule), Effect::RuleLeftOut));
                }
            }
        }
    }
}

/// Reads one group. What is wrong with its rules is added to `faults`.
pub(super) fn parse(
    fields: Fields<'_>,
    object: &Object,
    faults: &mut Vec<Fault>,
) -> Result<Group, Problem> {
    let id = super::parse_id(fields, "id")?;
    let (stateful, rules) = content(fields, object, faults).unwrap_or_else(|problem| {
        faults.push(problem.of(object, Effect::RulesLeftOut));
        // Not tracking connections is less access.
        (false, Vec::new())
    });
    Ok(Group {
        id,
        name: object.name.clone(),
        stateful,
        rules,
    })
}

fn content(
    fields: Fields<'_>,
    object: &Object,
    faults: &mut Vec<Fault>,
) -> Result<(bool, Vec<Rule>), Problem> {
    // A field that is no group's may be a slip of `stateful`, which narrows; so may any that a later API adds.
    api::GROUP.check(fields)?;
    let stateful = fields.flag("stateful")?.unwrap_or(true);
    let values = fields.list("security_group_rules")?;
    // Those without an id, by what they say: each has the same one wherever it stands.
    let mut unnamed = HashMap::<String, usize>::new();
    let rules = values.iter().enumerate();
    let rules = rules
        .filter_map(|(place, value)| {
            let id = match value.get("id") {
                Some(_) => RuleId::numbered(&object.id, "", place),
                None => {
                    let content = value.to_string();
                    let same = unnamed.entry(content.clone()).or_default();
                    *same += 1;
                    RuleId::numbered(&object.id, &content, *same)
                }
            };
            rule(place, value, id, object, faults)
        })
        .collect();
    Ok((stateful || values.is_empty(), rules))
}

fn rule(
    place: usize,
    value: &Value,
    unnamed: RuleId,
    group: &Object,
    faults: &mut Vec<Fault>,
) -> Option<Rule> {
    let named = value.get("id").and_then(Value::as_str).map(str::to_owned);
    let object = rule_object(
        group,
        named.unwrap_or_else(|| format!("number {}", place + 1)),
    );
    let rule = super::fields_of(value, "security_group_rules")
        .and_then(|fields| rule::parse(fields, unnamed));
    match rule {
        Ok((rule, warning)) => {
            faults.extend(warning.map(|warning| warning.of(&object, Effect::Kept)));
            Some(rule)
        }
        Err(problem) => {
            faults.push(problem.of(&object, Effect::RuleLeftOut));
            None
        }
    }
}

fn rule_object(group: &Object, id: String) -> Object {
    Object {
        kind: Kind::SecurityGroupRule,
        id,
        name: group.to_string(),
    }
}
