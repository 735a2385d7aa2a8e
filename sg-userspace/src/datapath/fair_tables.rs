//! The fair tables: arrays of entries and of their tags, which only programs write.

use std::fs::File;
use std::io::Read;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};

use aya::Ebpf;
use aya::maps::{Array, Map, MapData, MapError};
use bytemuck::{Zeroable, bytes_of_mut};
use sg_common::layout::fair::{Entry, Fair, Seeds, Share, Tag, Tags, WAYS, bucket, hash};
use sg_common::layout::maps::name;

use super::batch::Walk;
use super::error::{Error, Result};
use super::tables::Raw;
use crate::agent::TableFill;

/// Buckets of one system call.
const PAGE: usize = 64;

/// What the fair tables have in common: how they are hashed, and who has how much in them.
pub struct Shares {
    seeds: Seeds,
    tags: OwnedFd,
    shares: OwnedFd,
}

impl Shares {
    /// Takes the maps out of the loaded object. The seeds are written once, with the tables: their
    /// entries lie where they say.
    pub fn open(object: &mut Ebpf) -> Result<Self> {
        let entries = Fair::ALL.map(|table| elements(object, map_of(table)));
        // The programs are loaded later, and want the map still open.
        let map = object.map_mut(name::SEEDS);
        let map = map.ok_or(Error::NoMap { name: name::SEEDS })?;
        let seeds = Array::<_, Raw<Seeds>>::try_from(map);
        let mut seeds = seeds.map_err(Error::map("open", name::SEEDS))?;
        let Raw(mut in_force) = seeds.get(&0, 0).map_err(Error::map("read", name::SEEDS))?;
        if in_force.buckets == Seeds::zeroed().buckets {
            in_force = random()?;
            let mut first = 0;
            for (table, entries) in Fair::ALL.into_iter().zip(entries) {
                let buckets = entries? / WAYS as u32;
                in_force.buckets[table.index()] = buckets;
                in_force.first[table.index()] = first;
                first += buckets;
            }
            let written = seeds.set(0, Raw(in_force), 0);
            written.map_err(Error::map("write", name::SEEDS))?;
        }
        Ok(Self {
            seeds: in_force,
            tags: fd(object, name::TAGS)?,
            shares: fd(object, name::SHARES)?,
        })
    }

    /// What each port has, from slot 0 on.
    pub fn of_slots(&self) -> Result<Vec<Share>> {
        let mut all = Vec::new();
        let mut walk = Walk::<u32, Share>::new(self.shares.as_fd());
        while let Some((_, shares)) = walk.page().map_err(unread(name::SHARES))? {
            all.extend_from_slice(shares);
        }
        Ok(all)
    }

    /// How full a table is.
    pub fn fill(&self, table: Fair) -> Result<TableFill> {
        let shares = self.of_slots()?;
        let used = shares
            .iter()
            .map(|share| u64::from(share.fair[table.index()]));
        Ok(TableFill {
            name: map_of(table),
            used: used.sum(),
            capacity: u64::from(self.seeds.buckets[table.index()]) * WAYS as u64,
        })
    }
}

/// One fair table.
pub struct FairTable<E> {
    fd: OwnedFd,
    of: PhantomData<fn() -> E>,
}

impl<E: Entry> FairTable<E> {
    /// The table in the loaded object.
    pub fn open(object: &Ebpf) -> Result<Self> {
        Ok(Self {
            fd: fd(object, map_of(E::TABLE))?,
            of: PhantomData,
        })
    }

    /// Visits all that is stored, some at a time.
    pub fn walk(
        &self,
        shares: &Shares,
        visit: &mut dyn FnMut(&[(E::Key, E::Value)]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let buckets = shares.seeds.buckets[E::TABLE.index()];
        let mut page = Vec::new();
        for first in (0..buckets).step_by(PAGE) {
            page.clear();
            self.read(
                shares,
                first,
                PAGE.min((buckets - first) as usize),
                &mut page,
            )?;
            if visit(&page).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// What is stored under a key.
    pub fn find(&self, key: &E::Key, shares: &Shares) -> Result<Option<E::Value>> {
        let index = bucket(
            hash(key, &shares.seeds),
            shares.seeds.buckets[E::TABLE.index()],
        );
        let mut stored = Vec::new();
        self.read(shares, index, 1, &mut stored)?;
        let same = |stored: &E::Key| bytemuck::bytes_of(stored) == bytemuck::bytes_of(key);
        let mut found = stored.into_iter().filter(|(stored, _)| same(stored));
        Ok(found.next().map(|(_, value)| value))
    }

    /// Reads what is stored in some buckets.
    fn read(
        &self,
        shares: &Shares,
        first: u32,
        buckets: usize,
        stored: &mut Vec<(E::Key, E::Value)>,
    ) -> Result<()> {
        let before = |index: u32| index.checked_sub(1);
        let of_tags = before(shares.seeds.first[E::TABLE.index()] + first);
        let mut tags = Walk::<u32, Tags>::after(shares.tags.as_fd(), of_tags, buckets);
        let Some((_, tags)) = tags.page().map_err(unread(name::TAGS))? else {
            return Ok(());
        };
        let is_live = |tag: &u64| Tag(*tag).is_live();
        if !tags.iter().any(|tags| tags.tags.iter().any(is_live)) {
            return Ok(());
        }
        let mut entries =
            Walk::<u32, E>::after(self.fd.as_fd(), before(first * WAYS as u32), buckets * WAYS);
        let entries = entries.page().map_err(unread(map_of(E::TABLE)))?;
        let entries = entries.map_or(&[][..], |(_, entries)| entries);
        let tagged = tags.iter().flat_map(|tags| tags.tags).zip(entries);
        stored.extend(
            tagged
                .filter(|(tag, _)| is_live(tag))
                .map(|(_, entry)| entry.parts()),
        );
        Ok(())
    }
}

/// The map of a table.
const fn map_of(table: Fair) -> &'static str {
    match table {
        Fair::Embryos4 => name::EMBRYOS4,
        Fair::Embryos6 => name::EMBRYOS6,
        Fair::Fragments => name::FRAGMENTS,
    }
}

/// Seeds that nobody can foresee.
fn random() -> Result<Seeds> {
    const PATH: &str = "/dev/urandom";
    let mut seeds = Seeds::zeroed();
    let read = File::open(PATH).and_then(|mut file| file.read_exact(bytes_of_mut(&mut seeds)));
    read.map_err(Error::directory("read", PATH.as_ref()))?;
    Ok(Seeds {
        buckets: Seeds::zeroed().buckets,
        first: Seeds::zeroed().first,
        ..seeds
    })
}

fn array<'a>(object: &'a Ebpf, name: &'static str) -> Result<&'a MapData> {
    match object.map(name) {
        Some(Map::Array(data)) => Ok(data),
        _ => Err(Error::NoMap { name }),
    }
}

fn elements(object: &Ebpf, name: &'static str) -> Result<u32> {
    let info = array(object, name)?.info();
    Ok(info.map_err(Error::map("describe", name))?.max_entries())
}

fn fd(object: &Ebpf, name: &'static str) -> Result<OwnedFd> {
    let fd = array(object, name)?.fd().as_fd().try_clone_to_owned();
    fd.map_err(|error| Error::map("open", name)(MapError::IoError(error)))
}

fn unread(name: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |error| Error::map("read", name)(MapError::IoError(error))
}
