//! The two sides that are compared: Neutron's iptables rules, and this filter.

mod filter;
mod iptables;

use serde_json::Value;

pub use self::filter::Filter;
pub use self::iptables::Iptables;
use crate::inventory::port_id;
use crate::mac::Mac;
use crate::parity::lab::Lab;
use crate::parity::scenario::{End, Step, Verdicts};

/// Something that filters a lab.
pub trait Side {
    /// Its lab.
    fn lab(&mut self) -> &mut Lab;

    /// The inventory that the side was begun with, as long as nothing has changed it.
    fn begun(&mut self) -> &mut Option<Value>;

    /// Makes an inventory the one that is enforced. `fresh`: no matter what was before.
    fn enforce(&mut self, inventory: &Value, fresh: bool);

    /// Forgets all connections.
    fn forget(&mut self);

    /// Begins with an inventory and no connections.
    fn begin(&mut self, inventory: &Value) {
        if self.begun().as_ref() != Some(inventory) {
            self.apply(inventory, true);
            *self.begun() = Some(inventory.clone());
        }
        self.forget();
    }

    /// Enforces an inventory, and tells the lab.
    fn apply(&mut self, inventory: &Value, fresh: bool) {
        *self.begun() = None;
        self.enforce(inventory, fresh);
        for end in End::ALL {
            if let Some(mac) = mac_of(end, inventory) {
                self.lab().set_mac(end, mac);
            }
        }
    }

    /// Goes through the steps; the verdict on each.
    fn play(&mut self, steps: &[Step]) -> Verdicts {
        let mut verdicts = Verdicts::new();
        for step in steps {
            verdicts.push(match step {
                Step::Send { from, frames } => {
                    let frames: Vec<_> = frames.iter().map(|raw| raw.0.clone()).collect();
                    self.lab().send(*from, &frames).map(|seen| seen.len())
                }
                Step::Apply { inventory } => {
                    self.apply(inventory, false);
                    Default::default()
                }
            });
        }
        verdicts
    }
}

/// The ids of the ports that are plugged in here.
fn local(inventory: &Value) -> Vec<String> {
    let here = |id: &&str| {
        End::ALL.iter().any(|end| {
            end.port()
                .is_some_and(|name| port_id(name).to_string() == **id)
        })
    };
    let ports = inventory["ports"].as_array().into_iter().flatten();
    ports
        .filter_map(|port| port["id"].as_str())
        .filter(here)
        .map(str::to_owned)
        .collect()
}

fn mac_of(end: End, inventory: &Value) -> Option<Mac> {
    let id = port_id(end.port()?).to_string();
    let ports = inventory["ports"].as_array()?;
    let port = ports.iter().find(|port| port["id"] == id.as_str())?;
    port["mac_address"].as_str()?.parse().ok()
}
