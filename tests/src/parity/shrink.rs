//! Makes a failing scenario small: leaves out whatever it fails without.

use serde_json::Value;

use crate::parity::scenario::{Scenario, Step};

/// The smallest scenario found within so many tries that `fails` still says fails.
pub fn shrink(
    scenario: &Scenario,
    tries: usize,
    mut fails: impl FnMut(&Scenario) -> bool,
) -> Scenario {
    let mut small = scenario.clone();
    let mut left = tries;
    // Big parts first; once around again after any success, until nothing can go.
    'again: while left > 0 {
        for smaller in candidates(&small) {
            if left == 0 {
                break;
            }
            left -= 1;
            if fails(&smaller) {
                small = smaller;
                continue 'again;
            }
        }
        break;
    }
    small
}

/// The scenario without one of its parts, for each part, the biggest first.
fn candidates(scenario: &Scenario) -> Vec<Scenario> {
    let mut found = Vec::new();
    let mut size = scenario.steps.len() / 2;
    while size > 0 {
        for at in (0..scenario.steps.len()).step_by(size) {
            let mut smaller = scenario.clone();
            let end = (at + size).min(smaller.steps.len());
            smaller.steps.drain(at..end);
            found.push(smaller);
        }
        size /= 2;
    }
    // A part of the inventory must go from all inventories of the scenario alike.
    for part in parts(&scenario.inventory) {
        let mut smaller = scenario.clone();
        part.leave(&mut smaller.inventory);
        for step in &mut smaller.steps {
            if let Step::Apply { inventory } = step {
                part.leave(inventory);
            }
        }
        if smaller != *scenario {
            found.push(smaller);
        }
    }
    found
}

/// What an inventory can do without.
enum Part {
    /// An object with this id, and all that names it.
    Object(Value),
    /// An element of the list at this JSON pointer.
    Element(String, Value),
}

/// The big ones first.
fn parts(inventory: &Value) -> Vec<Part> {
    let count = |list: &str| inventory[list].as_array().map_or(0, Vec::len);
    let elements = |list: &str| {
        let elements = inventory.pointer(list).and_then(Value::as_array);
        elements.into_iter().flatten().cloned().collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    for list in ["/security_groups", "/address_groups", "/ports"] {
        let ids = elements(list)
            .into_iter()
            .map(|object| object["id"].clone());
        found.extend(ids.map(Part::Object));
    }
    for (list, field) in [
        ("security_groups", "security_group_rules"),
        ("ports", "security_groups"),
        ("ports", "allowed_address_pairs"),
        ("ports", "fixed_ips"),
        ("address_groups", "addresses"),
    ] {
        for at in 0..count(list) {
            let pointer = format!("/{list}/{at}/{field}");
            let elements = elements(&pointer).into_iter();
            found.extend(elements.map(|element| Part::Element(pointer.clone(), element)));
        }
    }
    found
}

impl Part {
    fn leave(&self, inventory: &mut Value) {
        match self {
            Self::Object(id) => leave(inventory, id),
            Self::Element(pointer, element) => {
                if let Some(list) = inventory.pointer_mut(pointer).and_then(Value::as_array_mut) {
                    list.retain(|other| other != element);
                }
            }
        }
    }
}

/// Leaves out whatever is, or names, the object of an id.
fn leave(value: &mut Value, id: &Value) {
    match value {
        Value::Array(list) => {
            list.retain(|element| {
                let names = |object: &Value| match object {
                    Value::Object(fields) => fields.values().any(|field| field == id),
                    other => other == id,
                };
                !names(element)
            });
            list.iter_mut().for_each(|element| leave(element, id));
        }
        Value::Object(fields) => fields.values_mut().for_each(|field| leave(field, id)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::shrink;
    use crate::packet::udp;
    use crate::parity::scenario::{End, Scenario, Step};

    #[test]
    fn what_does_not_matter_is_left_out() {
        let step =
            |port: u16| Step::send(End::VM1, &udp("10.0.0.5:9", &format!("10.0.0.6:{port}")));
        let scenario = Scenario {
            name: String::new(),
            inventory: json!({
                "ports": [{ "id": "a", "security_groups": ["g"] }, { "id": "b", "security_groups": [] }],
                "security_groups": [{ "id": "g", "security_group_rules": [1, 2, 3] }],
            }),
            steps: vec![step(1), step(2), step(3)],
        };
        let small = shrink(&scenario, 100, |scenario| {
            scenario.steps.contains(&step(2)) && scenario.inventory.to_string().contains('3')
        });
        assert_eq!(small.steps, [step(2)]);
        assert_eq!(small.inventory["ports"], json!([]));
        assert_eq!(
            small.inventory["security_groups"][0]["security_group_rules"],
            json!([3])
        );
    }
}
