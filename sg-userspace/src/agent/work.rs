//! Writing the tables, apart from the agent: it takes its time, and nobody waits for it who does not have to.
//!
//! What has happened is noted at once, and a tap is closed at once. What is to be written of it is *due*. It is
//! handed out as [`Work`], with the tables and all that it needs, and its end is told to the agent: meanwhile
//! the agent answers by what the tables held before, and what happens is due for the next work.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    Agent, Attachment,
    enforce::{Enforced, Holding, Places, Tables},
    flows::Adopting,
};
use crate::{
    error::{Error, Result},
    model::{Inventory, PortId, Touched},
    plan::State,
    settings::Audit,
    view::AdoptedPort,
};

/// Interfaces that were attached to, and what became of it.
pub(super) type Attached = BTreeMap<u32, Attachment>;

/// What is to be written.
#[derive(Default)]
pub(super) struct Due {
    /// What the inventory says is to be in force, where the ports are.
    pub enforce: bool,
    /// Every connection is to be judged once more.
    pub judge: bool,
    /// A port that gets a slot even if it has no interface.
    pub expected: Option<PortId>,
    /// What has changed in the inventory.
    pub touched: Touched,
    /// It is not known what has changed.
    pub anew: bool,
    /// The ports whose connections are taken over from nf_conntrack, once they are written.
    pub adopt: BTreeSet<PortId>,
    /// The interfaces as they were found, if ports may have other places.
    pub attached: Option<Attached>,
}

/// What is due, and what it takes.
pub struct Work {
    tables: Box<Tables>,
    inventory: Arc<Inventory>,
    places: Places,
    audit: Audit,
    due: Due,
    /// What takes connections over, if that is due.
    adopting: Option<Adopting>,
}

/// What became of work.
pub struct Done {
    tables: Box<Tables>,
    /// `None` if nothing of the inventory was due.
    enforced: Result<Option<Enforced>>,
    holding: Result<Holding>,
    due: Due,
    adopted: Result<Vec<AdoptedPort>>,
}

impl Agent {
    /// Whether nobody is at work.
    pub fn is_idle(&self) -> bool {
        self.tables.is_some()
    }

    /// What is due, if anything is and nobody is at work.
    pub fn work(&mut self) -> Option<Work> {
        if !self.due.enforce && !self.due.judge && self.due.adopt.is_empty() {
            return None;
        }
        let tables = self.tables.take()?;
        Some(Work {
            tables,
            adopting: self.due_adoptions(),
            inventory: self.desired.inventory.clone(),
            places: self.places.clone(),
            audit: self.operator.audit.clone(),
            due: std::mem::take(&mut self.due),
        })
    }

    /// What the tables hold, in short.
    pub(super) fn holding(&self) -> Result<&Holding> {
        let holding = self.holding.as_ref();
        holding.map_err(|error| Error::Datapath(error.to_string()))
    }

    /// What the tables hold; of those that are at work, what is read in the middle of it.
    pub(super) fn held_state(&mut self) -> Result<Cow<'_, State>> {
        match &mut self.tables {
            Some(tables) => tables.state().map(Cow::Borrowed),
            None => self.datapath.state().map(Cow::Owned),
        }
    }

    /// Takes note of what became of work; returns how many entries of the tables were written or removed.
    ///
    /// # Errors
    ///
    /// [`Error::Datapath`] when the kernel refused a part; it is tried again.
    pub fn finish(&mut self, done: Done) -> Result<usize> {
        self.tables = Some(done.tables);
        self.holding = done.holding;
        let attached = done.due.attached;
        let is_about_places = attached.is_some();
        let closed = self.enforced.closed.clone();
        match done.adopted {
            Ok(adopted) => self.note_adopted(adopted),
            Err(error) => {
                tracing::info!("no connections are taken over from nf_conntrack: {error}")
            }
        }
        let changes = match done.enforced {
            Ok(None) => Ok(0),
            Ok(Some(enforced)) => {
                let changes = self.note_enforced(Ok(enforced));
                self.forget_interfaces(&attached.unwrap_or_default());
                changes
            }
            Err(error) => {
                self.due.judge |= done.due.judge;
                self.note_enforced(Err(error))
            }
        };
        if let Err(error) = self.enter(changes.is_ok()) {
            tracing::error!("{error}");
        }
        if is_about_places || changes.is_err() || closed != self.enforced.closed {
            self.look();
        }
        changes
    }

    /// Does what is due, here and now; returns how many entries were written or removed.
    ///
    /// # Errors
    ///
    /// As of [`Agent::finish`].
    pub fn settle(&mut self) -> Result<usize> {
        let mut changes = 0;
        while let Some(work) = self.work() {
            changes += self.finish(work.run())?;
        }
        Ok(changes)
    }
}

impl Work {
    /// Does it.
    pub fn run(mut self) -> Done {
        let tables = &mut self.tables;
        let (inventory, places, due) = (&self.inventory, &self.places, &self.due);
        let enforced = caught(|| {
            if due.anew {
                tables.forget_compiled();
            }
            if due.judge {
                tables.judge_again()?;
            }
            match due.enforce {
                true => tables
                    .enforce(inventory, places, &self.audit, due.expected, &due.touched)
                    .map(Some),
                false => Ok(None),
            }
        });
        if enforced.is_err() {
            tables.forget();
        }
        let adopting = self.adopting.filter(|_| enforced.is_ok());
        let adopted = adopting.map_or(Ok(Vec::new()), |adopting| {
            let tables = &mut self.tables;
            caught(|| adopting.run(tables.state()?, &self.inventory, &self.due.adopt))
        });
        Done {
            enforced,
            adopted,
            holding: self.tables.holding(),
            tables: self.tables,
            due: self.due,
        }
    }
}

/// Whoever waits for the tables would wait for ever if they were lost.
fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let what = "the work was not finished: the standard error says where it stopped";
        Err(Error::Datapath(what.into()))
    })
}
