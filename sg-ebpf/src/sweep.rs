//! The sweep in the kernel. What it does, and how often, is said in [`sg_common::sweep`].

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_for_each_map_elem, bpf_timer_init, bpf_timer_set_callback, bpf_timer_start,
};
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4};
use sg_common::layout::fragment::{FragmentKey, FragmentValue};
use sg_common::layout::settings::{Ticks, passed};
use sg_common::layout::sweep::{Room, Sweep};
use sg_common::sweep::{
    TURNS, WALK, WALK_REMOVES, WALK_VISITS, WALKS_TO_END, gives_way, is_over, is_pressed, pause,
};
use sg_common::tables::Tables;
use sg_common::wire::addr::Family;

use crate::flows::{Entry, release, room};
use crate::maps;
use crate::tables::KernelTables;

/// `CLOCK_MONOTONIC`, which the kernel names in no header for BPF.
const MONOTONIC: u64 = 1;

/// The error of a timer that is there already.
const EBUSY: i64 = -16;

/// Starts the timer, or goes on with the one that runs under this program.
#[inline(always)]
pub fn start() -> i32 {
    let Some(value) = maps::SWEEP_TIMER.get_ptr_mut(0) else {
        return -1;
    };
    // SAFETY: the timer lies in an element of this very map.
    unsafe {
        let timer = &raw mut (*value).timer;
        let error = bpf_timer_init(timer, address(&maps::SWEEP_TIMER), MONOTONIC);
        if error != 0 && error != EBUSY {
            return error as i32;
        }
        let error = bpf_timer_set_callback(timer, tick as *mut c_void);
        if error != 0 {
            return error as i32;
        }
        bpf_timer_start(timer, 0, 0) as i32
    }
}

/// The timer has run out.
unsafe extern "C" fn tick(_map: *mut c_void, _key: *mut u32, value: *mut maps::Timer) -> u64 {
    let pause = step();
    // SAFETY: the kernel calls this with the element that holds the timer.
    unsafe { bpf_timer_start(&raw mut (*value).timer, pause, 0) };
    0
}

/// Looks at some connections of each family, and now and then walks through a table that evicts.
/// Returns the nanoseconds until the next step.
#[inline(never)]
pub fn step() -> u64 {
    let now = KernelTables.now();
    let Some(sweep) = maps::SWEEP.get_ptr_mut(0) else {
        return sg_common::sweep::SLOWEST;
    };
    // SAFETY: a pointer into an array map, good for this run. Only one step runs at a time, but for
    // `refused`, which is written whole.
    let sweep = unsafe { &mut *sweep };
    let refused = sweep.refused != 0;
    sweep.refused = 0;
    let removed = turns4(now) + turns6(now);
    sweep.removed += u64::from(removed);
    if now.wrapping_sub(sweep.walked) >= WALK {
        sweep.walked = now;
        sweep.removed += u64::from(walk(sweep, now));
    }
    sweep.steps += 1;
    sweep.last = now;
    let rooms = [read(Family::V4), read(Family::V6)];
    pause(&rooms, is_pressed(&rooms, refused))
}

/// Defines a function that gives some connections of a family their turn, and returns how many were
/// over.
macro_rules! turns {
    ($name:ident, $family:expr, $key:ty, $turns:expr, $flows:expr) => {
        #[inline(never)]
        fn $name(now: Ticks) -> u32 {
            let room = read($family);
            let hardly_any = room.fuller_than(95);
            let mut removed = 0;
            let mut turn = 0;
            while turn < TURNS && turn < room.used {
                turn += 1;
                let Ok(Some(key)) = $turns.pop() else {
                    break;
                };
                let gone = match $flows.get_ptr_mut(&key) {
                    // By hand.
                    None => true,
                    Some(flow) => {
                        removable(Entry(flow), key.protocol, hardly_any, now)
                            && $flows.remove(&key).is_ok()
                    }
                };
                // There is room: no more turns are given than there are entries.
                if gone || $turns.push(&key, 0).is_err() {
                    release($family, key.slot);
                    removed += 1;
                }
            }
            removed
        }
    };
}

turns!(turns4, Family::V4, FlowKey4, maps::TURNS4, maps::FLOWS4);
turns!(turns6, Family::V6, FlowKey, maps::TURNS6, maps::FLOWS6);

/// Whether an assured connection is over; its entry is then claimed.
#[inline(always)]
fn removable(entry: Entry, transport: u8, hardly_any: bool, now: Ticks) -> bool {
    let word = entry.word();
    let over = is_over(word, entry.expires(), now) || hardly_any && gives_way(transport, word);
    // The claim fails if a packet has moved the connection since its word was read.
    over && entry.claim(word, now)
}

#[inline(always)]
fn read(family: Family) -> Room {
    match room(family) {
        // SAFETY: a pointer into an array map, good for this run; each field is read whole.
        Some(room) => unsafe { room.read_volatile() },
        None => Room {
            used: 0,
            capacity: 0,
        },
    }
}

/// What a walk knows and finds out.
#[repr(C)]
struct Walk {
    now: Ticks,
    /// Entries to look at before it ends.
    visits: u32,
    removed: u32,
}

/// Walks through the table that is next, or some of it; returns how many entries were over.
#[inline(never)]
fn walk(sweep: &mut Sweep, now: Ticks) -> u32 {
    let visits = match sweep.walks % WALKS_TO_END {
        0 => u32::MAX,
        _ => WALK_VISITS,
    };
    let mut walk = Walk {
        now,
        visits,
        removed: 0,
    };
    let context = (&raw mut walk).cast();
    // The verifier wants one map at each call.
    // SAFETY: the visitors take the keys and values of their maps, and a walk.
    unsafe {
        match sweep.walks % 3 {
            0 => {
                bpf_for_each_map_elem(address(&maps::EMBRYOS4), embryo4 as *mut c_void, context, 0)
            }
            1 => {
                bpf_for_each_map_elem(address(&maps::EMBRYOS6), embryo6 as *mut c_void, context, 0)
            }
            _ => bpf_for_each_map_elem(
                address(&maps::FRAGMENTS),
                fragment as *mut c_void,
                context,
                0,
            ),
        };
    }
    sweep.walks = sweep.walks.wrapping_add(1);
    walk.removed
}

/// Defines a visitor of a table of connections. Its memory may be given to another key at any time, so
/// the key is copied before the entry is claimed.
macro_rules! embryo {
    ($name:ident, $key:ty, $map:expr) => {
        unsafe extern "C" fn $name(
            _map: *mut c_void,
            key: *const $key,
            flow: *mut Flow,
            walk: *mut Walk,
        ) -> u64 {
            // SAFETY: the kernel calls this with an element of the map, and `walk` with its own.
            let (key, walk) = unsafe { (key.read(), &mut *walk) };
            let entry = Entry(flow);
            let word = entry.word();
            let gone = is_over(word, entry.expires(), walk.now)
                && entry.claim(word, walk.now)
                && $map.remove(&key).is_ok();
            walk.on(gone)
        }
    };
}

embryo!(embryo4, FlowKey4, maps::EMBRYOS4);
embryo!(embryo6, FlowKey, maps::EMBRYOS6);

/// A fragment that is stored anew in the moment of its removal is missed: its datagram is sent again.
unsafe extern "C" fn fragment(
    _map: *mut c_void,
    key: *const FragmentKey,
    value: *const FragmentValue,
    walk: *mut Walk,
) -> u64 {
    // SAFETY: as for the connections.
    let (key, expires, walk) = unsafe { (key.read(), (*value).expires, &mut *walk) };
    let gone = passed(expires, walk.now) && maps::FRAGMENTS.remove(&key).is_ok();
    walk.on(gone)
}

impl Walk {
    /// Counts an entry. 1 ends the walk.
    #[inline(always)]
    fn on(&mut self, gone: bool) -> u64 {
        self.visits -= 1;
        self.removed += u32::from(gone);
        u64::from(self.visits == 0 || self.removed >= WALK_REMOVES)
    }
}

/// The address that helpers know a map by.
#[inline(always)]
fn address<M>(map: &'static M) -> *mut c_void {
    (&raw const *map).cast_mut().cast()
}
