//! Taking over the connections of a port from another node.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Instant,
};

use sg_common::{
    layout::flow::{Flow, FlowKey, Side},
    layout::settings::{TICK_SHIFT, Ticks},
    wire::protocol,
};

use super::{reader::view, wall_clock};
use crate::{
    agent::{Added, FlowTables},
    error::Result,
    flows::{FlowDocument, Gate, Refusal},
    view::{ImportReport, RefusedFlow},
};

/// Stores the connections of a document that the port's policy permits.
pub struct FlowImport {
    tables: Arc<dyn FlowTables>,
    gate: Gate,
    document: FlowDocument,
    tracked_here: Option<Instant>,
}

impl FlowImport {
    pub(super) fn new(tables: Arc<dyn FlowTables>, gate: Gate, document: FlowDocument) -> Self {
        Self {
            tables,
            gate,
            document,
            tracked_here: None,
        }
    }

    /// The same, of connections that were tracked here all the time, and told at this moment. Who opened one is
    /// better known to the document than to a filter that has met it in the middle; and what has passed since
    /// then is told by a clock that nobody sets.
    pub(super) fn tracked_here(self, told: Instant) -> Self {
        Self {
            tracked_here: Some(told),
            ..self
        }
    }

    /// Stores them, and says what became of each.
    ///
    /// # Errors
    ///
    /// What the kernel refuses; nothing of the document is then stored.
    pub fn run(self) -> Result<ImportReport> {
        let mut stored = Vec::new();
        let done = self.store(&mut stored);
        if done.is_err() {
            for key in &stored {
                // The first error is the one to tell; what stays is judged like all else.
                let _ = self.tables.remove(key);
            }
        }
        done
    }

    fn store(&self, stored: &mut Vec<FlowKey>) -> Result<ImportReport> {
        let now = self.tables.now();
        let age = ticks(self.age());
        let judge = self.gate.judge();
        let nonces = RandomState::new();
        let mut report = ImportReport::new(self.document.port);
        for record in &self.document.flows {
            let key = record.key(self.gate.slot());
            let nonce = nonces.hash_one(bytemuck::bytes_of(&key)) as u32;
            let Some(mut flow) = record.flow(now, age, nonce) else {
                report.expired += 1;
                continue;
            };
            if let Err(refusal) = judge.permits(&key, flow.word().from_vm()) {
                report.refused.push(self.refused(&key, &flow, now, refusal));
                continue;
            }
            if self.stays(&key, &flow, now)? {
                report.existing += 1;
                continue;
            }
            let wants_assured = flow.word().assured();
            match self.tables.add_somewhere(&key, &mut flow)? {
                Added::Exists => report.existing += 1,
                Added::NoRoom => report.no_room += 1,
                Added::Stored => {
                    stored.push(key);
                    report.imported += 1;
                    report.evictable += u64::from(wants_assured && !flow.word().assured());
                }
            }
        }
        Ok(report)
    }

    /// Milliseconds since the connections were as the document says. From another node only the clock on the
    /// wall can tell.
    fn age(&self) -> u64 {
        let here = self.tracked_here.map(|told| told.elapsed().as_millis());
        here.map_or_else(
            || self.document.age(wall_clock()),
            |age| age.try_into().unwrap_or(u64::MAX),
        )
    }

    /// Whether the tables hold the connection, and it stays. One that is over makes way, and one that was met
    /// in the middle and taken for opened by the wrong side.
    fn stays(&self, key: &FlowKey, flow: &Flow, now: Ticks) -> Result<bool> {
        let Some(here) = self.tables.find(key)? else {
            return Ok(false);
        };
        let turned = here.word().from_vm() != flow.word().from_vm();
        let corrected =
            self.tracked_here.is_some() && turned && may_be_met_in_the_middle(key, &here);
        if here.lives(now) && !corrected {
            return Ok(true);
        }
        self.tables.remove(key).map(|_| false)
    }

    fn refused(&self, key: &FlowKey, flow: &Flow, now: Ticks, refusal: Refusal) -> RefusedFlow {
        RefusedFlow {
            flow: view(self.document.port, key, flow, now),
            reason: refusal.as_str().into(),
        }
    }
}

/// Whether the filter may not have seen how a connection began: of TCP, its windows do not bind then.
fn may_be_met_in_the_middle(key: &FlowKey, flow: &Flow) -> bool {
    let word = flow.word();
    let is_liberal = word.liberal(Side::Original) && word.liberal(Side::Reply);
    key.protocol() != protocol::TCP || is_liberal
}

/// Milliseconds in ticks; no more than a connection can live.
fn ticks(milliseconds: u64) -> Ticks {
    let ticks = milliseconds.saturating_mul(1_000_000) >> TICK_SHIFT;
    ticks.min(i32::MAX as u64) as Ticks
}
