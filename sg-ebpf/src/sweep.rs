//! The sweep in the kernel. What it does, and how often, is said in [`sg_common::sweep`].

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_for_each_map_elem, bpf_loop, bpf_map_delete_elem, bpf_timer_init, bpf_timer_set_callback,
    bpf_timer_start,
};
use sg_common::hook::Direction;
use sg_common::layout::events::Cause;
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4, Word};
use sg_common::layout::fragment::{FragmentKey, FragmentValue};
use sg_common::layout::settings::{Ticks, passed, switch};
use sg_common::layout::share::{Kind, evicted};
use sg_common::layout::sweep::{Room, Sweep};
use sg_common::stage::tell::ended;
use sg_common::sweep::{
    ROUNDS_TO_END, TABLE_COST, TABLE_VISITS, TURNS, WALK, WALK_COST, WALK_SLOTS, gives_way,
    is_over, is_pressed, pause,
};
use sg_common::tables::{FlowEntry, Tables};
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
    sweep.removed += turns4(now) + turns6(now);
    if now.wrapping_sub(sweep.walked) >= WALK {
        sweep.walked = now;
        sweep.removed += walk(sweep, now);
    }
    sweep.steps += 1;
    sweep.last = now;
    let rooms = [read(Family::V4), read(Family::V6)];
    pause(&rooms, is_pressed(&rooms, refused))
}

/// What the turns of a family know and find out.
#[repr(C)]
struct Turns {
    now: Ticks,
    /// 1 if there is hardly any room.
    hardly_any: u32,
    removed: u64,
}

/// Defines a function that gives some connections of a family their turn, and returns how many were
/// over; and one for a turn, which 1 makes the last. The kernel turns the loop: its verifier then looks at
/// one turn, and not at as many as there may be.
macro_rules! turns {
    ($name:ident, $turn:ident, $family:expr, $key:ty, $wide:expr, $turns:expr, $flows:expr) => {
        #[inline(never)]
        fn $name(now: Ticks) -> u64 {
            let room = read($family);
            let mut turns = Turns {
                now,
                hardly_any: room.fuller_than(95).into(),
                removed: 0,
            };
            let (count, turn) = (room.used.min(TURNS), $turn as *mut c_void);
            // SAFETY: a turn takes these.
            unsafe { bpf_loop(count, turn, (&raw mut turns).cast(), 0) };
            turns.removed
        }

        unsafe extern "C" fn $turn(_number: u32, turns: *mut Turns) -> u64 {
            // SAFETY: the loop calls this with its own.
            let turns = unsafe { &mut *turns };
            let Ok(Some(key)) = $turns.pop() else {
                return 1;
            };
            let gone = match $flows.get_ptr_mut(&key) {
                // By hand.
                None => true,
                Some(flow) => {
                    let hardly_any = turns.hardly_any != 0;
                    let (entry, transport) = (Entry(flow), key.whose.protocol());
                    match claimed(&entry, transport, hardly_any, turns.now) {
                        Some((word, cause)) => {
                            tell(&$wide(&key), &entry, word, cause);
                            $flows.remove(&key).is_ok()
                        }
                        None => false,
                    }
                }
            };
            // There is room: no more turns are given than there are entries.
            if gone || $turns.push(&key, 0).is_err() {
                release($family, key.whose.slot());
                turns.removed += 1;
            }
            0
        }
    };
}

turns!(
    turns4,
    turn4,
    Family::V4,
    FlowKey4,
    FlowKey4::widen,
    maps::TURNS4,
    maps::FLOWS4
);
turns!(
    turns6,
    turn6,
    Family::V6,
    FlowKey,
    FlowKey::clone,
    maps::TURNS6,
    maps::FLOWS6
);

/// Claims the entry of an assured connection that is over; its word was this, and that is why.
#[inline(always)]
fn claimed(entry: &Entry, transport: u8, hardly_any: bool, now: Ticks) -> Option<(u64, Cause)> {
    let word = entry.word();
    let cause = if is_over(word, entry.expires(), now) {
        Cause::Expired
    } else if hardly_any && gives_way(transport, word) {
        Cause::GaveWay
    } else {
        return None;
    };
    // The claim fails if a packet has moved the connection since its word was read.
    entry.claim(word, now).then_some((word, cause))
}

/// Tells of the end of a connection whose entry was claimed. Of one that a packet has ended it was told then.
#[inline(always)]
fn tell(key: &FlowKey, entry: &Entry, word: u64, cause: Cause) {
    if Word(word).nonce() != 0 && is_asked() {
        let flow = Flow {
            word,
            ..entry.load()
        };
        ended(&KernelTables, key, &flow, cause);
    }
}

/// Whether anybody asks for anything.
#[inline(always)]
fn is_asked() -> bool {
    let settings = KernelTables.settings();
    settings.is_some_and(|settings| settings.has(switch::EVENTS))
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

/// What the walks through the tables of slots know and find out.
#[repr(C)]
struct Round<'a> {
    sweep: &'a mut Sweep,
    now: Ticks,
    /// Entries of one table to look at.
    visits: u32,
    removed: u64,
    cost: u64,
}

/// Walks through the tables of some slots, whose turn it is; returns how many entries were over.
#[inline(never)]
fn walk(sweep: &mut Sweep, now: Ticks) -> u64 {
    let visits = match sweep.rounds % ROUNDS_TO_END {
        0 => u32::MAX,
        _ => TABLE_VISITS,
    };
    let mut round = Round {
        sweep,
        now,
        visits,
        removed: 0,
        cost: 0,
    };
    // SAFETY: `walk_slot` takes these.
    unsafe {
        bpf_loop(
            WALK_SLOTS,
            walk_slot as *mut c_void,
            (&raw mut round).cast(),
            0,
        )
    };
    round.removed
}

/// Walks through the tables of the slot whose turn it is. 1 makes it the last.
unsafe extern "C" fn walk_slot(_number: u32, round: *mut Round<'_>) -> u64 {
    // SAFETY: the loop calls this with its own.
    let round = unsafe { &mut *round };
    let slot = round.sweep.slot;
    if share::pointer(slot).is_none() {
        round.sweep.slot = 0;
        round.sweep.rounds = round.sweep.rounds.wrapping_add(1);
        return 0;
    }
    round.sweep.slot = slot + 1;
    let walks = walk_embryos4(slot, round.now, round.visits)
        + walk_embryos6(slot, round.now, round.visits)
        + walk_fragments(slot, round.now, round.visits);
    round.removed += walks & u64::from(u32::MAX);
    round.cost += walks >> 32;
    u64::from(round.cost >= WALK_COST.into())
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
    ($name:ident, $key:ty, $wide:expr) => {
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
            let over = is_over(word, entry.expires(), walk.now) && entry.claim(word, walk.now);
            if over {
                tell(&$wide(&key), &entry, word, Cause::Expired);
            }
            let gone = over && remove(map, &key);
            walk.on(Word(word).from_vm(), gone)
        }
    };
}

embryo!(embryo4, FlowKey4, FlowKey4::widen);
embryo!(embryo6, FlowKey, FlowKey::clone);

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
