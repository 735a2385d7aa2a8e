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

use sg_common::layout::events::Action;

use crate::error::Result;
use crate::model::PortId;

/// What tells: the kernel side.
pub trait Source: Send + Sync {
    /// From now on tells what is wanted, and nothing else; also of ports that come later.
    fn want(&self, wanted: &Wanted) -> Result<()>;

    /// What was wanted and not told, since this was asked last.
    fn lost(&self) -> Result<Vec<Lost>>;
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
