//! Packets and bytes by connection, if somebody asked for them.

use crate::hook::Hook;
use crate::layout::settings::switch;
use crate::reason::{Accept, Verdict};
use crate::scratch::Run;
use crate::tables::Tables;
use crate::wire::frame::Frame;

/// Counts a packet that was accepted as one of the connection in `run`. What the short lane takes, that counts.
#[inline(always)]
pub fn account<F, T>(tables: &T, hook: Hook, frame: &F, verdict: &Verdict, run: &Run)
where
    F: Frame + ?Sized,
    T: Tables,
{
    let opens = match verdict {
        Ok(Accept::Established) => false,
        Ok(Accept::New | Accept::Audit) => true,
        _ => return,
    };
    let settings = tables.settings();
    if settings.is_some_and(|settings| settings.has(switch::ACCOUNTS)) {
        let key = &run.scratch.opening.key;
        tables.account(key, hook.direction(), frame.len(), opens);
    }
}
