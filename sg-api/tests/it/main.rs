//! The API from outside: against what Neutron answered and what its source says, many writers, whatever is asked, and
//! whoever asks.

mod common;
mod front;
mod node;
mod normal;
mod properties;
mod replay;
mod unrecorded;
mod writers;
