//! The sweep in the kernel. What it does, and how often, is said in [`sg_common::sweep`].

use core::ffi::c_void;

use aya_ebpf::helpers::{bpf_loop, bpf_timer_init, bpf_timer_set_callback, bpf_timer_start};
use sg_common::layout::fair::{Datagram, Embryo4, Embryo6, Fair};
use sg_common::layout::settings::Ticks;
use sg_common::layout::sweep::{Room, Sweep};
use sg_common::sweep::{TURNS, gives_way, is_over, is_pressed, pause};
use sg_common::tables::Tables;
use sg_common::wire::addr::Family;

use crate::fair;
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

/// Looks at some connections of each family, and at some buckets of the fair tables. Returns the nanoseconds until the next step.
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
    let since = now.wrapping_sub(sweep.last);
    sweep.removed += u64::from(removed + walk(sweep, now, since));
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

/// What a walk through buckets knows and finds out.
#[repr(C)]
struct Walk {
    now: Ticks,
    /// The bucket to begin with.
    first: u32,
    /// Buckets of the table.
    buckets: u32,
    /// The slot of which everything goes; 0: what is over goes.
    slot: u32,
    removed: u32,
}

/// Looks at those buckets of each fair table that are due; returns how many entries were over.
#[inline(never)]
fn walk(sweep: &mut Sweep, now: Ticks, since: Ticks) -> u32 {
    each(|table, visitor| {
        let buckets = fair::buckets(table);
        let number = sg_common::sweep::walk(buckets, since);
        let next = &mut sweep.next[table.index()];
        let first = match *next < buckets {
            true => *next,
            false => 0,
        };
        *next = first.wrapping_add(number);
        let walk = Walk {
            now,
            first,
            buckets,
            slot: 0,
            removed: 0,
        };
        walk.through(number, visitor)
    })
}

/// Removes all that a port has in the fair tables; returns how much that was.
#[inline(never)]
pub fn vacate(slot: u32) -> u32 {
    let now = KernelTables.now();
    each(|table, visitor| {
        let buckets = fair::buckets(table);
        let walk = Walk {
            now,
            first: 0,
            buckets,
            slot,
            removed: 0,
        };
        walk.through(buckets, visitor)
    })
}

/// What sees one bucket after the other.
type Visitor = unsafe extern "C" fn(u32, *mut Walk) -> u64;

/// Does something with every fair table, and adds up. Written out: the kernel wants to see which function
/// is called.
#[inline(always)]
fn each(mut walk: impl FnMut(Fair, Visitor) -> u32) -> u32 {
    walk(Fair::Embryos4, embryos4)
        + walk(Fair::Embryos6, embryos6)
        + walk(Fair::Fragments, datagrams)
}

impl Walk {
    #[inline(always)]
    fn through(mut self, number: u32, visitor: Visitor) -> u32 {
        // SAFETY: a visitor takes a walk.
        unsafe { bpf_loop(number, visitor as *mut c_void, (&raw mut self).cast(), 0) };
        self.removed
    }
}

/// Defines what visits a bucket.
macro_rules! visitor {
    ($name:ident, $entry:ty) => {
        unsafe extern "C" fn $name(number: u32, walk: *mut Walk) -> u64 {
            // SAFETY: the kernel calls this with `visit`'s own.
            let walk = unsafe { &mut *walk };
            let index = walk.first.wrapping_add(number);
            let index = match index < walk.buckets {
                true => index,
                false => index.wrapping_sub(walk.buckets),
            };
            walk.removed += fair::clean::<$entry>(index, walk.slot, walk.now);
            0
        }
    };
}

visitor!(embryos4, Embryo4);
visitor!(embryos6, Embryo6);
visitor!(datagrams, Datagram);

/// The address that helpers know a map by.
#[inline(always)]
fn address<M>(map: &'static M) -> *mut c_void {
    (&raw const *map).cast_mut().cast()
}
