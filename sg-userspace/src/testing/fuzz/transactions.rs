//! Transactions, and the steps that are kept of them.

use crate::model::{Inventory, Step, Told, Transaction};

fn check(text: &[u8]) {
    let Ok(transaction) = Transaction::parse(text) else {
        return;
    };
    let (mut told, mut inventory) = (Told::default(), Inventory::default());
    let Ok(step) = told.step(&inventory, transaction) else {
        return;
    };
    let kept = serde_json::to_vec(&step).unwrap();
    told.take(&mut inventory, step);
    let faults: Vec<_> = told.faults().map(ToString::to_string).collect();

    // At the next start it is the same.
    let step: Step = serde_json::from_slice(&kept).unwrap();
    let (mut again, mut recalled) = (Told::default(), Inventory::default());
    again.take(&mut recalled, step);
    assert_eq!(recalled, inventory);
    let faults_again: Vec<_> = again.faults().map(ToString::to_string).collect();
    assert_eq!(faults_again, faults);
}

super::target!("transactions", check, json);
