//! What the filter costs, as ratios against an empty program in the same run.
//!
//! Machines are noisy: samples of both alternate in random order, every result is a median with its
//! quartiles, and the empty program is also measured against itself, to show what a difference means.

pub mod chart;
pub mod clock;
pub mod code;
pub mod compare;
pub mod empty;
pub mod flood;
pub mod kernel;
pub mod knobs;
pub mod memory;
pub mod path;
pub mod paths;
pub mod plan;
pub mod programs;
pub mod rate;
pub mod record;
pub mod report;
pub mod rules;
pub mod run;
pub mod side;
pub mod stacks;
pub mod statistics;
pub mod talk;
pub mod tcp;
pub mod update;
pub mod wire;
