//! Members given as addresses.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::address;
use super::super::fault::{Effect, Fault, Kind, Object, Problem};
use super::super::inventory::Inventory;
use super::super::members::Members;
use super::step::Which;
use super::{MembersPiece, Objects, Told, Touched};

/// What changes in one list of members.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MembersStep {
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    added: BTreeSet<IpNet>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    removed: BTreeSet<IpNet>,
    /// All entries that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
}

/// The value of `members`, read.
enum Given {
    Whole(Vec<IpNet>),
    Changed(Vec<IpNet>, Vec<IpNet>),
}

impl Told {
    /// The lists that change, and in `named` those that are as they were.
    pub(super) fn members_step(
        &self,
        inventory: &Inventory,
        told: Objects<Uuid>,
        which: &Which,
        named: &mut BTreeSet<Uuid>,
    ) -> BTreeMap<Uuid, Option<MembersStep>> {
        let mut steps = BTreeMap::new();
        for (id, piece) in &self.members {
            if !told.0.contains_key(id) && which.goes(piece.named) {
                steps.insert(*id, None);
            }
        }
        for (id, text) in told.0 {
            let piece = self.members.get(&id);
            match (text, piece) {
                (None, None) => {}
                (None, Some(_)) => drop(steps.insert(id, None)),
                (Some(text), piece) => {
                    let before = inventory.given.get(&id);
                    let step = step(&text, before, piece);
                    let is_same = piece.is_some_and(|piece| {
                        let quiet = step.added.is_empty() && step.removed.is_empty();
                        quiet && step.left_out == piece.left_out
                    });
                    if !is_same {
                        steps.insert(id, Some(step));
                    } else if piece.is_some_and(|piece| !which.was_named(piece.named)) {
                        named.insert(id);
                    }
                }
            }
        }
        steps
    }

    /// Takes lists; returns those that came or went.
    pub(super) fn take_members(
        &mut self,
        inventory: &mut Inventory,
        steps: BTreeMap<Uuid, Option<MembersStep>>,
        touched: &mut Touched,
    ) -> BTreeSet<Uuid> {
        let mut came_or_went = BTreeSet::new();
        for (id, step) in steps {
            let before = inventory.given.remove(&id);
            let had = before.is_some();
            let before = before.unwrap_or_default();
            let after = step.map(|step| {
                touched.note_members(id, step.added.iter().chain(&step.removed).copied());
                let faults = faults(id, &step.left_out);
                let piece = MembersPiece {
                    left_out: step.left_out,
                    named: true,
                    faults,
                };
                self.members.insert(id, piece);
                let stay = before.iter().filter(|net| !step.removed.contains(net));
                stay.chain(step.added).collect::<Members>()
            });
            if had != after.is_some() {
                came_or_went.insert(id);
            }
            match after {
                Some(after) => drop(inventory.given.insert(id, after)),
                None => {
                    self.members.remove(&id);
                    touched.note_members(id, before.iter());
                }
            }
        }
        came_or_went
    }

    /// The lists of a snapshot.
    pub(super) fn member_steps(
        &self,
        inventory: &Inventory,
        named: bool,
    ) -> BTreeMap<Uuid, Option<MembersStep>> {
        let lists = self.members.iter().filter(|(_, list)| list.named == named);
        let steps = lists.map(|(id, piece)| {
            let nets = inventory.given.get(id).into_iter().flat_map(Members::iter);
            let step = MembersStep {
                added: nets.collect(),
                removed: BTreeSet::new(),
                left_out: piece.left_out.clone(),
            };
            (*id, Some(step))
        });
        steps.collect()
    }
}

fn step(text: &RawValue, before: Option<&Members>, piece: Option<&MembersPiece>) -> MembersStep {
    let none = Members::default();
    let before = before.unwrap_or(&none);
    let (given, mut left_out) = read(text);
    let (added, removed): (Vec<_>, BTreeSet<_>) = match given {
        Given::Whole(nets) => {
            let after: Members = nets.into_iter().collect();
            let gone = before.iter().filter(|net| !after.contains(net)).collect();
            (after.iter().collect(), gone)
        }
        Given::Changed(added, removed) => {
            let former = piece.into_iter().flat_map(|piece| piece.left_out.clone());
            left_out.extend(former);
            let gone = removed.into_iter().filter(|net| before.contains(net));
            let gone: BTreeSet<_> = gone.filter(|net| !added.contains(net)).collect();
            (added, gone)
        }
    };
    left_out.sort();
    left_out.dedup();
    MembersStep {
        added: added
            .into_iter()
            .filter(|net| !before.contains(net))
            .collect(),
        removed,
        left_out,
    }
}

/// Reads a list, or what has changed of one; and the entries that are at fault, as JSON.
fn read(text: &RawValue) -> (Given, Vec<String>) {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Changed<'a> {
        #[serde(default, borrow)]
        added: Vec<Cow<'a, str>>,
        #[serde(default, borrow)]
        removed: Vec<Cow<'a, str>>,
    }
    let mut left_out = Vec::new();
    let mut nets = |entries: Vec<Cow<'_, str>>| {
        let mut nets = Vec::with_capacity(entries.len());
        for entry in entries {
            match address::cidr("members", &entry) {
                Ok(net) => nets.push(net),
                Err(_) => left_out.push(Value::from(entry).to_string()),
            }
        }
        nets
    };
    let given = if let Ok(list) = serde_json::from_str::<Vec<Cow<'_, str>>>(text.get()) {
        Given::Whole(nets(list))
    } else if let Ok(changed) = serde_json::from_str::<Changed<'_>>(text.get()) {
        let removed = changed.removed.iter();
        let removed = removed.filter_map(|entry| address::cidr("members", entry).ok());
        let removed = removed.collect();
        Given::Changed(nets(changed.added), removed)
    } else if let Ok(list) = serde_json::from_str::<Vec<Value>>(text.get()) {
        let (texts, others): (Vec<_>, Vec<_>) = list.into_iter().partition(Value::is_string);
        let texts = texts.iter().filter_map(Value::as_str);
        let whole = Given::Whole(nets(texts.map(Cow::from).collect()));
        left_out.extend(others.iter().map(Value::to_string));
        whole
    } else {
        left_out.push(text.get().to_owned());
        Given::Whole(Vec::new())
    };
    (given, left_out)
}

fn faults(id: Uuid, left_out: &[String]) -> Vec<Fault> {
    let object = Object {
        kind: Kind::Members,
        id: id.to_string(),
        name: String::new(),
    };
    let faults = left_out.iter().map(|text| {
        let entry = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        let (key, entry) = in_store(entry);
        problem(&entry).of(&object, Effect::AddressLeftOut).at(key)
    });
    faults.collect()
}

/// What an entry is that a store has at a key.
fn in_store(entry: Value) -> (Option<String>, Value) {
    match entry {
        Value::Object(mut fields) if fields.contains_key("key") && fields.len() == 2 => {
            let key = fields.get("key").and_then(Value::as_str).map(str::to_owned);
            (key, fields.remove("value").unwrap_or_default())
        }
        entry => (None, entry),
    }
}

fn problem(entry: &Value) -> Problem {
    match entry {
        Value::String(text) => match address::cidr("members", text) {
            Err(problem) => problem,
            // One that an older daemon did not take is taken when it is told again.
            Ok(_) => Problem::new("members", entry, "was not taken", "tell it again"),
        },
        Value::Array(_) | Value::Object(_) => {
            let advice =
                "write a list of addresses and CIDRs, or {\"added\": [...], \"removed\": [...]}";
            Problem::new("members", entry, "is no list of members", advice)
        }
        _ => Problem::new(
            "members",
            entry,
            "is not a string",
            "write a CIDR, e.g. \"10.0.0.0/24\"",
        ),
    }
}
