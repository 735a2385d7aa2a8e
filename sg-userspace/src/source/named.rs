//! By which name a node is one of the hosts of a store.
//!
//! The ports of a host are below a key with its name. By another name a node would find none, and take away
//! all that it has; a name can change with a lease of DHCP, a domain or a slip of the hand.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    error::{Error, Result},
    host,
    model::Step,
};

/// The part of a port that says where it is.
#[derive(Deserialize)]
struct Bound<'a> {
    #[serde(rename = "binding:host_id", default, borrow)]
    host: Option<Cow<'a, str>>,
}

/// The name that is given, or that of this host.
///
/// # Errors
///
/// [`Error::Usage`]: it is empty, or cannot be read.
pub(super) fn name(given: Option<&str>) -> Result<String> {
    chosen(given, host::name)
}

fn chosen(given: Option<&str>, own: impl FnOnce() -> String) -> Result<String> {
    let name = given.map_or_else(own, str::to_owned);
    match (name.trim().is_empty(), given) {
        (false, _) => Ok(name),
        (true, Some(_)) => Err(Error::Usage(
            "the name of the host is empty: name it with --host, or host under [daemon] of the configuration, as \
             binding:host_id has it"
                .into(),
        )),
        (true, None) => Err(Error::Usage(
            "this host has no name that can be read: name it with --host, or host under [daemon] of the \
             configuration, as binding:host_id has it"
                .into(),
        )),
    }
}

/// Refuses a name by which none of the ports that are kept is at home, if they say where they are.
///
/// # Errors
///
/// [`Error::Usage`], with both names.
pub(super) fn check(name: &str, steps: &[Step], state: &Path) -> Result<()> {
    let hosts = hosts(steps);
    if hosts.is_empty() || hosts.contains(name) {
        return Ok(());
    }
    let others: Vec<_> = hosts.iter().map(|host| format!("{host:?}")).collect();
    let other = hosts.iter().next().map_or("", String::as_str);
    Err(Error::Usage(format!(
        "this node is host {name:?} now, and the ports in {} are of host {}: as {name:?} it would take them all \
         away, and close their taps. Start it with --host {other} (host under [daemon] of the configuration); if it \
         is to be {name:?} from now on, move that file away",
        state.display(),
        others.join(" and "),
    )))
}

/// The hosts that the ports of these steps name.
fn hosts(steps: &[Step]) -> BTreeSet<String> {
    let mut hosts = BTreeMap::new();
    for (id, text) in steps.iter().flat_map(Step::ports) {
        match text {
            Some(text) => hosts.insert(id, host_of(text)),
            None => hosts.remove(&id),
        };
    }
    hosts.into_values().flatten().collect()
}

fn host_of(port: &RawValue) -> Option<String> {
    let bound: Bound<'_> = serde_json::from_str(port.get()).ok()?;
    let host = bound.host.filter(|host| !host.is_empty())?;
    Some(host.into_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::exit::Exit;

    fn steps(ports: &[Value]) -> Vec<Step> {
        let step = |ports: &Value| json!({"revision": 1, "session": "0e550000-0000-4000-8000-000000000001", "ports": ports});
        let steps = ports.iter().map(step);
        steps
            .map(|step| serde_json::from_str(&step.to_string()).unwrap())
            .collect()
    }

    fn id(number: u32) -> String {
        format!("11111111-1111-4111-8111-11111111111{number}")
    }

    fn at(host: &str) -> Value {
        json!({"binding:host_id": host})
    }

    #[test]
    fn a_node_by_another_name_than_its_ports_have_is_refused_with_both_names() {
        let kept = steps(&[json!({id(1): at("compute-1"), id(2): {"name": "unbound"}})]);
        let refused = check("compute-1.example.org", &kept, Path::new("/s/state")).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage);
        let text = refused.to_string();
        for words in [
            "host \"compute-1.example.org\" now",
            "of host \"compute-1\"",
            "--host compute-1 ",
            "/s/state",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        check("compute-1", &kept, Path::new("/s/state")).unwrap();
    }

    #[test]
    fn ports_that_went_or_do_not_say_where_they_are_keep_no_name_away() {
        let state = Path::new("/s/state");
        for kept in [
            steps(&[]),
            steps(&[json!({id(1): at("a")}), json!({id(1): null})]),
            steps(&[json!({id(1): at("a")}), json!({id(1): at("b")})]),
            steps(&[json!({id(1): at("a"), id(2): at("b")})]),
            steps(&[json!({id(1): at(""), id(2): 7, id(3): {"name": "x"}})]),
        ] {
            check("b", &kept, state).unwrap();
        }
    }

    #[test]
    fn a_host_without_a_name_is_refused() {
        let own = |name: &str| {
            let name = name.to_owned();
            move || name
        };
        assert_eq!(chosen(None, own("n1")).unwrap(), "n1");
        assert_eq!(chosen(Some("n2"), own("n1")).unwrap(), "n2");
        for (given, said) in [
            (Some(""), "is empty"),
            (Some(" "), "is empty"),
            (None, "no name"),
        ] {
            let refused = chosen(given, own("")).unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage);
            let text = refused.to_string();
            assert!(text.contains(said) && text.contains("--host"), "{text}");
        }
    }
}
