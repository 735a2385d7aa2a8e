//! Objects in order and in pages.

use std::cmp::Ordering;

use serde_json::{Value, json};

use crate::error::Result;
use crate::objects::Fields;
use crate::query::Query;
use crate::resource::Collection;
use crate::world::Draft;

/// The objects of a kind that a request asks for, under their name, with links to the pages beside theirs.
///
/// # Errors
///
/// What is asked for is not understood.
pub fn list(collection: &Collection, draft: &mut Draft, query: &Query, url: &str) -> Result<Value> {
    let filters = query.filters(collection.attributes)?;
    let limit = query.limit()?;
    let mut sorts = query.sorts(collection.attributes)?;
    let key = collection.key;
    if !sorts.iter().any(|(name, _)| name == key) {
        sorts.push((key.into(), true));
    }
    let all = (collection.list)(draft, &filters)?;
    let mut page: Vec<Fields> = all.into_iter().filter(|one| filters.fit(one)).collect();
    page.sort_by(|one, other| order(&sorts, one, other));
    let mut links = None;
    if let Some(limit) = limit {
        let marker = query.last("marker").filter(|marker| !marker.is_empty());
        let marker = marker.map(|marker| (collection.show)(&draft.world, marker));
        let marker = match marker.transpose() {
            // Only the core looks whether it is there.
            Err(error) if collection.is_core => return Err(error),
            marker => marker.unwrap_or_default(),
        };
        page = cut(page, &sorts, marker.as_ref(), limit, query.is_reverse());
        links = Some(beside(query, url, (&page, key), limit));
    }
    let picked = query.picked(collection.always);
    let page: Vec<Fields> = page.into_iter().map(|one| picked.of(one)).collect();
    let mut answer = json!({});
    answer[collection.plural] = page.into();
    if let Some(links) = links.filter(|links| !links.is_empty()) {
        answer[format!("{}_links", collection.plural)] = links.into();
    }
    Ok(answer)
}

/// One page behind or before the marker.
fn cut(
    mut all: Vec<Fields>,
    sorts: &[(String, bool)],
    marker: Option<&Fields>,
    limit: usize,
    is_reverse: bool,
) -> Vec<Fields> {
    if let Some(marker) = marker {
        let wanted = match is_reverse {
            true => Ordering::Less,
            false => Ordering::Greater,
        };
        all.retain(|one| order(sorts, one, marker) == wanted);
    }
    let from = match is_reverse {
        true => all.len().saturating_sub(limit),
        false => 0,
    };
    all.drain(..from);
    all.truncate(limit);
    all
}

fn order(sorts: &[(String, bool)], one: &Fields, other: &Fields) -> Ordering {
    let null = Value::Null;
    let mut orders = sorts.iter().map(|(name, is_upwards)| {
        let [one, other] = [one, other].map(|of| of.get(name).unwrap_or(&null));
        let order = compare(one, other);
        match is_upwards {
            true => order,
            false => order.reverse(),
        }
    });
    orders
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Nothing comes before everything.
fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::Bool(one), Value::Bool(other)) => one.cmp(other),
        (Value::Number(one), Value::Number(other)) => one.as_i64().cmp(&other.as_i64()),
        (Value::String(one), Value::String(other)) => one.cmp(other),
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => Ordering::Equal,
    }
}

/// The links to the pages behind and before this one.
fn beside(query: &Query, url: &str, (page, key): (&[Fields], &str), limit: usize) -> Vec<Value> {
    let is_short = page.len() < limit;
    let link = |rel: &str, at: Option<&Fields>, is_reverse: bool| {
        let left_out = match is_reverse {
            true => &["marker"][..],
            false => &["marker", "page_reverse"][..],
        };
        let kept = query.0.iter();
        let mut kept: Vec<(&str, &str)> = kept
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(name, _)| !left_out.contains(name))
            .collect();
        let marker = at.and_then(|at| at.get(key)?.as_str());
        kept.extend(marker.map(|marker| ("marker", marker)));
        if is_reverse {
            kept.retain(|(name, _)| *name != "page_reverse");
            kept.push(("page_reverse", "True"));
        }
        let kept = serde_urlencoded::to_string(kept).unwrap_or_default();
        json!({"rel": rel, "href": format!("{url}?{kept}")})
    };
    let mut links = Vec::new();
    if query.is_reverse() || !is_short {
        links.push(link("next", page.last(), false));
    }
    if !query.is_reverse() || !is_short {
        links.push(link("previous", page.first(), true));
    }
    links
}
