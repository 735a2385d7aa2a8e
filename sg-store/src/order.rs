//! Changes as a stream tells them, put into the order of revisions, each revision whole.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Place;

use crate::kv::{Batch, Change, Revision};
use crate::{Error, Result};

/// What has come and is not handed out yet.
#[derive(Debug)]
pub(crate) struct Order {
    /// All up to here was handed out.
    told: Revision,
    /// All up to here has come.
    whole: Revision,
    waiting: BTreeMap<Revision, BTreeMap<String, Change>>,
}

impl Order {
    /// Begins behind a revision.
    pub fn behind(told: Revision) -> Self {
        Self {
            told,
            whole: told,
            waiting: BTreeMap::new(),
        }
    }

    /// Takes changes, in whatever order. The same one may come by way of two ranges.
    ///
    /// # Errors
    ///
    /// [`Error::Disordered`] if it should have come before what was handed out, or if one key has two values.
    pub fn take(&mut self, changes: impl IntoIterator<Item = Change>) -> Result<()> {
        for change in changes {
            let revision = change.revision();
            let disordered = |change: &Change| Error::Disordered {
                revision,
                key: change.key().into(),
                told: self.told.max(self.whole),
            };
            if revision <= self.told || revision <= self.whole {
                return Err(disordered(&change));
            }
            let batch = self.waiting.entry(revision).or_default();
            match batch.entry(change.key().into()) {
                Place::Vacant(place) => drop(place.insert(change)),
                Place::Occupied(same) if *same.get() == change => {}
                Place::Occupied(_) => return Err(disordered(&change)),
            }
        }
        Ok(())
    }

    /// Says that all up to a revision has come.
    pub fn is_whole(&mut self, upto: Revision) {
        self.whole = self.whole.max(upto);
    }

    /// The next revision that is whole.
    pub fn next(&mut self) -> Option<Batch> {
        let first = self.waiting.first_entry()?;
        if *first.key() > self.whole {
            return None;
        }
        let (revision, changes) = first.remove_entry();
        self.told = revision;
        Some(Batch {
            revision,
            changes: changes.into_values().collect(),
            is_whole: true,
        })
    }

    /// Whether anything waits for the rest of its revision.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Up to here all was handed out.
    pub fn upto(&self) -> Revision {
        match self.waiting.is_empty() {
            true => self.told.max(self.whole),
            false => self.told,
        }
    }

    /// The newest revision that something has come of.
    pub fn newest(&self) -> Revision {
        let newest = self.waiting.keys().next_back();
        newest.copied().unwrap_or(self.told)
    }

    /// Ranges are followed from behind a revision on which they were not before: what came since may lack theirs.
    pub fn reopen(&mut self, behind: Revision) {
        self.whole = self.whole.min(behind).max(self.told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entry;

    fn put(key: &str, revision: Revision) -> Change {
        Change::Put(Entry {
            key: key.into(),
            value: revision.to_string().into(),
            revision,
        })
    }

    fn told(order: &mut Order) -> Vec<(Revision, Vec<String>)> {
        let batches = std::iter::from_fn(|| order.next());
        let keys = |batch: &Batch| {
            let changes = batch.changes.iter();
            changes.map(|change| change.key().to_owned()).collect()
        };
        batches
            .map(|batch| (batch.revision, keys(&batch)))
            .collect()
    }

    #[test]
    fn a_revision_is_told_when_all_of_it_has_come() {
        let mut order = Order::behind(3);
        order.take([put("b", 5), put("a", 6), put("a", 4)]).unwrap();
        assert_eq!(told(&mut order), []);
        order.take([put("a", 5)]).unwrap();
        order.is_whole(5);
        let both = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(told(&mut order), [(4, vec!["a".to_owned()]), (5, both)]);
        assert!(order.is_waiting());
    }

    #[test]
    fn the_same_change_by_two_ranges_is_one() {
        let mut order = Order::behind(0);
        order.take([put("a", 1), put("a", 1)]).unwrap();
        order.is_whole(1);
        assert_eq!(told(&mut order), [(1, vec!["a".to_owned()])]);
    }

    #[test]
    fn what_comes_late_or_once_more_or_otherwise_is_caught() {
        let mut order = Order::behind(3);
        order.take([put("a", 4)]).unwrap();
        order.is_whole(6);
        told(&mut order);
        for late in [put("a", 4), put("b", 4), put("b", 3), put("b", 6)] {
            let error = order.take([late]);
            assert!(matches!(error, Err(Error::Disordered { told: 6, .. })));
        }
        order.take([put("b", 7)]).unwrap();
        let other = Change::Delete {
            key: "b".into(),
            revision: 7,
        };
        assert!(order.take([other]).is_err());
    }

    #[test]
    fn what_ranges_that_were_added_tell_of_what_waits_is_waited_for() {
        let mut order = Order::behind(3);
        order.take([put("a", 4), put("a", 5)]).unwrap();
        order.is_whole(5);
        assert_eq!(order.next().unwrap().revision, 4);
        order.reopen(4);
        assert_eq!(order.next(), None);
        order.take([put("b", 5)]).unwrap();
        order.is_whole(5);
        let both = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(told(&mut order), [(5, both)]);
    }
}
