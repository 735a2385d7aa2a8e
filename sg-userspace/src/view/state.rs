//! The states of ports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a port's filter does at this moment, as the kernel says it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// Its security groups are applied to every frame.
    Enforcing,
    /// As enforcing, but what no rule permits passes, and is counted and told: the operator has put it in audit.
    Audit,
    /// Everything passes, because the inventory says so: port security is off, or the port is trusted.
    Unfiltered,
    /// Nothing passes: something about the port cannot be understood, or it has left the inventory and
    /// its interface is still here.
    Closed,
    /// Nothing passes until its policy is written.
    Pending,
    /// An older inventory is applied, or a part of the newest: the kernel has refused the rest.
    Outdated,
    /// The filter is in force, but what carries the frames of the VM on takes them before it.
    Bypassed,
    /// A program of the filter is missing at its interface, or behind another's, so that frames pass unseen.
    Open,
    /// It has no interface here: it counts as a member of its groups only.
    Elsewhere,
}

impl PortState {
    /// Every state, from the best to what is not here.
    pub const ALL: [Self; 9] = [
        Self::Enforcing,
        Self::Audit,
        Self::Unfiltered,
        Self::Closed,
        Self::Pending,
        Self::Outdated,
        Self::Bypassed,
        Self::Open,
        Self::Elsewhere,
    ];

    /// Its name, for people and for programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforcing => "enforcing",
            Self::Audit => "audit",
            Self::Unfiltered => "unfiltered",
            Self::Closed => "closed",
            Self::Pending => "pending",
            Self::Outdated => "outdated",
            Self::Bypassed => "bypassed",
            Self::Open => "open",
            Self::Elsewhere => "elsewhere",
        }
    }

    /// Whether frames may pass that neither the inventory nor the operator's settings permit.
    pub const fn is_leaky(self) -> bool {
        matches!(self, Self::Outdated | Self::Bypassed | Self::Open)
    }
}

/// How many ports are in each state. Together they are the rows of the list of ports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortTally {
    /// [`PortState::Enforcing`].
    pub enforcing: usize,
    /// [`PortState::Audit`].
    #[serde(default)]
    pub audit: usize,
    /// [`PortState::Unfiltered`].
    pub unfiltered: usize,
    /// [`PortState::Closed`].
    pub closed: usize,
    /// [`PortState::Pending`].
    pub pending: usize,
    /// [`PortState::Outdated`].
    pub outdated: usize,
    /// [`PortState::Bypassed`].
    pub bypassed: usize,
    /// [`PortState::Open`].
    pub open: usize,
    /// [`PortState::Elsewhere`].
    pub elsewhere: usize,
}

impl PortTally {
    /// How many ports are in a state.
    pub fn of(mut self, state: PortState) -> usize {
        *self.entry(state)
    }

    /// Whether frames may pass somewhere that neither the inventory nor the operator's settings permit.
    pub fn is_leaky(self) -> bool {
        let mut leaky = PortState::ALL.into_iter().filter(|state| state.is_leaky());
        leaky.any(|state| self.of(state) > 0)
    }

    fn entry(&mut self, state: PortState) -> &mut usize {
        match state {
            PortState::Enforcing => &mut self.enforcing,
            PortState::Audit => &mut self.audit,
            PortState::Unfiltered => &mut self.unfiltered,
            PortState::Closed => &mut self.closed,
            PortState::Pending => &mut self.pending,
            PortState::Outdated => &mut self.outdated,
            PortState::Bypassed => &mut self.bypassed,
            PortState::Open => &mut self.open,
            PortState::Elsewhere => &mut self.elsewhere,
        }
    }
}

impl FromIterator<PortState> for PortTally {
    fn from_iter<T: IntoIterator<Item = PortState>>(states: T) -> Self {
        let mut tally = Self::default();
        for state in states {
            *tally.entry(state) += 1;
        }
        tally
    }
}
