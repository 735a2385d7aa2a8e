//! Frames that carry neither IP nor ARP: whose they are, and whether the operator wants their kind
//! (Neutron's Open vSwitch firewall: `permitted_ethertypes`).

use crate::reason::{Accept, DropReason, Verdict};
use crate::stage::{Context, source};
use crate::tables::Tables;

/// Checks the source MAC and the ethertype.
///
/// A subprogram of its own in the kernel: few frames need it.
#[cfg_attr(target_arch = "bpf", inline(never))]
pub fn check<T: Tables>(tables: &T, context: &Context<'_>, ethertype: u16) -> Verdict {
    source::check_mac(tables, context)?;
    match context.settings.permits(ethertype) {
        true => Ok(Accept::Ethertype),
        false => Err(DropReason::RefusedEthertype),
    }
}
