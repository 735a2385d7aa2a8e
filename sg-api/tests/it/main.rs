//! The API from outside: against what Neutron answered, many writers, whatever is asked, and whoever asks.

mod common;
mod front;
mod node;
mod normal;
mod properties;
mod replay;
mod writers;
