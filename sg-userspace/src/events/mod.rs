//! What the kernel tells as it happens, on its way to those who asked: who asked for what, the sum of that
//! for the kernel, and to each his own.

mod describe;
mod ended;
mod hub;
mod totals;
mod wanted;

pub use describe::{Clock, describe, has_ports, time};
pub use ended::describe_end;
pub use hub::{Ask, Hub, Subscription};
pub use totals::EventTotals;
pub use wanted::Wanted;

use sg_common::layout::account::Account;
use sg_common::layout::events::Action;
use sg_common::layout::flow::FlowKey;
use sg_common::layout::hit::HitKey;

use crate::error::Result;
use crate::model::{PortId, RuleId};

/// What tells: the kernel side.
pub trait Source: Send + Sync {
    /// From now on tells what is wanted, and nothing else; also of ports that come later.
    fn want(&self, wanted: &Wanted) -> Result<()>;

    /// What was wanted and not told, since this was asked last.
    fn lost(&self) -> Result<Vec<Lost>>;

    /// Packets and bytes by connection, of the ports of which they are wanted. To be asked now and then: only
    /// then what is over makes room.
    fn accounts(&self) -> Result<Vec<Accounted>>;
}

/// What knows which rules are in force.
pub trait Rules: Send + Sync {
    /// Those that may have permitted what a row was hit for; none if it cannot be told at this moment.
    fn behind(&self, port: PortId, row: &HitKey) -> Vec<RuleId>;
}

/// Packets and bytes of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accounted {
    /// The port.
    pub port: PortId,
    /// The connection.
    pub key: FlowKey,
    /// What was counted.
    pub account: Account,
}

/// So many events of a port were not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The port.
    pub port: PortId,
    /// What they were.
    pub action: Action,
    /// How many.
    pub count: u64,
}

#[cfg(test)]
mod tests;
