//! The changes that can be asked for. Each is read beside the agent, kept, taken, written beside the agent, and
//! answered when the kernel enforces it.

use std::sync::Arc;

use tokio::{sync::Mutex, task};

use super::{Adoption, Change, Digest, FlowImport, Read, beside, transact::Basis};
use crate::{
    error::Result,
    flows::FlowDocument,
    memory,
    model::Step,
    settings::Wanted,
    store::Journal,
    view::{ApplyReport, TransactionReport},
};

impl Change {
    /// Takes a document for what should be, once it is understood and kept: what the kernel refuses is tried
    /// again, by a restarted daemon too.
    ///
    /// # Errors
    ///
    /// [`Malformed`](crate::error::Error::Malformed), and that of keeping it: then nothing is changed.
    /// [`Datapath`](crate::error::Error::Datapath) when the kernel refused a part.
    pub async fn document(
        &self,
        document: impl AsRef<[u8]> + Send + 'static,
        keep: impl FnOnce(&[u8]) -> Result<()> + Send + 'static,
    ) -> Result<ApplyReport> {
        let in_force = self.agent().await.inventory()?;
        let read = beside(move || {
            let read = Read::new(document.as_ref(), &in_force);
            if read.is_ok() {
                keep(document.as_ref())?;
            }
            Ok(read)
        });
        let read = read.await?;
        let taken = self.enforce(|agent| match read {
            Ok(read) => agent.take(read),
            Err(malformed) => Err(agent.refuse(malformed)),
        });
        let (before, changes) = taken.await?;
        // A hundred thousand ports take their time to go, and nobody waits for that.
        task::spawn_blocking(|| {
            drop(before);
            memory::give_back();
        });
        Ok(self.agent().await.apply_report(changes))
    }

    /// Takes the content of the inventory's file, unless it is what is in force.
    ///
    /// # Errors
    ///
    /// That of the reading, and those of [`Change::document`].
    pub async fn file(&self, content: Result<Vec<u8>>) -> Result<()> {
        let digested = beside(move || {
            let content = content.map(|document| (Digest::of(&document), document));
            Ok(content)
        });
        let (digest, document) = match digested.await? {
            Ok((digest, document)) => (Ok(digest), document),
            Err(error) => (Err(error), Vec::new()),
        };
        if self.agent().await.is_new(digest)? {
            self.document(document, |_| Ok(())).await?;
        }
        Ok(())
    }

    /// Takes a transaction. What is new in it is kept before it is taken.
    ///
    /// # Errors
    ///
    /// Those of [`Basis::step`], and that of keeping it: then nothing is changed.
    /// [`Datapath`](crate::error::Error::Datapath) when the kernel refused a part.
    pub async fn transaction(
        &self,
        body: impl AsRef<[u8]> + Send + 'static,
        keep: impl FnOnce(&Step) -> Result<()> + Send + 'static,
    ) -> Result<TransactionReport> {
        let basis = self.basis().await?;
        let read = beside(move || {
            let (step, named) = basis.step(body.as_ref())?;
            keep(&step)?;
            Ok((step, named))
        });
        let (step, named) = read.await?;
        let taken = self.enforce(|agent| agent.take_step(step, named));
        let (taken, changes) = taken.await?;
        Ok(self.agent().await.transaction_report(taken, changes))
    }

    /// The same, which keeps it in a file, and has the file written anew when it has become long.
    ///
    /// # Errors
    ///
    /// Those of [`Change::transaction`].
    pub async fn kept_transaction(
        &self,
        body: impl AsRef<[u8]> + Send + 'static,
        journal: Arc<Mutex<Journal>>,
    ) -> Result<TransactionReport> {
        let kept = journal.clone();
        let keep = move |step: &_| kept.blocking_lock().append(step);
        let report = self.transaction(body, keep).await;
        self.tidy(journal).await;
        report
    }

    async fn tidy(&self, journal: Arc<Mutex<Journal>>) {
        let Ok(basis) = self.basis().await else {
            return;
        };
        let tidied = beside(move || {
            let mut journal = journal.blocking_lock();
            match journal.is_long() {
                true => journal.rewrite(&basis.snapshot()),
                false => Ok(()),
            }
        });
        if let Err(error) = tidied.await {
            tracing::error!("{error}; it goes on growing");
        }
    }

    /// What transactions have told.
    ///
    /// # Errors
    ///
    /// [`OtherSource`](crate::error::Error::OtherSource) if the daemon follows an inventory.
    pub async fn basis(&self) -> Result<Basis> {
        self.agent().await.basis()
    }

    /// Takes what was read of the settings file.
    ///
    /// # Errors
    ///
    /// That of the reading; [`Datapath`](crate::error::Error::Datapath) when the kernel refused.
    pub async fn settings(&self, read: Result<Wanted>) -> Result<()> {
        let taken = self.enforce(|agent| agent.settings_changed(read));
        taken.await.map(drop)
    }

    /// What takes over the connections of a document, which has to be of the port that `reference` names, if
    /// it names one.
    ///
    /// # Errors
    ///
    /// Those of [`Agent::expect_flows`](super::Agent::expect_flows) and
    /// [`Agent::import`](super::Agent::import).
    pub async fn import(
        &self,
        document: FlowDocument,
        reference: Option<&str>,
    ) -> Result<FlowImport> {
        let port = document.port;
        self.enforce(|agent| agent.expect_flows(port, reference))
            .await?;
        self.agent().await.import(document, reference)
    }

    /// What takes over the connections of a port from the kernel's own tracker.
    ///
    /// # Errors
    ///
    /// Those of [`Agent::expect_adoption`](super::Agent::expect_adoption).
    pub async fn adoption(&self, reference: &str) -> Result<Adoption> {
        self.enforce(|agent| agent.expect_adoption(reference))
            .await?;
        self.agent().await.adoption(reference)
    }
}
