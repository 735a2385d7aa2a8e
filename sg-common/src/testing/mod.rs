//! Packets and a small world for the tests of the filter.

pub(crate) mod odd;
pub(crate) mod packet;
pub(crate) mod world;
