//! Whether a port permits connections that come from another node, or from another filter.

use std::collections::BTreeMap;

use ipnet::IpNet;
use sg_common::{
    layout::flow::FlowKey,
    layout::hit::HitKey,
    layout::port::{ADDRESS_KEY_BITS, AddressKey, Port, flags},
    layout::settings::Settings,
    memory::Memory,
    packet::Opening,
    reason::DropReason,
    scratch::{Facts, Run},
    stage::{Context, permission, source},
    wire::addr::{Family, V4_PREFIX_BITS, to_ip},
    wire::ethernet::Ethernet,
};

use crate::plan::State;

/// A port and its policy: the part of the tables that says what it permits. A copy, which stays as it is.
#[derive(Debug)]
pub struct Gate {
    port: Port,
    part: State,
    settings: Settings,
}

/// Judges connections as a port's filter does.
pub struct Judge {
    port: Port,
    memory: Memory,
}

/// Why a connection is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The filter would drop its first packet.
    Dropped(DropReason),
    /// The port tracks no connections: it is stateless, or not filtered.
    Untracked,
}

impl Refusal {
    /// The name that programs see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dropped(reason) => reason.as_str(),
            Self::Untracked => "untracked",
        }
    }
}

impl Gate {
    /// The gate of a port of these tables, under these settings.
    pub fn new(state: &State, port: &Port, settings: &Settings) -> Self {
        let own = |(_, key): &(u32, AddressKey)| key.slot == port.slot;
        let addresses = state.addresses.iter().filter(|(key, _)| own(key));
        let part = State {
            ports: BTreeMap::from([(port.key, *port)]),
            addresses: addresses.map(|(key, kind)| (*key, *kind)).collect(),
            rows: state.rows.reached_from(port.policies.into_iter()),
        };
        Self {
            port: *port,
            part,
            settings: *settings,
        }
    }

    /// The port's slot.
    pub fn slot(&self) -> u32 {
        self.port.slot
    }

    /// Whether the port tracks connections: it is filtered, and its groups are stateful.
    pub fn tracks(&self) -> bool {
        tracks(&self.port)
    }

    /// Which addresses the VM may send from, whatever the MAC. A port without fixed addresses has all.
    pub fn addresses(&self) -> Vec<IpNet> {
        let rows = self.part.addresses.keys();
        rows.filter_map(|(bits, key)| net(*bits, key)).collect()
    }

    /// Who judges at it.
    pub fn judge(&self) -> Judge {
        Judge {
            port: self.port,
            memory: Memory {
                settings: self.settings,
                ..self.part.to_memory()
            },
        }
    }
}

impl Judge {
    /// Asks what the filter asks of a connection whose port has changed: whether the VM still has the
    /// address that it opened the connection from, and whether the rules permit the first packet.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn permits(&self, key: &FlowKey, from_vm: bool) -> Result<(), Refusal> {
        if !tracks(&self.port) {
            return Err(Refusal::Untracked);
        }
        let opening = Opening::of_flow(key, from_vm);
        let ethernet = Ethernet {
            source: self.port.mac,
            ..Run::EMPTY.facts.ethernet
        };
        let facts = Facts::new(ethernet, &self.port, self.port.key, 0);
        let context = Context {
            hook: opening.hook,
            facts: &facts,
            port: &self.port,
            settings: &self.memory.settings,
        };
        if from_vm && !source::is_own(&self.memory, &context, key.family(), &key.local) {
            // Some packets need no address of the port.
            source::check(&self.memory, &context, &opening).map_err(Refusal::Dropped)?;
        }
        let mut hit = HitKey::NONE;
        match permission::ask(&self.memory, &context, &opening, &mut hit) {
            Some(_) => Ok(()),
            None => Err(Refusal::Dropped(DropReason::NoRule)),
        }
    }
}

fn tracks(port: &Port) -> bool {
    !port.has(flags::STATELESS) && !port.has(flags::UNFILTERED)
}

/// The addresses of a row; `None` for one that is of MACs.
fn net(bits: u32, key: &AddressKey) -> Option<IpNet> {
    let of_family = |family: &Family| key.family == family.number();
    let family = Family::ALL.into_iter().find(of_family)?;
    let length = match family {
        Family::V4 => bits.checked_sub(ADDRESS_KEY_BITS + V4_PREFIX_BITS)?,
        Family::V6 => bits.checked_sub(ADDRESS_KEY_BITS)?,
    };
    IpNet::new(to_ip(&key.address, family), length.try_into().ok()?).ok()
}
