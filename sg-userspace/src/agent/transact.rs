//! What a writer tells, one transaction after the other.

use super::{Agent, lookup::AnyPort};
use crate::{
    error::{Error, Result},
    model::{Fault, Named, PortId, Step, Told, Touched, Transaction},
    view::{Objects, PortOutcome, TransactionReport, TransactionsView},
};

const BY_INVENTORY: &str = "this daemon follows an inventory: replace that (`sgctl apply`), or start \
                            sgd with --transactions";
const BY_TRANSACTIONS: &str = "this daemon is told by transactions what to enforce: POST /v1/transactions, \
                               or start sgd with --inventory";

impl Agent {
    /// Takes what was kept of former transactions, to go on from there with new ones. Enforced at once,
    /// unless nothing was ever told.
    ///
    /// # Errors
    ///
    /// [`Error::Datapath`] when the kernel refused a part; it is tried again.
    pub fn recall(&mut self, steps: impl IntoIterator<Item = Step>) -> Result<()> {
        let mut told = Told::default();
        for step in steps {
            told.take(&mut self.desired.inventory, step);
        }
        self.desired.told = Some(told);
        self.settle_told();
        self.tables.forget_compiled();
        for fault in &self.desired.faults {
            tracing::warn!("{fault}");
        }
        self.reconcile().map(drop)
    }

    /// What a transaction comes to, and what it names. Changes nothing yet.
    ///
    /// # Errors
    ///
    /// [`Error::MalformedTransaction`]; [`Error::Conflict`]; [`Error::OtherSource`] if the daemon follows an
    /// inventory.
    pub fn step(&self, body: &[u8]) -> Result<(Step, Named)> {
        let told = self.told()?;
        let transaction = Transaction::parse(body).map_err(|error| {
            tracing::warn!("a transaction was not understood: {error}");
            Error::MalformedTransaction(error)
        })?;
        let named = transaction.named();
        let step = told.step(&self.desired.inventory, transaction);
        let step = step.inspect_err(|conflict| tracing::warn!("{conflict}"))?;
        Ok((step, named))
    }

    /// Takes a step for what should be; returns when the kernel enforces it.
    ///
    /// # Errors
    ///
    /// [`Error::Datapath`] when the kernel refused a part; it is tried again at the next event.
    pub fn take_step(&mut self, step: Step, named: &Named) -> Result<TransactionReport> {
        let Some(told) = &mut self.desired.told else {
            return Err(Error::OtherSource(BY_INVENTORY));
        };
        let touched = told.take(&mut self.desired.inventory, step);
        let revision = told.revision();
        let news = told.faults_of(named);
        self.settle_told();
        for fault in &news {
            tracing::warn!("{fault}");
        }
        let changes = self.reconcile_touched(&touched)?;
        let report = self.report(revision, changes, &touched, named, news);
        tracing::info!(
            revision,
            changes,
            ports = report.ports.len(),
            faults = report.faults.len(),
            "applied a transaction"
        );
        Ok(report)
    }

    /// What was told, in as few steps as it takes.
    pub fn snapshot(&self) -> Vec<Step> {
        let told = self.desired.told.as_ref();
        told.map(|told| told.snapshot(&self.desired.inventory))
            .unwrap_or_default()
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
            Some(_) => Err(Error::OtherSource(BY_TRANSACTIONS)),
            None => Ok(()),
        }
    }

    fn told(&self) -> Result<&Told> {
        let told = self.desired.told.as_ref();
        told.ok_or(Error::OtherSource(BY_INVENTORY))
    }

    fn settle_told(&mut self) {
        if let Some(told) = &self.desired.told {
            self.desired.faults = told.faults().cloned().collect();
            self.desired.revision = told.revision();
        }
    }

    fn report(
        &self,
        revision: u64,
        changes: usize,
        touched: &Touched,
        named: &Named,
        news: Vec<Fault>,
    ) -> TransactionReport {
        let named_ports = named.ports.iter().chain(&named.trusted);
        let ids = named_ports
            .chain(&touched.ports)
            .chain(&self.enforced.reached);
        let ports = ids.filter_map(|id| Some((*id, self.outcome(*id)?)));
        let unfit = self.enforced.faults.iter().cloned();
        TransactionReport {
            revision,
            changes,
            ports: ports.collect(),
            faults: news.into_iter().chain(unfit).collect(),
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
