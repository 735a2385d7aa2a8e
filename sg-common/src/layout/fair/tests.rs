//! The tables as one CPU sees them: what the kernel's programs do, over ordinary memory.

use std::collections::BTreeMap;
use std::vec::Vec;

use super::*;

/// A table of numbers, by slot and number.
struct Table {
    seeds: Seeds,
    buckets: Vec<[(Tag, u32); WAYS]>,
    held: BTreeMap<u32, u32>,
    /// Whose entries were displaced, and by whom.
    displaced: Vec<(u32, u32)>,
    now: Ticks,
}

impl Table {
    fn new(entries: u32) -> Self {
        let buckets = buckets(entries);
        Self {
            seeds: seeds(buckets),
            buckets: std::vec![[(Tag::EMPTY, 0); WAYS]; buckets as usize],
            held: BTreeMap::new(),
            displaced: Vec::new(),
            now: 1_000_000,
        }
    }

    fn held(&self, slot: u32) -> u32 {
        self.held.get(&slot).copied().unwrap_or_default()
    }

    fn place(&self, slot: u32, number: u32) -> (usize, Tag) {
        let hash = hash(&key(slot, number), &self.seeds);
        let bucket = bucket(hash, self.seeds.buckets[0]);
        (bucket as usize, Tag::whose(hash, slot))
    }

    fn has(&self, slot: u32, number: u32) -> bool {
        let (bucket, whose) = self.place(slot, number);
        let mut ways = self.buckets[bucket].iter();
        ways.any(|(tag, stored)| tag.may_be(whose) && *stored == number)
    }

    /// Stores an entry that is not there; false if it cannot.
    fn store(&mut self, slot: u32, number: u32) -> bool {
        let (bucket, whose) = self.place(slot, number);
        let ranks = (0..WAYS).map(|way| {
            let (tag, _) = self.buckets[bucket][way];
            let rank = tag.rank(self.held(tag.slot()), self.now, way);
            rank.max(tag.vacancy(way))
        });
        let way = way(ranks.max().unwrap());
        let (old, _) = self.buckets[bucket][way];
        if !old.gives_way(self.held(old.slot()), slot, self.held(slot)) {
            return false;
        }
        if old.is_live() {
            self.displaced.push((old.slot(), slot));
            *self.held.get_mut(&old.slot()).unwrap() -= 1;
        }
        self.buckets[bucket][way] = (whose.live(self.now), number);
        *self.held.entry(slot).or_default() += 1;
        true
    }
}

fn seeds(buckets: u32) -> Seeds {
    let mut state = 0x5eed_u64;
    let mut random = || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    };
    Seeds {
        sum: random(),
        words: core::array::from_fn(|_| random()),
        buckets: [buckets; 3],
        first: [0; 3],
    }
}

fn key(slot: u32, number: u32) -> FlowKey4 {
    FlowKey4 {
        slot,
        local: [10, 0, 0, slot as u8],
        remote: (0x0a80_0000 + number / 50_000).to_be_bytes(),
        local_port: 80,
        remote_port: (number % 50_000) as u16,
        protocol: 6,
        icmp_request: 0,
        icmp_from_vm: 0,
        family: 4,
        reserved: 0,
    }
}

#[test]
fn a_port_that_has_less_loses_nothing_to_those_that_flood() {
    let mut table = Table::new(8192);
    let mut flood = 0;
    let mut lost = 0;
    for number in 0..200 {
        assert!(table.store(3, number));
        // Many times the table from two ports until the answer comes.
        for _ in 0..8192 {
            flood += 1;
            table.store(1 + flood % 2, flood);
        }
        lost += u32::from(!table.has(3, number));
    }
    assert_eq!(lost, 0);
    assert_eq!(table.held(3), 200);
    assert!(table.displaced.iter().all(|(whose, _)| *whose != 3));
    assert!(table.displaced.len() > 1_000_000, "nothing was ever full");
}

#[test]
fn nobody_is_displaced_by_a_port_that_has_more() {
    let mut table = Table::new(1024);
    let mut next = 0;
    // Ports of all sizes, in turn, far more than fit.
    for round in 0..2000 {
        for slot in 1..20 {
            for _ in 0..slot {
                next += 1;
                let before = (1..20).map(|slot| table.held(slot)).collect::<Vec<_>>();
                let displaced = table.displaced.len();
                table.store(slot, next);
                for (whose, by) in &table.displaced[displaced..] {
                    let [has, had] = [*whose, *by].map(|slot| before[slot as usize - 1]);
                    assert!(
                        whose == by || has >= had,
                        "round {round}: {has} lost to {had}"
                    );
                }
            }
        }
    }
    let held: u32 = (1..20).map(|slot| table.held(slot)).sum();
    let stored = table.buckets.iter().flatten();
    let stored = stored.filter(|(tag, _)| tag.is_live()).count();
    assert_eq!(held as usize, stored, "all that is counted is there");
}

#[test]
fn a_port_that_is_alone_has_the_whole_table_and_loses_its_oldest() {
    let mut table = Table::new(4096);
    for number in 0..40_960 {
        table.now += 1;
        assert!(table.store(7, number));
    }
    assert_eq!(table.held(7), 4096);
    // Of the last half as many as fit, all are there but where a bucket had more than its ways.
    let there = (40_960 - 2048..40_960).filter(|number| table.has(7, *number));
    assert!(there.count() > 2030);
    assert!((0..20_000).all(|number| !table.has(7, number)));
}

#[test]
fn half_full_tables_displace_next_to_nothing() {
    let mut table = Table::new(16_384);
    for number in 0..8192 {
        table.store(1 + number % 60, number);
    }
    assert!(table.displaced.len() < 30, "{}", table.displaced.len());
}

#[test]
fn a_tag_says_whose_it_is_and_how_long_it_was_not_used() {
    let whose = Tag::whose(0xdead_beef, 1024);
    let now = 0xffff_fff0;
    let live = whose.live(now);
    assert_eq!(live.slot(), 1024);
    assert!(live.is_live() && live.may_be(whose) && !live.is_empty());
    assert_eq!(live.idle(now.wrapping_add(1000)), 1000);
    let busy = live.busy();
    assert!(!busy.is_live() && busy.may_be(whose) && !busy.is_still(live));
    assert!(
        whose.live(5).is_still(live),
        "when it was used says nothing of whose it is"
    );
    assert!(!live.may_be(Tag::whose(0xdead_beee, 1024)));
    assert!(!Tag::EMPTY.may_be(Tag::whose(0, 0)));
    assert!(
        !busy.gives_way(9, 1, 0),
        "what another CPU writes is left alone"
    );
}

#[test]
fn whole_buckets_hold_what_was_asked_for() {
    for (entries, whole) in [(0, 16), (1, 16), (16, 16), (17, 32), (1000, 1008)] {
        assert_eq!(buckets(entries) * WAYS as u32, whole);
    }
    for hash in [0, 1, u32::MAX] {
        assert!(bucket(hash, 63) < 63);
    }
}
