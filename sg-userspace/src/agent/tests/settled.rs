//! The agent as it is to be seen from outside: what is due is done before anybody looks.

use super::*;
use crate::{
    agent::{Adoption, Digest, FlowImport, Read},
    flows::FlowDocument,
    settings::Wanted,
    view::TransactionReport,
};

impl Agent {
    pub(crate) fn apply(&mut self, document: &[u8]) -> Result<ApplyReport> {
        let in_force = self.inventory()?;
        let read = Read::new(document, &in_force).map_err(|malformed| self.refuse(malformed))?;
        self.take(read)?;
        let changes = self.settle()?;
        Ok(self.apply_report(changes))
    }

    pub(crate) fn file_changed(&mut self, content: Result<Vec<u8>>) -> Result<()> {
        let document = content.as_ref().ok().cloned();
        match self.is_new(content.map(|document| Digest::of(&document)))? {
            true => self.apply(&document.unwrap()).map(drop),
            false => Ok(()),
        }
    }

    pub(crate) fn links(&mut self, event: LinkEvent) -> Result<()> {
        self.burst_of([event])
    }

    pub(crate) fn burst_of(&mut self, events: impl IntoIterator<Item = LinkEvent>) -> Result<()> {
        self.burst(events)?;
        self.settle().map(drop)
    }

    pub(crate) fn checked(&mut self) -> Result<()> {
        self.check()?;
        self.settle().map(drop)
    }

    pub(crate) fn set_now(&mut self, wanted: Wanted) -> Result<()> {
        self.settings_read(Ok(wanted))
    }

    pub(crate) fn settings_read(&mut self, read: Result<Wanted>) -> Result<()> {
        self.settings_changed(read)?;
        self.settle().map(drop)
    }

    pub(crate) fn recalled(&mut self) {
        self.recall([]).unwrap();
        self.settle().unwrap();
    }

    pub(crate) fn told_now(&mut self, body: &[u8]) -> Result<TransactionReport> {
        let (step, named) = self.basis()?.step(body)?;
        let taken = self.take_step(step, named)?;
        let changes = self.settle()?;
        Ok(self.transaction_report(taken, changes))
    }

    pub(crate) fn imported(
        &mut self,
        document: FlowDocument,
        reference: Option<&str>,
    ) -> Result<FlowImport> {
        self.expect_flows(document.port, reference)?;
        self.settle()?;
        self.import(document, reference)
    }

    pub(crate) fn adopting(&mut self, reference: &str) -> Result<Adoption> {
        self.expect_adoption(reference)?;
        self.settle()?;
        self.adoption(reference)
    }
}
