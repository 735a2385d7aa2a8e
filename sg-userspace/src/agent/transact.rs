//! What a writer tells, one transaction after the other.

use std::{collections::BTreeSet, sync::Arc};

use super::{Agent, StoreState, lookup::AnyPort};
use crate::{
    error::{Error, Result},
    model::{Fault, Inventory, Named, PortId, Step, Told, Transaction},
    view::{Objects, PortOutcome, SourceKind, TransactionReport, TransactionsView},
};

/// What to do instead, where what is to be enforced comes from somewhere else.
const fn instead(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Inventory => {
            "this daemon follows an inventory: replace that (`sgctl apply`), or start sgd with --transactions"
        }
        SourceKind::Transactions => {
            "this daemon is told by transactions what to enforce: POST /v1/transactions, or start sgd with \
             --inventory"
        }
        SourceKind::Etcd => {
            "this daemon follows a store: change what is there (docs/etcd.md), or start sgd with --inventory or \
             --transactions"
        }
    }
}

impl Agent {
    /// Takes what was kept of former transactions, to go on from there with new ones. Enforced at once,
    /// unless nothing was ever told.
    ///
    /// # Errors
    ///
    /// [`Error::Datapath`] when the kernel refused a part; it is tried again.
    pub fn recall(&mut self, steps: impl IntoIterator<Item = Step>) -> Result<()> {
        let mut told = Told::of(self.about.host.clone());
        let inventory = Arc::make_mut(&mut self.desired.inventory);
        for step in steps {
            told.take(inventory, step);
        }
        self.desired.told = Some(Arc::new(told));
        self.settle_told();
        self.tell_logs();
        self.due.anew = true;
        for fault in &self.desired.faults {
            tracing::warn!("{fault}");
        }
        self.reconcile()
    }

    /// What a transaction is compared with.
    ///
    /// # Errors
    ///
    /// [`Error::OtherSource`] if the daemon follows an inventory.
    pub fn basis(&self) -> Result<Basis> {
        Ok(Basis {
            told: self.told()?.clone(),
            inventory: self.desired.inventory.clone(),
        })
    }

    /// Takes a step for what should be. What of it is to be written is due.
    ///
    /// # Errors
    ///
    /// [`Error::Datapath`] when it is not known what is attached; it is tried again.
    pub fn take_step(&mut self, step: Step, named: Named) -> Result<Taken> {
        let Some(told) = &mut self.desired.told else {
            return Err(Error::OtherSource(instead(self.about.source)));
        };
        // Neither is copied: who has compared with them has let go of them.
        let told = Arc::make_mut(told);
        let touched = told.take(Arc::make_mut(&mut self.desired.inventory), step);
        let news = told.faults_of(&named);
        for fault in &news {
            tracing::warn!("{fault}");
        }
        self.settle_told();
        self.tell_logs();
        let ports = named
            .ports
            .iter()
            .chain(&named.trusted)
            .chain(&touched.ports);
        let taken = Taken {
            revision: self.desired.revision,
            ports: ports.copied().collect(),
            news,
        };
        self.reconcile_touched(touched)?;
        Ok(taken)
    }

    /// What became of a step, which took so many changes of the tables.
    pub fn transaction_report(&self, taken: Taken, changes: usize) -> TransactionReport {
        let Taken {
            revision,
            ports,
            news,
        } = taken;
        let ids = ports.union(&self.enforced.reached);
        let ports = ids.filter_map(|id| Some((*id, self.outcome(*id)?)));
        let unfit = self.enforced.faults.iter().cloned();
        let report = TransactionReport {
            revision,
            changes,
            ports: ports.collect(),
            faults: news.into_iter().chain(unfit).collect(),
        };
        tracing::info!(
            revision,
            changes,
            ports = report.ports.len(),
            faults = report.faults.len(),
            "applied a transaction"
        );
        report
    }

    /// What was told, in numbers.
    ///
    /// # Errors
    ///
    /// [`Error::OtherSource`] if the daemon follows an inventory.
    pub fn transactions(&self) -> Result<TransactionsView> {
        let told = self.told()?;
        let count = told.count();
        Ok(TransactionsView {
            revision: told.revision(),
            session: told.session(),
            objects: Objects {
                ports: count.ports,
                trusted: count.trusted,
                security_groups: count.security_groups,
                members: count.members,
            },
        })
    }

    /// Whether a whole inventory may be taken.
    pub(super) fn check_takes_documents(&self) -> Result<()> {
        match self.desired.told {
            Some(_) => Err(Error::OtherSource(instead(self.about.source))),
            None => Ok(()),
        }
    }

    /// Whether a writer may tell what is to be enforced.
    ///
    /// # Errors
    ///
    /// [`Error::OtherSource`] if that comes from somewhere else.
    pub fn check_takes_transactions(&self) -> Result<()> {
        match self.about.source {
            SourceKind::Transactions => Ok(()),
            source => Err(Error::OtherSource(instead(source))),
        }
    }

    /// From now on the status says how the store that is followed is doing.
    pub fn follow(&mut self, state: StoreState) {
        self.store = Some(state);
    }

    fn told(&self) -> Result<&Arc<Told>> {
        let told = self.desired.told.as_ref();
        told.ok_or(Error::OtherSource(instead(self.about.source)))
    }

    fn settle_told(&mut self) {
        if let Some(told) = &self.desired.told {
            self.desired.faults = told.faults().cloned().collect();
            self.desired.revision = told.revision();
        }
    }

    fn outcome(&self, id: PortId) -> Option<PortOutcome> {
        let inventory = &self.desired.inventory;
        let read = inventory.ports.get(&id).map(AnyPort::Read);
        let closed = || {
            let mut closed = inventory.closed.iter();
            let closed = closed.find(|port| port.id.parse() == Ok(id));
            closed.map(AnyPort::Closed)
        };
        let spot = self.spot_of(read.or_else(closed)?);
        let state = self.state(spot);
        Some(PortOutcome {
            state,
            why: self.note(spot, state),
        })
    }
}

/// What is in force, as transactions have told it.
pub struct Basis {
    told: Arc<Told>,
    inventory: Arc<Inventory>,
}

/// A step that was taken.
pub struct Taken {
    revision: u64,
    /// The ports that it names, and those that it has changed.
    ports: BTreeSet<PortId>,
    /// What was left out of what it names.
    news: Vec<Fault>,
}

impl Basis {
    /// What a transaction comes to, and what it names.
    ///
    /// # Errors
    ///
    /// [`Error::MalformedTransaction`]; [`Error::Conflict`].
    pub fn step(&self, body: &[u8]) -> Result<(Step, Named)> {
        let transaction = Transaction::parse(body).map_err(|error| {
            tracing::warn!("a transaction was not understood: {error}");
            Error::MalformedTransaction(error)
        })?;
        let named = transaction.named();
        let step = self.told.step(&self.inventory, transaction);
        let step = step.inspect_err(|conflict| tracing::warn!("{conflict}"))?;
        Ok((step, named))
    }

    /// What was told, in as few steps as it takes.
    pub fn snapshot(&self) -> Vec<Step> {
        self.told.snapshot(&self.inventory)
    }
}
