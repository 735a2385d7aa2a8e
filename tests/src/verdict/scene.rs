//! What a test says: who is there, and which packets come.

use std::panic::Location;

use sg_common::hook::Hook;
use sg_common::layout::settings::Settings;
use sg_common::reason::{Accept, DropReason, Verdict};
use sg_userspace::model::{self, PortId};

use crate::inventory::{Group, Inventory, Port, group, port};

/// A port behind an interface, what else is in the inventory, and packets.
#[derive(Clone, Debug)]
pub struct Scene {
    pub(super) given: Given,
    pub(super) acts: Vec<Act>,
    /// What a packet leaves behind meets the next one.
    pub(super) in_order: bool,
    pub(super) settings: Settings,
}

/// An inventory, and the port of it that is behind the interface.
#[derive(Clone, Debug)]
pub(super) struct Given {
    port: Port,
    beside: Inventory,
    despite_faults: bool,
}

/// What happens in a scene.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Packet {
        hook: Hook,
        frame: Vec<u8>,
        expected: Verdict,
        at: &'static Location<'static>,
    },
    Change(Given),
}

/// A reason to accept or to drop.
#[derive(Clone, Copy, Debug)]
pub struct Expected(Verdict);

/// The port WEB1, 10.0.0.5 and 2001:db8::5, whose only group has these rules.
#[must_use]
pub fn web(rules: &[&str]) -> Scene {
    port_in(web_port(), rules)
}

/// The port WEB1, 10.0.0.5 and 2001:db8::5, in group WEB.
#[must_use]
pub fn web_port() -> Port {
    port("WEB1")
        .ip("10.0.0.5")
        .ip("2001:db8::5")
        .groups(&["WEB"])
}

/// A port, and these rules in the group WEB, which it need not be in.
#[must_use]
pub fn port_in(port: Port, rules: &[&str]) -> Scene {
    let web = rules
        .iter()
        .fold(group("WEB"), |group, rule| group.rule(rule));
    Scene {
        given: Given {
            port,
            beside: Inventory::new().group(web),
            despite_faults: false,
        },
        acts: Vec::new(),
        in_order: false,
        settings: Settings::DEFAULT,
    }
}

impl Scene {
    /// Whether the VM sends anything in it.
    pub(super) fn has_sent(&self) -> bool {
        let sent = |act: &Act| matches!(act, Act::Packet { hook, .. } if *hook == Hook::FromVm);
        self.acts.iter().any(sent)
    }

    /// Adds a port that is behind no interface here, or a subport of the one that is.
    #[must_use]
    pub fn beside(mut self, port: Port) -> Self {
        self.given.beside = self.given.beside.port(port);
        self
    }

    /// Adds a security group.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.given.beside = self.given.beside.group(group);
        self
    }

    /// Adds an address group.
    #[must_use]
    pub fn addresses(mut self, name: &str, addresses: &[&str]) -> Self {
        self.given.beside = self.given.beside.address_group(name, addresses);
        self
    }

    /// The inventory has faults, and is applied as far as it goes.
    #[must_use]
    pub fn despite_faults(mut self) -> Self {
        self.given.despite_faults = true;
        self
    }

    /// The packets are one after the other, not each for itself.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        self.in_order = true;
        self
    }

    /// The operator has switched this, one of `sg_common::layout::settings::switch`.
    #[must_use]
    pub fn switched(mut self, switch: u32) -> Self {
        self.settings.switch(switch, true);
        self
    }

    /// The operator lets these ethertypes pass and no others.
    #[must_use]
    pub fn ethertypes(mut self, list: &[u16]) -> Self {
        self.settings.ethertypes.fill(0);
        self.settings.ethertypes[..list.len()].copy_from_slice(list);
        self
    }

    /// A packet comes for the VM.
    #[must_use]
    #[track_caller]
    pub fn to_vm(self, frame: impl Into<Vec<u8>>, expected: impl Into<Expected>) -> Self {
        self.packet(Hook::ToVm, frame.into(), expected.into())
    }

    /// The VM sends a packet.
    #[must_use]
    #[track_caller]
    pub fn from_vm(self, frame: impl Into<Vec<u8>>, expected: impl Into<Expected>) -> Self {
        self.packet(Hook::FromVm, frame.into(), expected.into())
    }

    /// The inventory is now that of another scene.
    #[must_use]
    pub fn now(mut self, other: Self) -> Self {
        self.acts.push(Act::Change(other.given));
        self.in_order()
    }

    #[track_caller]
    fn packet(mut self, hook: Hook, frame: Vec<u8>, expected: Expected) -> Self {
        let at = Location::caller();
        let Expected(expected) = expected;
        self.acts.push(Act::Packet {
            hook,
            frame,
            expected,
            at,
        });
        self
    }
}

impl Given {
    pub fn port(&self) -> PortId {
        PortId(self.port.id())
    }

    pub fn inventory(&self) -> model::Inventory {
        let document = self.beside.clone().port(self.port.clone()).json();
        let parsed = model::parse(document.to_string().as_bytes())
            .unwrap_or_else(|e| panic!("no inventory: {e}"));
        assert!(
            parsed.faults.is_empty() || self.despite_faults,
            "the inventory is not right: {:?}",
            parsed.faults
        );
        parsed.inventory
    }
}

impl From<Accept> for Expected {
    fn from(accept: Accept) -> Self {
        Self(Ok(accept))
    }
}

impl From<DropReason> for Expected {
    fn from(reason: DropReason) -> Self {
        Self(Err(reason))
    }
}
