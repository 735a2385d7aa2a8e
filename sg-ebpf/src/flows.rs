//! Connections in their maps: read, changed, stored and moved by several CPUs at once.
//!
//! Only the sweep removes assured connections, and only after it has claimed the entry by its state
//! word. So nobody's removal by key can hit a successor, and the entry that a look-up has found is not
//! given to another key meanwhile.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use aya_ebpf::bindings::{BPF_ANY, BPF_NOEXIST};
use sg_common::layout::flow::{Flow, FlowKey, Word};
use sg_common::layout::settings::{Ticks, passed};
use sg_common::layout::share::Kind;
use sg_common::layout::sweep::adopted;
use sg_common::reason::Condition;
use sg_common::tables::{FlowEntry, Tables};
use sg_common::wire::addr::Family;

use crate::maps;
use crate::share::{self, add};
use crate::tables::{KernelTables, by_family, embryos};

/// The error of an insert that found the key.
const EEXIST: i32 = -17;

/// A connection in its map.
pub struct Entry(pub *mut Flow);

/// A flow as the words of which it is made.
type Words = [u64; size_of::<Flow>() / 8];

impl FlowEntry for Entry {
    #[inline(always)]
    fn load(&self) -> Flow {
        let stored: *const u64 = self.0.cast();
        // SAFETY: the pointer comes from a look-up in this program run. Other CPUs may write meanwhile:
        // each word is read whole. Volatile also keeps the compiler from copying byte by byte.
        let word = |index| unsafe { stored.add(index).read_volatile() };
        let words: Words = [
            word(0),
            word(1),
            word(2),
            word(3),
            word(4),
            word(5),
            word(6),
            word(7),
        ];
        bytemuck::cast(words)
    }

    /// Writes only what this packet has changed: most packets leave the cache line clean, and what another
    /// CPU writes meanwhile of the other side stays.
    #[inline(always)]
    fn store(&self, before: &Flow, flow: &Flow) -> bool {
        if flow.word != before.word {
            if !self.swap(before.word, flow.word) {
                return false;
            }
        } else if Word(self.word()).nonce() != before.word().nonce() {
            return false;
        }
        let (old, new): (&Words, &Words) = (bytemuck::cast_ref(before), bytemuck::cast_ref(flow));
        for index in 1..new.len() {
            let changed = old[index] ^ new[index];
            if changed != 0 {
                // SAFETY: as for `load`; the element is as long as a flow.
                unsafe { write_halves(self.0.cast::<u64>().add(index), changed, new[index]) };
            }
        }
        true
    }

    #[inline(always)]
    fn end(&self, before: u64) {
        self.swap(before, Word::ENDED.0);
    }
}

impl Entry {
    /// Claims the entry of a connection that is over: from now on it is this CPU's to remove or to
    /// replace. False if it is another's, or lives again.
    #[inline(always)]
    pub fn claim(&self, before: u64, now: Ticks) -> bool {
        let claimed = self.swap(before, Word::CLAIMED.0);
        if claimed {
            // SAFETY: as for `load`. An element of an LRU may be given to another key just before it is
            // claimed; the claim then ends by itself.
            unsafe { (&raw mut (*self.0).expires).write_volatile(now) };
        }
        claimed
    }

    /// The state word at this moment.
    #[inline(always)]
    pub fn word(&self) -> u64 {
        // SAFETY: as for `load`.
        unsafe { (&raw const (*self.0).word).read_volatile() }
    }

    /// When the connection expires, at this moment.
    #[inline(always)]
    pub fn expires(&self) -> Ticks {
        // SAFETY: as for `load`.
        unsafe { (&raw const (*self.0).expires).read_volatile() }
    }

    #[inline(always)]
    fn swap(&self, before: u64, after: u64) -> bool {
        // SAFETY: as for `load`; the word is aligned.
        let (_, swapped) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                self.0.cast(),
                before,
                after,
            )
        };
        swapped
    }

    #[inline(always)]
    fn write_body(&self, flow: &Flow) {
        let words: &Words = bytemuck::cast_ref(flow);
        let stored = self.0.cast::<u64>();
        for (index, word) in words.iter().enumerate().skip(1) {
            // SAFETY: as for `load`; the element is as long as a flow.
            unsafe {
                if stored.add(index).read() != *word {
                    stored.add(index).write(*word);
                }
            }
        }
    }

    /// Whether it holds a connection at this moment.
    #[inline(always)]
    fn lives(&self, now: Ticks) -> bool {
        Word(self.word()).nonce() != 0 && !passed(self.expires(), now)
    }

    /// Claims the entry unless its connection lives. Its word is read first: a claim fails if the
    /// connection has come to life since.
    #[inline(always)]
    fn seize(&self, now: Ticks) -> Seized {
        let word = self.word();
        if self.lives(now) {
            Seized::Lives
        } else if word != Word::CLAIMED.0 && self.claim(word, now) {
            Seized::Ours
        } else {
            Seized::Others
        }
    }
}

/// Writes the halves of a word that have changed.
#[inline(always)]
unsafe fn write_halves(place: *mut u64, changed: u64, new: u64) {
    let (low, high) = match cfg!(target_endian = "little") {
        true => (0, 1),
        false => (1, 0),
    };
    let half = |index| place.cast::<u32>().wrapping_add(index);
    // SAFETY: the caller's.
    unsafe {
        if changed as u32 != 0 {
            half(low).write(new as u32);
        }
        if changed >> 32 != 0 {
            half(high).write((new >> 32) as u32);
        }
    }
}

/// Whose an entry is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seized {
    /// Its connection lives.
    Lives,
    /// This CPU's, to be replaced.
    Ours,
    /// Another CPU's, which is about to remove or to replace it.
    Others,
}

/// See [`Tables::is_still`].
///
/// A subprogram of its own in the kernel: few packets need it.
#[inline(never)]
pub fn is_still(key: &FlowKey, nonce: u32) -> bool {
    let has_it = |entry: Option<Entry>| match entry {
        Some(entry) => Word(entry.word()).nonce() == nonce,
        None => false,
    };
    has_it(KernelTables.embryo(key)) || has_it(KernelTables.assured(key))
}

/// See [`Tables::create`].
///
/// A subprogram of its own in the kernel: it writes to four maps.
#[inline(never)]
pub fn create(key: &FlowKey, flow: &Flow) -> bool {
    match embryos!(key, |map, key| map.insert(key, flow, BPF_NOEXIST.into())) {
        Some(Ok(())) => {
            share::stored(key.slot(), Kind::of(key.family()));
            return true;
        }
        Some(Err(EEXIST)) => {}
        // The slot has no table, or the table no memory.
        _ => return false,
    }
    let now = KernelTables.now();
    let Some(entry) = KernelTables.embryo(key) else {
        return false;
    };
    match entry.seize(now) {
        Seized::Lives => true,
        // Not written in place: the LRU may give the memory to another key at any time.
        Seized::Ours => {
            embryos!(key, |map, key| map.insert(key, flow, BPF_ANY.into())) == Some(Ok(()))
        }
        Seized::Others => false,
    }
}

/// See [`Tables::promote`].
///
/// A subprogram of its own in the kernel: a connection needs it once.
#[inline(never)]
pub fn promote(key: &FlowKey, flow: &Flow) -> Refusal {
    let now = KernelTables.now();
    let refusal = match KernelTables.assured(key) {
        Some(entry) => replace(&entry, flow, now),
        None => insert(key, flow),
    };
    match refusal {
        Refusal::None => {
            dismiss(key);
        }
        Refusal::NoRoom => hurry(),
        Refusal::OverQuota => {}
    }
    refusal
}

/// Removes a connection from those that are not assured; says whether it was there.
#[inline(always)]
pub fn dismiss(key: &FlowKey) -> bool {
    let removed = embryos!(key, |map, key| map.remove(key)) == Some(Ok(()));
    if removed {
        share::gone(key.slot(), Kind::of(key.family()), 1);
    }
    removed
}

/// Stores a connection that comes from elsewhere. Returns one of [`adopted`].
#[inline(never)]
pub fn adopt(key: &FlowKey, flow: &Flow) -> u32 {
    let now = KernelTables.now();
    let alive = |entry: Option<Entry>| entry.is_some_and(|entry| entry.lives(now));
    if alive(KernelTables.assured(key)) || alive(KernelTables.embryo(key)) {
        return adopted::EXISTS;
    }
    if !flow.word().assured() {
        return match create(key, flow) {
            true => adopted::STORED,
            false => adopted::NO_ROOM,
        };
    }
    match promote(key, flow) {
        Refusal::None => adopted::STORED,
        Refusal::NoRoom => adopted::NO_ROOM,
        Refusal::OverQuota => adopted::OVER_QUOTA,
    }
}

/// Why a connection was not promoted; a plain number for the call.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Refusal {
    None = 0,
    NoRoom = 1,
    OverQuota = 2,
}

impl Refusal {
    #[inline(always)]
    pub fn result(self) -> Result<(), Condition> {
        match self {
            Refusal::None => Ok(()),
            Refusal::NoRoom => Err(Condition::FlowNotPromoted),
            Refusal::OverQuota => Err(Condition::FlowOverQuota),
        }
    }
}

/// Puts an assured connection in the place of one that is over, whose turn it takes too.
#[inline(always)]
fn replace(entry: &Entry, flow: &Flow, now: Ticks) -> Refusal {
    match entry.seize(now) {
        Seized::Lives => Refusal::None,
        Seized::Ours => {
            entry.write_body(flow);
            entry.swap(Word::CLAIMED.0, flow.word);
            Refusal::None
        }
        Seized::Others => Refusal::NoRoom,
    }
}

/// Stores an assured connection that is not there, and gives it its turn.
#[inline(always)]
fn insert(key: &FlowKey, flow: &Flow) -> Refusal {
    let quota = match KernelTables.settings() {
        Some(settings) => settings.assured_per_port,
        None => 0,
    };
    let (Some(of_port), Some(room)) = (port_flows(key.slot()), room(key.family())) else {
        return Refusal::NoRoom;
    };
    // SAFETY: both point into array maps, good for this run.
    unsafe {
        if !take_one(of_port, quota) {
            return Refusal::OverQuota;
        }
        if !take_one(&raw mut (*room).used, (*room).capacity) {
            give_back(of_port);
            return Refusal::NoRoom;
        }
    }
    let inserted = by_family!(key, (maps::FLOWS4, maps::FLOWS6), |map, key| map.insert(
        key,
        flow,
        BPF_NOEXIST.into()
    ));
    if inserted.is_ok() {
        if give_turn(key) {
            return Refusal::None;
        }
        let _ = by_family!(key, (maps::FLOWS4, maps::FLOWS6), |map, key| map
            .remove(key));
    }
    release(key.family(), key.slot());
    match inserted {
        // Another CPU was faster: its entry stands.
        Err(EEXIST) => Refusal::None,
        _ => Refusal::NoRoom,
    }
}

/// Puts a connection at the end of the line.
#[inline(always)]
pub fn give_turn(key: &FlowKey) -> bool {
    match key.family() {
        Family::V4 => maps::TURNS4.push(key.narrow(), 0).is_ok(),
        Family::V6 => maps::TURNS6.push(key, 0).is_ok(),
    }
}

/// Gives back the room of an assured connection that is no more.
#[inline(always)]
pub fn release(family: Family, slot: u32) {
    if let Some(of_port) = port_flows(slot) {
        // SAFETY: a pointer into an array map, good for this run.
        unsafe { give_back(of_port) };
    }
    if let Some(room) = room(family) {
        // SAFETY: as above.
        unsafe { give_back(&raw mut (*room).used) };
    }
}

/// Asks the sweep to make room.
#[inline(always)]
fn hurry() {
    if let Some(sweep) = maps::SWEEP.get_ptr_mut(0) {
        // SAFETY: a pointer into an array map, good for this run; the field is written whole.
        unsafe { (&raw mut (*sweep).refused).write_volatile(1) };
    }
}

#[inline(always)]
pub fn room(family: Family) -> Option<*mut sg_common::layout::sweep::Room> {
    maps::ROOMS.get_ptr_mut(family as u32)
}

#[inline(always)]
fn port_flows(slot: u32) -> Option<*mut u32> {
    maps::PORT_FLOWS.get_ptr_mut(slot)
}

/// Adds one, unless there are `most`. Adds first and looks then, as the target has no addition that
/// returns a sum: of two CPUs that race for the last place both may be refused, but never both served.
#[inline(always)]
unsafe fn take_one(count: *mut u32, most: u32) -> bool {
    // SAFETY: the caller's.
    unsafe {
        // What is full is only read: packets of connections that wait ask again and again.
        if count.read_volatile() >= most {
            return false;
        }
        add(count, 1);
        if count.read_volatile() <= most {
            return true;
        }
        give_back(count);
    }
    false
}

#[inline(always)]
unsafe fn give_back(count: *mut u32) {
    // SAFETY: the caller's. The target has no subtraction; this wraps.
    unsafe { add(count, u32::MAX) };
}
