//! Parity with Neutron's iptables: the same frames through both, every verdict compared.
//!
//! Two labs of the same shape stand side by side. One is filtered by the rules that Neutron's own code
//! writes (`tests/oracle`), the other by `sgd`. A scenario is an inventory and a sequence of frames;
//! what comes out at the other ends of a lab is its verdict.

pub mod conntrack;
pub mod deviations;
pub mod flow;
pub mod frame;
pub mod generate;
pub mod lab;
pub mod oracle;
pub mod plug;
pub mod random;
pub mod regressions;
pub mod report;
pub mod run;
pub mod scenario;
pub mod shrink;
pub mod side;
pub mod suppose;
pub mod table;
pub mod tally;
