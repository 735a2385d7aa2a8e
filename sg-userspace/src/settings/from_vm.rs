//! Where what VMs send is to be judged: by the node's key, and by one of each port that is to differ.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{model::PortId, view::SettingView};

/// The key.
pub(super) const KEY: &str = "from_vm";

/// The section in which single ports have theirs, by their ids.
pub(super) const PORTS: &str = "ports";

/// What it is for, in one sentence for people.
const DOC: &str = "Where what VMs send is filtered: \"tc\"; \"xdp\", before tc, and before a switch in user \
                   space that reads the tap; \"guard\", at tc, and \
                   before it what is refused without regard to connections; \"auto\" takes \"xdp\" for taps that such a switch reads. What \
                   VMs receive is filtered at tc";

/// What single ports are for.
const DOC_OF_PORT: &str = "Of this port; of a trunk the parent's holds for all its subports";

/// Where what a VM sends is to be judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FromVm {
    /// At tc.
    Tc,
    /// At XDP.
    Xdp,
    /// At tc, with a guard at XDP.
    Guard,
    /// At XDP where what carries the frames on takes them before tc, otherwise at tc.
    #[default]
    Auto,
}

impl FromVm {
    const ALL: [Self; 4] = [Self::Tc, Self::Xdp, Self::Guard, Self::Auto];

    /// Which values there are, for people.
    pub(super) const VALUES: &'static str = "\"tc\", \"xdp\", \"guard\" or \"auto\"";

    /// As in the settings file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tc => "tc",
            Self::Xdp => "xdp",
            Self::Guard => "guard",
            Self::Auto => "auto",
        }
    }

    /// Reads a value of the settings file.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let word = value.as_str()?;
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }
}

/// What is wanted of the node, and of the ports that are to differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    pub(super) node: FromVm,
    pub(super) ports: BTreeMap<PortId, FromVm>,
}

impl Wishes {
    /// What is wanted of a port; of an interface without one, as of the node.
    pub fn of(&self, port: Option<PortId>) -> FromVm {
        let own = port.and_then(|port| self.ports.get(&port));
        own.copied().unwrap_or(self.node)
    }

    /// As settings: the node's, and those of single ports, which come behind all others.
    pub fn views(&self) -> (SettingView, Vec<SettingView>) {
        let view = |key: String, value: FromVm, default: FromVm| SettingView {
            key,
            value: value.as_str().into(),
            default: default.as_str().into(),
        };
        let ports = self.ports.iter();
        let ports = ports.map(|(id, own)| view(format!("{PORTS}.{id}.{KEY}"), *own, self.node));
        (
            view(KEY.into(), self.node, FromVm::default()),
            ports.collect(),
        )
    }
}

/// What a key is for, if it is one of these.
pub(super) fn doc(key: &str) -> Option<&'static str> {
    match key.rsplit_once('.') {
        None => (key == KEY).then_some(DOC),
        Some((_, name)) => (name == KEY).then_some(DOC_OF_PORT),
    }
}

/// The node's key: its name, what it is for, and which values it takes.
pub fn doc_of_from_vm() -> (&'static str, &'static str, &'static str) {
    (KEY, DOC, FromVm::VALUES)
}
