//! Tracked connections as operators handle them: chosen by filters, carried to another node, taken over from the kernel's
//! own tracker. No I/O.

mod document;
mod filter;
mod gate;
pub mod kernel;

pub use document::{FlowDocument, FlowRecord, VERSION};
pub use filter::{FlowFilter, Status, net, protocol_number};
pub use gate::{Gate, Judge, Refusal};
