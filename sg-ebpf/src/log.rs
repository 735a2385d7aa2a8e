//! Diagnostics of the kernel side, for `aya-log` to print: rare by construction, never per packet.
//!
//! The records are `aya-log`'s (`aya-log-common` writes them), but the ring is ours: the macros of
//! `aya-log-ebpf` bring a map in the old form, which libbpf, and so bpftool, refuses to load.

use aya_log_common::{Argument, DisplayHint, Field, Header, Level, LogValueLength};
use sg_common::layout::settings::{Ticks, ticks};
use sg_common::reason::Condition;

use crate::maps;

/// Bytes of the longest record.
const RECORD: usize = 256;

/// Each condition is logged once in this time.
const PAUSE: Ticks = ticks(10);

/// Logs that a condition was met, unless it was logged a moment ago.
#[inline(always)]
pub fn condition(now: Ticks, slot: u32, condition: Condition) {
    let Some(logged) = maps::LOGGED.get_ptr_mut(condition as u32) else {
        return;
    };
    // SAFETY: a pointer into an array map, good for this run. Two CPUs at once may both log.
    unsafe {
        if *logged != 0 && now.wrapping_sub(*logged) < PAUSE {
            return;
        }
        *logged = now | 1;
    }
    write(slot, condition);
}

#[inline(never)]
fn write(slot: u32, condition: Condition) -> u32 {
    let Some(mut entry) = maps::AYA_LOGS.reserve_untyped::<[u8; RECORD]>(0) else {
        return 0;
    };
    let record = entry.write([0; RECORD]);
    let complete = fill(record, slot, condition).is_some();
    match complete {
        true => entry.submit(0),
        false => entry.discard(0),
    }
    complete as u32
}

#[inline(always)]
fn fill(record: &mut [u8; RECORD], slot: u32, condition: Condition) -> Option<()> {
    let mut at = size_of::<LogValueLength>();
    let mut put = |bytes: &[u8]| {
        record.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
        at += bytes.len();
        Some(())
    };
    Header::new("sg", Level::Warn, "sg", "log.rs", 0, 4)?.with_bytes(&mut put)?;
    text(name(condition), &mut put)?;
    text(" at the port in slot ", &mut put)?;
    let (kind, value) = DisplayHint::Default.as_argument();
    Field::new(kind, value)?.with_bytes(&mut put)?;
    let (kind, value) = slot.as_argument();
    Field::new(kind, value)?.with_bytes(&mut put)?;
    record[..size_of::<LogValueLength>()].copy_from_slice(&(at as LogValueLength).to_ne_bytes());
    Some(())
}

#[inline(always)]
fn text(text: &str, put: &mut impl FnMut(&[u8]) -> Option<()>) -> Option<()> {
    let (kind, value) = text.as_argument();
    Field::new(kind, value)?.with_bytes(put)
}

/// Names of one length, so that the verifier sees records of one length.
#[inline(always)]
fn name(condition: Condition) -> &'static str {
    match condition {
        Condition::FlowNotStored => "flow_not_stored    ",
        Condition::FlowNotPromoted => "flow_not_promoted  ",
        Condition::FlowOverQuota => "flow_over_quota    ",
        Condition::FragmentNotStored => "fragment_not_stored",
        Condition::FlowDisplaced => "flow_displaced     ",
        Condition::FragmentDisplaced => "fragment_displaced ",
        Condition::HitNotCounted => "hit_not_counted    ",
        Condition::FlowNotCounted => "flow_not_counted   ",
    }
}
