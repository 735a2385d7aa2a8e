//! What a request asks for behind the question mark: filters, fields, order and pages.

mod filters;

use std::collections::HashSet;

pub use filters::Filters;

use crate::attributes::Attribute;
use crate::error::{ApiError, Result};
use crate::objects::Fields;
use crate::python;

/// The parameters, in order, each as often as it was given.
#[derive(Clone, Debug, Default)]
pub struct Query(pub Vec<(String, String)>);

/// What is no filter.
const OTHERS: [&str; 6] = [
    "fields",
    "sort_key",
    "sort_dir",
    "limit",
    "marker",
    "page_reverse",
];

impl Query {
    /// Reads what stands behind the question mark.
    pub fn read(text: &str) -> Self {
        Self(serde_urlencoded::from_str(text).unwrap_or_default())
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The last value of a parameter.
    pub fn last(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().rfind(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The fields that are asked for, and some that are always there; all if none is asked for.
    pub fn picked<'a>(&'a self, always: &[&'a str]) -> Picked<'a> {
        let asked = self.all("fields").filter(|field| !field.is_empty());
        let mut names: HashSet<&str> = asked.collect();
        if !names.is_empty() {
            names.extend(always);
        }
        Picked(names)
    }

    /// The filters, each of an attribute that can be one.
    ///
    /// # Errors
    ///
    /// One is of another.
    pub fn filters(&self, attributes: &[Attribute]) -> Result<Filters> {
        let mut filters = Filters::default();
        let mut invalid: Vec<&str> = Vec::new();
        for (name, value) in &self.0 {
            if OTHERS.contains(&name.as_str()) {
                continue;
            }
            let owner = matches!(name.as_str(), "project_id" | "tenant_id");
            let is_known = |attribute: &&Attribute| {
                attribute.name == name
                    || owner && matches!(attribute.name, "project_id" | "tenant_id")
            };
            match attributes.iter().find(is_known) {
                Some(attribute) if attribute.filter => filters.add(attribute, name, value)?,
                _ if invalid.contains(&name.as_str()) => {}
                _ => invalid.push(name),
            }
        }
        match invalid.is_empty() {
            true => Ok(filters),
            false => Err(ApiError::request(format!(
                "{} is invalid attribute for filtering",
                python::list(invalid)
            ))),
        }
    }

    /// By what is sorted, and whether upwards.
    ///
    /// # Errors
    ///
    /// Keys and directions do not go together, or one is none.
    pub fn sorts(&self, attributes: &[Attribute]) -> Result<Vec<(String, bool)>> {
        let said = |name| -> Vec<&str> { self.all(name).filter(|it| !it.is_empty()).collect() };
        let (keys, directions) = (said("sort_key"), said("sort_dir"));
        if keys.len() != directions.len() {
            return Err(ApiError::request(
                "The number of sort_keys and sort_dirs must be same",
            ));
        }
        let can_sort = |key: &str| {
            let owner = matches!(key, "project_id" | "tenant_id");
            attributes.iter().any(|attribute| {
                let is_it = attribute.name == key
                    || owner && matches!(attribute.name, "project_id" | "tenant_id");
                is_it && attribute.sort
            })
        };
        let absent: Vec<&str> = keys.iter().copied().filter(|key| !can_sort(key)).collect();
        if !absent.is_empty() {
            return Err(ApiError::request(format!(
                "{} is invalid attribute for sort_keys",
                python::list(absent)
            )));
        }
        let invalid: Vec<&str> = directions
            .iter()
            .copied()
            .filter(|direction| !matches!(*direction, "asc" | "desc"))
            .collect();
        if !invalid.is_empty() {
            return Err(ApiError::request(format!(
                "{} is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
                python::list(invalid)
            )));
        }
        let mut sorts: Vec<(String, bool)> = Vec::new();
        for (key, direction) in keys.into_iter().zip(directions) {
            // Who asks again for what is in order changes nothing.
            if !sorts.iter().any(|(sorted, _)| sorted == key) {
                sorts.push((key.to_owned(), direction == "asc"));
            }
        }
        Ok(sorts)
    }

    /// How many are asked for; all if nothing is said.
    ///
    /// # Errors
    ///
    /// It is no number, or a negative one.
    pub fn limit(&self) -> Result<Option<usize>> {
        let Some(text) = self.last("limit") else {
            return Ok(None);
        };
        let limit = python::int_of(text);
        match limit.map(usize::try_from) {
            Some(Ok(0)) => Ok(None),
            Some(Ok(limit)) => Ok(Some(limit)),
            _ => Err(ApiError::bad_resource(
                "limit",
                format!(
                    "Limit must be an integer 0 or greater and not '{}'",
                    limit.map_or_else(|| text.to_owned(), |limit| limit.to_string())
                ),
            )),
        }
    }

    /// Whether pages are turned backwards.
    pub fn is_reverse(&self) -> bool {
        let reverse = self.last("page_reverse");
        reverse.is_some_and(|reverse| reverse.eq_ignore_ascii_case("true"))
    }
}

/// The names of fields that are asked for; none for all.
#[derive(Clone, Debug)]
pub struct Picked<'a>(HashSet<&'a str>);

impl Picked<'_> {
    /// These fields of an object.
    pub fn of(&self, mut fields: Fields) -> Fields {
        if !self.0.is_empty() {
            fields.retain(|name, _| self.0.contains(name.as_str()));
        }
        fields
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::attributes::tables;

    fn fields(value: Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    fn fits(query: &str, object: Value) -> bool {
        let filters = Query::read(query).filters(tables::PORTS).unwrap();
        filters.fit(&fields(object))
    }

    #[test]
    fn values_of_a_name_are_or_and_names_are_and() {
        let port = || json!({"name": "a", "device_id": "x", "admin_state_up": true});
        assert!(fits("name=b&name=a&device_id=x", port()));
        assert!(!fits("name=a&device_id=y", port()));
        assert!(fits("admin_state_up=True", port()));
        assert!(!fits("admin_state_up=0", port()));
    }

    #[test]
    fn tags_are_asked_for_together_or_apart_or_against() {
        let port = || json!({"tags": ["a", "b"]});
        for (query, expected) in [
            ("tags=a,b", true),
            ("tags=a,c", false),
            ("tags-any=c,a", true),
            ("not-tags=a,b", false),
            ("not-tags=a,c", true),
            ("not-tags-any=c", true),
        ] {
            assert_eq!(fits(query, port()), expected, "{query}");
        }
    }

    #[test]
    fn ports_are_found_by_their_addresses() {
        let port = || json!({"fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.5"}]});
        assert!(fits(
            "fixed_ips=ip_address%3D10.0.0.5&fixed_ips=subnet_id%3Ds",
            port()
        ));
        assert!(!fits("fixed_ips=ip_address%3D10.0.0.6", port()));
        assert!(fits("fixed_ips=ip_address_substr%3D0.0.", port()));
        let wrong = Query::read("fixed_ips=nonsense").filters(tables::PORTS);
        assert_eq!(wrong.unwrap_err().kind, "InvalidInput");
    }

    #[test]
    fn what_is_no_filter_is_told_at_once() {
        let error = Query::read("foo=1&name=a&bar=2&foo=3")
            .filters(tables::PORTS)
            .unwrap_err();
        assert_eq!(
            error.message,
            "['foo', 'bar'] is invalid attribute for filtering"
        );
    }

    #[test]
    fn keys_go_with_directions() {
        let sorts = |query: &str| Query::read(query).sorts(tables::PORTS);
        assert!(sorts("sort_key=name").is_err());
        assert!(sorts("sort_key=name&sort_dir=up").is_err());
        assert!(sorts("sort_key=fixed_ips&sort_dir=asc").is_err());
        assert_eq!(
            sorts(
                "sort_key=name&sort_dir=desc&sort_key=id&sort_dir=asc&sort_key=name&sort_dir=asc"
            ),
            Ok(vec![("name".into(), false), ("id".into(), true)])
        );
    }

    #[test]
    fn fields_are_picked_and_unknown_ones_are_none() {
        let object = || fields(json!({"id": 1, "name": "a"}));
        let pick = |query: &str| Query::read(query).picked(&[]).of(object());
        assert_eq!(pick("fields=name"), fields(json!({"name": "a"})));
        assert_eq!(pick("fields=nonsense"), Fields::new());
        assert_eq!(pick("fields="), object());
    }
}
