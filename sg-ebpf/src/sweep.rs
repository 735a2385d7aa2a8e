//! The sweep in the kernel. What it does, and how often, is said in [`sg_common::sweep`].

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_for_each_map_elem, bpf_map_delete_elem, bpf_timer_init, bpf_timer_set_callback,
    bpf_timer_start,
};
use sg_common::hook::Direction;
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4, Word};
use sg_common::layout::fragment::{FragmentKey, FragmentValue};
use sg_common::layout::settings::{Ticks, passed};
use sg_common::layout::share::{Kind, evicted};
use sg_common::layout::sweep::{Room, Sweep};
use sg_common::sweep::{
    ROUNDS_TO_END, TABLE_COST, TABLE_VISITS, TURNS, WALK, WALK_COST, WALK_SLOTS, gives_way,
    is_over, is_pressed, pause,
};
use sg_common::tables::Tables;
use sg_common::wire::addr::Family;

use crate::flows::{Entry, release, room};
use crate::tables::{KernelTables, conditions};
use crate::{maps, share};

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

/// Looks at some connections of each family, and now and then walks through tables that evict.
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
    let removed = give_turns4(now) + give_turns6(now);
    sweep.removed += u64::from(removed);
    if now.wrapping_sub(sweep.walked) >= WALK {
        sweep.walked = now;
        sweep.removed += u64::from(walk(now));
    }
    sweep.steps += 1;
    sweep.last = now;
    let rooms = [read(Family::V4), read(Family::V6)];
    pause(&rooms, is_pressed(&rooms, refused))
}

/// Defines a function that gives some connections of a family their turn, and returns how many were
/// over. The kernel's verifier looks at it by itself, whatever its caller has found out before.
macro_rules! turns {
    ($name:ident, $family:expr, $key:ty, $turns:expr, $flows:expr) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(now: Ticks) -> u32 {
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
                        removable(Entry(flow), key.whose.protocol(), hardly_any, now)
                            && $flows.remove(&key).is_ok()
                    }
                };
                // There is room: no more turns are given than there are entries.
                if gone || $turns.push(&key, 0).is_err() {
                    release($family, key.whose.slot());
                    removed += 1;
                }
            }
            removed
        }
    };
}

turns!(
    give_turns4,
    Family::V4,
    FlowKey4,
    maps::TURNS4,
    maps::FLOWS4
);
turns!(give_turns6, Family::V6, FlowKey, maps::TURNS6, maps::FLOWS6);

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

/// Walks through the tables of some slots, whose turn it is; returns how many entries were over.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk(now: Ticks) -> u32 {
    let Some(sweep) = maps::SWEEP.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: as in `step`.
    let sweep = unsafe { &mut *sweep };
    let visits = match sweep.rounds % ROUNDS_TO_END {
        0 => u32::MAX,
        _ => TABLE_VISITS,
    };
    let (mut removed, mut cost, mut turn) = (0, 0, 0);
    while turn < WALK_SLOTS && cost < WALK_COST {
        turn += 1;
        let walked = walk_slot(next_slot(sweep), now, visits);
        removed += walked as u32;
        cost += (walked >> 32) as u32;
    }
    removed
}

/// The slot whose tables are next. It goes through the map: of a number in a register the verifier
/// knows the value, and then no two rounds of the loop are alike to it.
#[inline(always)]
fn next_slot(sweep: &mut Sweep) -> u32 {
    // SAFETY: a reference, good for reading and writing.
    let slot = unsafe { (&raw const sweep.slot).read_volatile() };
    let next = match share::pointer(slot) {
        Some(_) => slot + 1,
        None => {
            sweep.rounds = sweep.rounds.wrapping_add(1);
            0
        }
    };
    // SAFETY: as above.
    unsafe { (&raw mut sweep.slot).write_volatile(next) };
    slot
}

/// Walks through the tables of a slot, if there is one of this number; returns what [`walk!`] does.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn walk_slot(slot: u32, now: Ticks, visits: u32) -> u64 {
    walk_embryos4(slot, now, visits)
        + walk_embryos6(slot, now, visits)
        + walk_fragments(slot, now, visits)
}

/// What a walk through a table knows and finds out. The verifier forgets what whole words count, and sees
/// that all calls of a visitor are alike; it would follow half a word to the end.
#[repr(C)]
struct Walk {
    now: Ticks,
    /// Entries to look at before it ends.
    visits: u32,
    /// Entries that were looked at, by direction.
    seen: [u64; 2],
    removed: u64,
}

/// Defines a function that walks through one of a slot's tables. Returns what it cost and how many entries
/// were over, in the upper and the lower half of a number. The kernel's verifier looks at it by itself and
/// only once, which it would give up to do for every slot.
macro_rules! walk {
    ($name:ident, $maps:expr, $kind:expr, $visitor:ident) => {
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $name(slot: u32, now: Ticks, visits: u32) -> u64 {
            let (Some(map), Some(share)) = ($maps.get(slot), share::pointer(slot)) else {
                return 0;
            };
            let mut walk = Walk {
                now,
                visits,
                seen: [0; 2],
                removed: 0,
            };
            // SAFETY: a pointer into an array map, good for this run; each number is read whole.
            let stored = unsafe { (&raw const (*share).stored[$kind as usize]).read_volatile() };
            // SAFETY: the visitor takes the keys and values of this map, and a walk.
            unsafe {
                bpf_for_each_map_elem(
                    (&raw const *map).cast_mut().cast(),
                    $visitor as *mut c_void,
                    (&raw mut walk).cast(),
                    0,
                )
            };
            // SAFETY: as above.
            let gone = unsafe { (&raw const (*share).gone[$kind as usize]).read_volatile() };
            let seen = (walk.seen[0] + walk.seen[1]) as u32;
            share::gone(slot, $kind, walk.removed as u32);
            if walk.visits != 0 {
                let displaced = evicted(stored, gone, seen);
                if displaced != 0 {
                    share::gone(slot, $kind, displaced);
                    conditions(slot, mostly(&walk.seen), $kind.displaced(), displaced);
                }
            }
            u64::from(TABLE_COST + seen) << 32 | walk.removed
        }
    };
}

walk!(walk_embryos4, maps::EMBRYOS4, Kind::Embryos4, embryo4);
walk!(walk_embryos6, maps::EMBRYOS6, Kind::Embryos6, embryo6);
walk!(walk_fragments, maps::FRAGMENTS, Kind::Fragments, fragment);

/// The direction of most of what is in a table: nobody knows that of what it has evicted.
#[inline(always)]
fn mostly(seen: &[u64; 2]) -> Direction {
    match seen[Direction::Egress as usize] > seen[Direction::Ingress as usize] {
        true => Direction::Egress,
        false => Direction::Ingress,
    }
}

/// Defines a visitor of a table of connections. Its memory may be given to another key at any time, so
/// the key is copied before the entry is claimed.
macro_rules! embryo {
    ($name:ident, $key:ty) => {
        unsafe extern "C" fn $name(
            map: *mut c_void,
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
                && remove(map, &key);
            walk.on(Word(word).from_vm(), gone)
        }
    };
}

embryo!(embryo4, FlowKey4);
embryo!(embryo6, FlowKey);

/// A fragment that is stored anew in the moment of its removal is missed: its datagram is sent again.
unsafe extern "C" fn fragment(
    map: *mut c_void,
    key: *const FragmentKey,
    value: *const FragmentValue,
    walk: *mut Walk,
) -> u64 {
    // SAFETY: as for the connections.
    let (key, expires, walk) = unsafe { (key.read(), (*value).expires, &mut *walk) };
    let gone = passed(expires, walk.now) && remove(map, &key);
    walk.on(key.direction == Direction::Egress as u8, gone)
}

/// Removes an entry of the map that is walked through.
#[inline(always)]
fn remove<K>(map: *mut c_void, key: &K) -> bool {
    // SAFETY: the kernel has called the visitor with this map, whose keys these are.
    unsafe { bpf_map_delete_elem(map, (&raw const *key).cast()) == 0 }
}

impl Walk {
    /// Counts an entry. 1 ends the walk.
    #[inline(always)]
    fn on(&mut self, egress: bool, gone: bool) -> u64 {
        self.visits -= 1;
        match egress {
            true => self.seen[Direction::Egress as usize] += 1,
            false => self.seen[Direction::Ingress as usize] += 1,
        }
        self.removed += u64::from(gone);
        u64::from(self.visits == 0)
    }
}

/// The address that helpers know a map by.
#[inline(always)]
fn address<M>(map: &'static M) -> *mut c_void {
    (&raw const *map).cast_mut().cast()
}
