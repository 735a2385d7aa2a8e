//! The fair tables in their maps: looked into, written and cleaned by several CPUs at once. What they
//! are is said in [`sg_common::layout::fair`].
//!
//! A tag is changed by compare-and-swap only, and the entry behind it is written only by the CPU that has
//! made it busy. Whoever reads an entry copies it and looks at the tag again.

use sg_common::hook::Direction;
use sg_common::layout::fair::{
    self as layout, Datagram, Embryo4, Embryo6, Fair, Seeds, Share, Tag, USED_STEP, WAYS, hash, way,
};
use sg_common::layout::flow::{Flow, Word};
use sg_common::layout::fragment::FragmentValue;
use sg_common::layout::settings::{Ticks, passed};
use sg_common::reason::Condition;
use sg_common::sweep::is_over;
use sg_common::tables::Tables;

use crate::atomic::{add, swap};
use crate::flows::{Entry, Seized};
use crate::maps;
use crate::tables::KernelTables;

/// An entry that is in a map.
pub trait Kept: layout::Entry<Value: Held> {
    /// The entry of an index.
    fn at(index: u32) -> Option<*mut Self>;
}

macro_rules! kept {
    ($entry:ty, $map:expr) => {
        impl Kept for $entry {
            #[inline(always)]
            fn at(index: u32) -> Option<*mut Self> {
                $map.get_ptr_mut(index)
            }
        }
    };
}

kept!(Embryo4, maps::EMBRYOS4);
kept!(Embryo6, maps::EMBRYOS6);
kept!(Datagram, maps::FRAGMENTS);

/// What an entry holds, in its place.
pub trait Held: Sized {
    /// Whether another of the same key may take its place.
    fn seize(held: *mut Self, now: Ticks) -> Seized;
    /// Whether the sweep may remove it.
    fn is_done(held: *mut Self, now: Ticks) -> bool;
    /// Lets whoever still works on it fail.
    fn end(held: *mut Self);
    /// Writes it.
    fn put(held: *mut Self, value: &Self);
    /// Whether anybody misses it when it is displaced, and at which side it is counted.
    fn missed(held: *mut Self, now: Ticks) -> Option<Direction>;
}

impl Held for Flow {
    #[inline(always)]
    fn seize(held: *mut Flow, now: Ticks) -> Seized {
        Entry(held).seize(now)
    }

    #[inline(always)]
    fn is_done(held: *mut Flow, now: Ticks) -> bool {
        let entry = Entry(held);
        let word = entry.word();
        // The claim fails if a packet has moved the connection since its word was read.
        is_over(word, entry.expires(), now) && entry.claim(word, now)
    }

    #[inline(always)]
    fn end(held: *mut Flow) {
        // SAFETY: a pointer into an array map, good for this run.
        unsafe { (&raw mut (*held).word).write_volatile(Word::CLAIMED.0) };
    }

    #[inline(always)]
    fn put(held: *mut Flow, value: &Flow) {
        // SAFETY: as above; the state word, which is the first, goes last.
        unsafe {
            let (stored, words) = (held.cast::<u64>(), (&raw const *value).cast::<u64>());
            copy_words(stored.add(1), words.add(1), size_of::<Flow>() / 8 - 1);
            stored.write_volatile(words.read());
        }
    }

    #[inline(always)]
    fn missed(held: *mut Flow, now: Ticks) -> Option<Direction> {
        let entry = Entry(held);
        entry
            .lives(now)
            .then(|| match Word(entry.word()).from_vm() {
                true => Direction::Egress,
                false => Direction::Ingress,
            })
    }
}

impl Held for FragmentValue {
    #[inline(always)]
    fn seize(_: *mut FragmentValue, _: Ticks) -> Seized {
        Seized::Ours
    }

    #[inline(always)]
    fn is_done(held: *mut FragmentValue, now: Ticks) -> bool {
        // SAFETY: a pointer into an array map, good for this run.
        passed(unsafe { (&raw const (*held).expires).read_volatile() }, now)
    }

    #[inline(always)]
    fn end(_: *mut FragmentValue) {}

    #[inline(always)]
    fn put(held: *mut FragmentValue, value: &FragmentValue) {
        // SAFETY: as above.
        unsafe { copy(held, value) };
    }

    #[inline(always)]
    fn missed(held: *mut FragmentValue, now: Ticks) -> Option<Direction> {
        (!Self::is_done(held, now)).then_some(Direction::Ingress)
    }
}

/// What became of an entry that was to be stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stored(pub u32);

#[expect(
    non_upper_case_globals,
    reason = "they read as the variants of an enum"
)]
impl Stored {
    /// It is stored.
    pub const Yes: Stored = Stored(0);
    /// One of its key is there, or about to be; that one stands.
    pub const Exists: Stored = Stored(1);
    /// Everything in its bucket belongs to ports that have less, or to another CPU at this instant.
    pub const No: Stored = Stored(2);

    /// It is stored in the place of a port's that will be missed.
    #[inline(always)]
    fn displacing(direction: Direction, slot: u32) -> Stored {
        Stored(4 | direction as u32 | slot << 3)
    }

    /// Whether it is there; counts what was displaced, whose port is told.
    #[inline(always)]
    pub fn settle(self, displaced: Condition) -> bool {
        if self.0 & 4 != 0 {
            let direction = match self.0 & 1 {
                0 => Direction::Ingress,
                _ => Direction::Egress,
            };
            KernelTables.condition(self.0 >> 3, direction, displaced);
        }
        self != Stored::No
    }
}

/// Defines what is done with one table, as functions that the kernel's verifier looks at by themselves
/// and only once: there are many places to look at, and many ways that lead to them. Such a function
/// takes pointers that it has to check, and returns a number.
macro_rules! global {
    ($find:ident, $store:ident, $remove:ident: $entry:ty) => {
        /// Where an entry lies, see [`fair::entry`]; it is copied into `into`.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $find(
            key: *const <$entry as sg_common::layout::fair::Entry>::Key,
            into: *mut <$entry as sg_common::layout::fair::Entry>::Value,
        ) -> u64 {
            // SAFETY: a pointer that is not null is one to such a value: the verifier sees to it.
            match unsafe { (key.as_ref(), into.as_mut()) } {
                (Some(key), Some(into)) => fair::find::<$entry>(key, into),
                _ => fair::NOWHERE,
            }
        }

        /// Stores an entry; see [`Stored`].
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $store(
            key: *const <$entry as sg_common::layout::fair::Entry>::Key,
            value: *const <$entry as sg_common::layout::fair::Entry>::Value,
        ) -> u32 {
            // SAFETY: as above.
            match unsafe { (key.as_ref(), value.as_ref()) } {
                (Some(key), Some(value)) => fair::store::<$entry>(key, value).0,
                _ => Stored::No.0,
            }
        }

        /// Removes an entry; 1 if it was there.
        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn $remove(key: *const <$entry as sg_common::layout::fair::Entry>::Key) -> u32 {
            // SAFETY: as above.
            match unsafe { key.as_ref() } {
                Some(key) => fair::remove::<$entry>(key) as u32,
                None => 0,
            }
        }
    };
}
pub(crate) use global;

/// Where no entry lies.
pub const NOWHERE: u64 = u64::MAX;

/// The value of the entry that lies at a place, as [`find`] says it.
#[inline(always)]
pub fn entry<E: Kept>(place: u64) -> Option<*mut E::Value> {
    match place {
        NOWHERE => None,
        index => Some(value(E::at(index as u32)?)),
    }
}

/// Copies what is stored under a key into `into`, and says where it lies, for [`entry`].
#[inline(always)]
pub fn find<E: Kept>(key: &E::Key, into: &mut E::Value) -> u64 {
    match look::<E>(key, into, KernelTables.now()) {
        Some(index) => index as u64,
        None => NOWHERE,
    }
}

#[inline(always)]
fn look<E: Kept>(key: &E::Key, into: &mut E::Value, now: Ticks) -> Option<u32> {
    let (bucket, whose) = Bucket::of::<E>(key)?;
    let mut way = 0;
    while way < WAYS {
        let tag = bucket.tag(way);
        if tag.is_live() && tag.may_be(whose) {
            let place = Place::<E>::at(&bucket, way)?;
            if place.holds(key) {
                // SAFETY: a pointer into an array map, good for this run.
                unsafe { copy(into, value(place.entry)) };
                let tag_now = place.tag();
                if tag_now.is_still(tag) {
                    if tag_now.idle(now) >= USED_STEP {
                        place.swap(tag_now, whose.live(now));
                    }
                    return Some(bucket.first + way as u32);
                }
            }
        }
        way += 1;
    }
    None
}

/// Stores an entry: in the place of one of its key that is over, in an empty one, or in that of another
/// port's or its own.
#[inline(always)]
pub fn store<E: Kept>(key: &E::Key, value: &E::Value) -> Stored {
    let now = KernelTables.now();
    let Some((bucket, whose)) = Bucket::of::<E>(key) else {
        return Stored::No;
    };
    let mut free = 0;
    let mut at = 0;
    while at < WAYS {
        let tag = bucket.tag(at);
        let vacancy = tag.vacancy(at);
        if vacancy > free {
            free = vacancy;
        }
        if tag.may_be(whose) {
            if !tag.is_live() {
                return Stored::Exists;
            }
            let Some(place) = Place::<E>::at(&bucket, at) else {
                return Stored::No;
            };
            if place.holds(key) {
                return place.renew(tag, value, now);
            }
        }
        at += 1;
    }
    let at = match Tag::is_vacancy(free) {
        true => Some(way(free)),
        false => bucket.first_to_go(E::TABLE, now),
    };
    match at.and_then(|at| Place::<E>::at(&bucket, at)) {
        Some(place) => place.take(key, value, whose, now),
        None => Stored::No,
    }
}

/// Removes what is stored under a key.
#[inline(always)]
pub fn remove<E: Kept>(key: &E::Key) -> bool {
    let Some((bucket, whose)) = Bucket::of::<E>(key) else {
        return false;
    };
    let mut removed = false;
    let mut way = 0;
    while way < WAYS {
        let tag = bucket.tag(way);
        if tag.is_live() && tag.may_be(whose) {
            let Some(place) = Place::<E>::at(&bucket, way) else {
                return removed;
            };
            // Two CPUs that store the same at once may do so in two places.
            if place.holds(key) && place.empty(tag) {
                removed = true;
            }
        }
        way += 1;
    }
    removed
}

/// Removes from a bucket what is over, or all that belongs to a slot; returns how many.
#[inline(always)]
pub fn clean<E: Kept>(index: u32, slot: u32, now: Ticks) -> u32 {
    let Some(bucket) = Bucket::at(E::TABLE, index) else {
        return 0;
    };
    let mut removed = 0;
    let mut way = 0;
    while way < WAYS {
        let tag = bucket.tag(way);
        if tag.is_live()
            && let Some(place) = Place::<E>::at(&bucket, way)
        {
            let goes = match slot {
                0 => E::Value::is_done(value(place.entry), now),
                slot => tag.slot() == slot,
            };
            if goes && place.empty(tag) {
                removed += 1;
            }
        }
        way += 1;
    }
    removed
}

/// Buckets of a table.
#[inline(always)]
pub fn buckets(table: Fair) -> u32 {
    match seeds() {
        Some(seeds) => seeds.buckets[table.index()],
        None => 0,
    }
}

/// Entries of a port in a table.
#[inline(always)]
fn of_port(table: Fair, slot: u32) -> Option<u32> {
    let share = share(slot)?;
    // SAFETY: a pointer into an array map, good for this run; the number is read whole.
    Some(unsafe { (&raw const (*share).fair[table.index()]).read_volatile() })
}

#[inline(always)]
fn count(table: Fair, slot: u32, number: u32) {
    if let Some(share) = share(slot) {
        // SAFETY: a pointer into an array map, good for this run.
        unsafe { add(&raw mut (*share).fair[table.index()], number) };
    }
}

/// What a port has in the tables that ports share.
#[inline(always)]
pub fn share(slot: u32) -> Option<*mut Share> {
    maps::SHARES.get_ptr_mut(slot)
}

#[inline(always)]
fn seeds() -> Option<&'static Seeds> {
    maps::SEEDS.get(0)
}

/// The tags of a bucket, and where its entries begin.
struct Bucket {
    tags: *mut u64,
    first: u32,
}

impl Bucket {
    /// The bucket of a key, and what its tag would be.
    #[inline(always)]
    fn of<E: Kept>(key: &E::Key) -> Option<(Bucket, Tag)> {
        let seeds = seeds()?;
        let hash = hash(key, seeds);
        let index = layout::bucket(hash, seeds.buckets[E::TABLE.index()]);
        let bucket = Bucket::among(seeds, E::TABLE, index)?;
        Some((bucket, Tag::whose(hash, E::slot(key))))
    }

    /// The bucket of a number.
    #[inline(always)]
    fn at(table: Fair, index: u32) -> Option<Bucket> {
        Bucket::among(seeds()?, table, index)
    }

    #[inline(always)]
    fn among(seeds: &Seeds, table: Fair, index: u32) -> Option<Bucket> {
        let tags = maps::TAGS.get_ptr_mut(seeds.first[table.index()].wrapping_add(index))?;
        Some(Bucket {
            tags: tags.cast(),
            first: index.wrapping_mul(WAYS as u32),
        })
    }

    #[inline(always)]
    fn tag(&self, way: usize) -> Tag {
        // SAFETY: tags in an array map, good for this run, and one of them.
        Tag(unsafe { self.tags.add(way).read_volatile() })
    }

    /// The place in a full bucket whose entry is the first to give way.
    #[inline(always)]
    fn first_to_go(&self, table: Fair, now: Ticks) -> Option<usize> {
        let mut first = 0;
        let mut at = 0;
        while at < WAYS {
            let tag = self.tag(at);
            let rank = tag.rank(of_port(table, tag.slot())?, now, at);
            if rank > first {
                first = rank;
            }
            at += 1;
        }
        Some(way(first))
    }
}

/// A place in a bucket: the tag, and the entry behind it.
struct Place<E> {
    tag: *mut u64,
    entry: *mut E,
}

impl<E: Kept> Place<E> {
    #[inline(always)]
    fn at(bucket: &Bucket, way: usize) -> Option<Self> {
        Some(Self {
            // SAFETY: tags in an array map, good for this run, and one of them.
            tag: unsafe { bucket.tags.add(way) },
            entry: E::at(bucket.first.wrapping_add(way as u32))?,
        })
    }

    #[inline(always)]
    fn tag(&self) -> Tag {
        // SAFETY: as above.
        Tag(unsafe { self.tag.read_volatile() })
    }

    #[inline(always)]
    fn swap(&self, before: Tag, after: Tag) -> bool {
        // SAFETY: as above.
        unsafe { swap(self.tag, before.0, after.0) }
    }

    #[inline(always)]
    fn holds(&self, key: &E::Key) -> bool {
        // The key is the first part of an entry.
        let (stored, key) = (self.entry.cast::<u32>(), (&raw const *key).cast::<u32>());
        let mut word = 0;
        while word < size_of::<E::Key>() / 4 {
            // SAFETY: both have so many words. Volatile, and one after the other: there is no room on the
            // stack for all of them.
            if unsafe { stored.add(word).read_volatile() != key.add(word).read_volatile() } {
                return false;
            }
            word += 1;
        }
        true
    }

    /// Puts a new entry here, if what is here gives way to it.
    #[inline(always)]
    fn take(&self, key: &E::Key, value: &E::Value, whose: Tag, now: Ticks) -> Stored {
        let old = self.tag();
        if !old.is_empty() {
            let ports = (
                of_port(E::TABLE, old.slot()),
                of_port(E::TABLE, whose.slot()),
            );
            let (Some(of_old), Some(own)) = ports else {
                return Stored::No;
            };
            if !old.gives_way(of_old, whose.slot(), own) {
                return Stored::No;
            }
        }
        if !self.swap(old, whose.busy()) {
            return match self.tag().may_be(whose) {
                true => Stored::Exists,
                false => Stored::No,
            };
        }
        count(E::TABLE, whose.slot(), 1);
        let held = self::value(self.entry);
        let mut stored = Stored::Yes;
        if !old.is_empty() {
            if let Some(direction) = E::Value::missed(held, now) {
                stored = Stored::displacing(direction, old.slot());
            }
            count(E::TABLE, old.slot(), u32::MAX);
            E::Value::end(held);
        }
        // SAFETY: a pointer into an array map, good for this run, and this CPU's alone.
        unsafe { copy(self.entry.cast::<E::Key>(), key) };
        self.fill(value, whose, now);
        stored
    }

    /// Writes the value of an entry that is this CPU's, and lets all see it.
    #[inline(always)]
    fn fill(&self, value: &E::Value, whose: Tag, now: Ticks) {
        E::Value::put(self::value(self.entry), value);
        self.swap(whose.busy(), whose.live(now));
    }

    /// Gives an entry of the same key another value, if the former is over.
    #[inline(always)]
    fn renew(&self, tag: Tag, value: &E::Value, now: Ticks) -> Stored {
        match E::Value::seize(self::value(self.entry), now) {
            Seized::Lives => Stored::Exists,
            Seized::Others => Stored::No,
            Seized::Ours if self.swap(tag, tag.busy()) => {
                self.fill(value, tag, now);
                Stored::Yes
            }
            Seized::Ours => Stored::No,
        }
    }

    /// Removes the entry, if the tag is still this.
    #[inline(always)]
    fn empty(&self, tag: Tag) -> bool {
        if !self.swap(tag, tag.busy()) {
            return false;
        }
        E::Value::end(value(self.entry));
        self.swap(tag.busy(), Tag::EMPTY);
        count(E::TABLE, tag.slot(), u32::MAX);
        true
    }
}

/// The value of an entry, behind the key.
#[inline(always)]
fn value<E: layout::Entry>(entry: *mut E) -> *mut E::Value {
    // SAFETY: an entry is its key and its value.
    unsafe { entry.cast::<E::Key>().add(1).cast() }
}

/// Copies word by word.
///
/// # Safety
///
/// Both must be valid, and of whole words.
#[inline(always)]
unsafe fn copy<T>(to: *mut T, from: *const T) {
    const { assert!(size_of::<T>().is_multiple_of(4) && align_of::<T>() >= 4) };
    if const { size_of::<T>().is_multiple_of(8) && align_of::<T>() >= 8 } {
        // SAFETY: the caller's.
        unsafe { copy_words::<u64>(to.cast(), from.cast(), size_of::<T>() / 8) };
    } else {
        // SAFETY: the caller's.
        unsafe { copy_words::<u32>(to.cast(), from.cast(), size_of::<T>() / 4) };
    }
}

/// # Safety
///
/// Both must be valid for so many words.
#[inline(always)]
unsafe fn copy_words<W>(to: *mut W, from: *const W, words: usize) {
    let mut word = 0;
    while word < words {
        // SAFETY: the caller's.
        unsafe { to.add(word).write(from.add(word).read_volatile()) };
        word += 1;
    }
}
