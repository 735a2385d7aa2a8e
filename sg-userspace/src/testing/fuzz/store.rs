//! What a store has, whoever has written it: keys with their values. A string stands for a value that is this
//! text, JSON or not.

use serde_json::{Map, Value};
use sg_store::{Entry, Identity, Mirror, Position};

use crate::model::{Inventory, Told, Transaction};

const HOST: &str = "node";

fn check(text: &[u8]) {
    let Ok(values) = serde_json::from_slice::<Map<String, Value>>(text) else {
        return;
    };
    let mut node = Node::default();
    let mut mirror = Mirror::new(HOST);
    for (number, (key, value)) in values.iter().enumerate() {
        mirror.put(entry(key, value));
        // Told one by one at first, and the rest at once.
        if number < 3 {
            node.tell(&mut mirror);
        }
    }
    node.tell(&mut mirror);

    let mut all = Mirror::new(HOST);
    for (key, value) in &values {
        all.put(entry(key, value));
    }
    let mut other = Node::default();
    other.tell(&mut all);
    assert_eq!(node.inventory, other.inventory);
    let faults = |node: &Node| {
        let faults: Vec<_> = node.told.faults().map(ToString::to_string).collect();
        faults
    };
    assert_eq!(faults(&node), faults(&other));
    let keys = node.told.faults().map(|fault| fault.key.as_deref());
    for key in keys {
        let key = key.expect("what is at fault has a key");
        assert!(key.starts_with("/sg/v1/"), "{key}");
    }
}

struct Node {
    told: Told,
    inventory: Inventory,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            told: Told::of(Some(HOST.into())),
            inventory: Inventory::default(),
        }
    }
}

impl Node {
    fn tell(&mut self, mirror: &mut Mirror) {
        let base = self.told.session().map(|_| self.told.revision());
        let at = Position {
            identity: Identity {
                store: 1,
                generation: 1,
            },
            revision: self.told.revision() + 1,
        };
        let body = mirror.tell(at, base).to_json();
        let transaction = Transaction::parse(&body).expect("a mirror tells transactions");
        let step = self.told.step(&self.inventory, transaction);
        self.told.take(
            &mut self.inventory,
            step.expect("it builds on what is there"),
        );
    }
}

fn entry(key: &str, value: &Value) -> Entry {
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    Entry {
        key: key.into(),
        value: text.into_bytes(),
        revision: 1,
    }
}

super::target!("store", check, json);
