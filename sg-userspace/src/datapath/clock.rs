//! The clock of the tables.

use sg_common::layout::settings::{TICK_SHIFT, Ticks};

use crate::host::clock;

/// What the programs take for the time at this moment.
pub fn now() -> Ticks {
    (clock::monotonic() >> TICK_SHIFT) as Ticks
}
