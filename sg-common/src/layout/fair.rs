//! Tables that one port cannot take from the others: for what packets store before anything is proven.
//!
//! Such a table is an array of entries, [`WAYS`] in a bucket, and a key has its bucket by a hash that
//! nobody outside can foresee. Into a full bucket a new entry comes in the place of one of the port that
//! has most in the whole table, its least recently used; and not at all if all of them belong to ports
//! that have fewer than its own. So a port that has less than another never loses anything to it, and one
//! that is alone may use the whole table.
//!
//! Every entry has a [`Tag`]. Those of a bucket lie side by side, and those of all buckets in a map of
//! their own, which the processor's cache can hold: to look for a key is to read sixteen of them, and only
//! whoever has marked a tag as busy writes the entry.

use bytemuck::Pod;

use crate::layout::flow::{Flow, FlowKey, FlowKey4};
use crate::layout::fragment::{FragmentKey, FragmentValue};
use crate::layout::settings::Ticks;
use crate::layout::shared::shared;

/// Entries of a bucket.
pub const WAYS: usize = 16;

/// Words of the longest key.
const WORDS: usize = size_of::<FlowKey>() / 4;

shared! {
    /// Value of the `seeds` map: one element, by which the fair tables are hashed.
    pub struct Seeds: 128 {
        /// Secret numbers; the last bits of `sum` and of each are of no use. See [`hash`].
        pub sum: u64,
        /// One for each word of a key.
        pub words: [u64; WORDS],
        /// Buckets of each table, by [`Fair`]; 0 before the loader has written them.
        pub buckets: [u32; 3],
        /// The first bucket of each in the map `tags`.
        pub first: [u32; 3],
    }

    /// Value of the `tags` map: those of a bucket. See [`Tag`].
    pub struct Tags: 128 {
        /// One for each place.
        pub tags: [u64; WAYS],
    }

    /// Value of the `shares` map, by slot: what a port has in the tables that ports share.
    pub struct Share: 16 {
        /// Assured connections of both families.
        pub assured: u32,
        /// Entries of the fair tables, by [`Fair`].
        pub fair: [u32; 3],
    }

    /// Value of the `embryos4` map, good where its tag says so.
    pub struct Embryo4: 88 {
        /// Which connection.
        pub key: FlowKey4,
        /// Its state.
        pub value: Flow,
    }

    /// Value of the `embryos6` map, good where its tag says so.
    pub struct Embryo6: 112 {
        /// Which connection.
        pub key: FlowKey,
        /// Its state.
        pub value: Flow,
    }

    /// Value of the `fragments` map, good where its tag says so.
    pub struct Datagram: 56 {
        /// Which datagram.
        pub key: FragmentKey,
        /// What is known of it.
        pub value: FragmentValue,
    }
}

/// The fair tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fair {
    /// IPv4 connections that are not assured.
    Embryos4,
    /// IPv6 connections that are not assured.
    Embryos6,
    /// Datagrams in fragments.
    Fragments,
}

impl Fair {
    /// All of them, in the order of the numbers.
    pub const ALL: [Fair; 3] = [Fair::Embryos4, Fair::Embryos6, Fair::Fragments];

    /// Place in arrays.
    #[inline(always)]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// An entry of one of the tables.
pub trait Entry: Pod {
    /// What it is found by.
    type Key: Pod;
    /// What is stored under it.
    type Value: Pod;

    /// The table.
    const TABLE: Fair;

    /// The slot of a key.
    fn slot(key: &Self::Key) -> u32;

    /// Both.
    fn parts(&self) -> (Self::Key, Self::Value);
}

macro_rules! entry {
    ($entry:ty, $key:ty, $value:ty, $table:ident) => {
        impl Entry for $entry {
            type Key = $key;
            type Value = $value;
            const TABLE: Fair = Fair::$table;

            #[inline(always)]
            fn slot(key: &$key) -> u32 {
                key.slot
            }

            fn parts(&self) -> ($key, $value) {
                (self.key, self.value)
            }
        }

        const _: () = assert!(size_of::<$entry>() == size_of::<$key>() + size_of::<$value>());
    };
}

entry!(Embryo4, FlowKey4, Flow, Embryos4);
entry!(Embryo6, FlowKey, Flow, Embryos6);
entry!(Datagram, FragmentKey, FragmentValue, Fragments);

/// What is known of an entry without looking at it: the port, some bits of the hash and when it was last
/// used. All zeros where there is none. Changed only by compare-and-swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub u64);

/// Bits of a slot in a [`Tag`], from the lowest; then come those of the hash, and those of the clock.
const SLOT_BITS: u32 = 24;
const HASH_BITS: u32 = 16;
const USED_BITS: u32 = 22;
const USED: u32 = SLOT_BITS + HASH_BITS;
const WHOSE: u64 = (1 << USED) - 1;
const USED_MASK: u64 = (1 << USED_BITS) - 1;
const BUSY: u64 = 1 << 62;
const LIVE: u64 = 1 << 63;

/// When an entry was last used is written again when so many ticks (a quarter of a second) have passed.
pub const USED_STEP: Ticks = 256;

impl Tag {
    /// Of no entry.
    pub const EMPTY: Tag = Tag(0);

    /// The part that says whose the entry is.
    #[inline(always)]
    pub const fn whose(hash: u32, slot: u32) -> Tag {
        Tag(slot as u64 & ((1 << SLOT_BITS) - 1)
            | (hash as u64 & ((1 << HASH_BITS) - 1)) << SLOT_BITS)
    }

    /// Of an entry that is there, and used now.
    #[inline(always)]
    pub const fn live(self, now: Ticks) -> Tag {
        Tag(self.0 & WHOSE | (now as u64 & USED_MASK) << USED | LIVE)
    }

    /// Of an entry that one CPU is writing or removing.
    #[inline(always)]
    pub const fn busy(self) -> Tag {
        Tag(self.0 & WHOSE | BUSY)
    }

    /// Whether there is no entry.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether there is an entry, which can be read.
    #[inline(always)]
    pub const fn is_live(self) -> bool {
        self.0 & LIVE != 0
    }

    /// Whether there may be an entry of this [`Tag::whose`].
    #[inline(always)]
    pub const fn may_be(self, whose: Tag) -> bool {
        self.0 & WHOSE == whose.0 && self.0 & (LIVE | BUSY) != 0
    }

    /// Whether it is still the same entry as it was.
    #[inline(always)]
    pub const fn is_still(self, former: Tag) -> bool {
        (self.0 ^ former.0) & (WHOSE | LIVE | BUSY) == 0
    }

    /// The port.
    #[inline(always)]
    pub const fn slot(self) -> u32 {
        (self.0 & ((1 << SLOT_BITS) - 1)) as u32
    }

    /// How long the entry was not used, in ticks; modulo 73 minutes.
    #[inline(always)]
    pub const fn idle(self, now: Ticks) -> Ticks {
        (now as u64).wrapping_sub(self.0 >> USED) as Ticks & USED_MASK as Ticks
    }

    /// How soon the entry at a place gives way, if its port has so many in the table: the more, the
    /// sooner. Its last bits are the place, see [`way`].
    #[inline(always)]
    pub const fn rank(self, of_port: u32, now: Ticks, way: usize) -> u64 {
        ((of_port as u64) << USED_BITS | self.idle(now) as u64) << WAY_BITS | way as u64
    }

    /// Like a rank that is higher than all of entries, if there is none at a place; lower than all if
    /// there is one. In numbers only: of a branch the verifier would follow both ways at every place.
    #[inline(always)]
    pub const fn vacancy(self, way: usize) -> u64 {
        let is_empty = (self.0 >> BUSY.trailing_zeros()).wrapping_sub(1) >> 63;
        is_empty << 63 | way as u64
    }

    /// Whether a [`Tag::vacancy`] is one.
    #[inline(always)]
    pub const fn is_vacancy(vacancy: u64) -> bool {
        vacancy >> 63 != 0
    }

    /// Whether it is an entry's to give way to a new one of a port, when their ports have so many each.
    #[inline(always)]
    pub const fn gives_way(self, of_port: u32, to: u32, of_other: u32) -> bool {
        self.is_empty() || self.is_live() && (self.slot() == to || of_port >= of_other)
    }
}

const WAY_BITS: u32 = WAYS.trailing_zeros();

/// The place of which a [`Tag::rank`] is.
#[inline(always)]
pub const fn way(rank: u64) -> usize {
    (rank & (WAYS as u64 - 1)) as usize
}

/// The hash of a key: the sum of its words, each times a secret number, of which the upper half counts.
/// Whoever does not know the numbers cannot choose keys that meet in a bucket, whatever he tries
/// (multilinear hashing; D. Lemire and O. Kaser, "Strongly universal string hashing is fast", 2014).
#[inline(always)]
pub fn hash<K: Pod>(key: &K, seeds: &Seeds) -> u32 {
    let key: &[u32] = bytemuck::must_cast_slice(core::slice::from_ref(key));
    let mut sum = seeds.sum;
    let mut word = 0;
    while word < key.len() && word < WORDS {
        sum = sum.wrapping_add(seeds.words[word].wrapping_mul(key[word] as u64));
        word += 1;
    }
    (sum >> 32) as u32
}

/// The bucket of a hash.
#[inline(always)]
pub const fn bucket(hash: u32, buckets: u32) -> u32 {
    ((hash as u64 * buckets as u64) >> 32) as u32
}

/// Buckets for at least so many entries.
pub const fn buckets(entries: u32) -> u32 {
    match entries.div_ceil(WAYS as u32) {
        0 => 1,
        buckets => buckets,
    }
}

#[cfg(test)]
mod tests;
