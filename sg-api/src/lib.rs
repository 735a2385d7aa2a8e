//! Neutron's v2.0 API for security groups and what they hang on, in front of a store.
//!
//! A request meets the world as of one revision and comes out as an answer and as what is to be written; all of
//! that is computed. What is written goes to the store by compare-and-swap, and the world follows the store.

pub mod api;
pub mod attributes;
pub mod cli;
pub mod commit;
pub mod error;
pub mod exit;
pub mod net;
pub mod node;
pub mod objects;
pub mod openapi;
pub mod python;
pub mod query;
pub mod resource;
pub mod serve;
pub mod world;
