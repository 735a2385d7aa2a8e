//! Tracked connections as operators handle them: chosen by filters, carried to another node. No I/O.

mod document;
mod filter;
mod gate;

pub use document::{FlowDocument, FlowRecord, VERSION};
pub use filter::{FlowFilter, Status};
pub use gate::{Gate, Judge, Refusal};
