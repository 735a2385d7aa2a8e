//! A packet in words, walked through a port's filter.

use std::{cell::Cell, rc::Rc};

use sg_common::{filter::filter, hook::Hook, memory::Memory, packet::Scratch, reason::Accept};

use super::{
    Agent,
    lookup::{self, AnyPort},
    notes, stages,
};
use crate::{
    api::{ExplainRequest, ExplainView, Outcome, RuleView, Step},
    error::{Error, Result},
    evaluate::evaluate,
    model::{Direction, Mac, Port},
    packet::{self, Ends},
};

/// The other end of the wire, for packets that do not say: a locally administered address.
const SOMEONE: Mac = Mac([0x02, 0, 0, 0, 0, 0x01]);

impl Agent {
    /// What the filter says of a packet, stage by stage: the code that runs in the kernel, run over
    /// a copy of the kernel's tables, in which it leaves its traces.
    pub fn explain(&mut self, request: &ExplainRequest) -> Result<ExplainView> {
        let memory = self.memory()?;
        let found = lookup::find(&self.desired.inventory, &request.port)?;
        let hook = hook(request.direction.into());
        let ifindex = self.where_is(found, &request.port)?;
        let port = found.read();
        let frame = packet::frame(&request.packet, ends(port, hook));
        let mut scratch = Scratch::EMPTY;
        let verdict = filter(hook, ifindex, frame.as_slice(), &memory, &mut scratch);

        let outcome = if verdict.is_ok() {
            Outcome::Accept
        } else {
            Outcome::Drop
        };
        let sentence = match verdict {
            Ok(accept) => accept.describe(),
            Err(reason) => reason.describe(),
        };
        let mut steps = steps(&memory, &scratch);
        let stage = stages::of(&verdict);
        steps.push(Step {
            stage: stage.into(),
            detail: sentence.into(),
            outcome,
        });
        let by_rule = matches!(
            verdict,
            Ok(Accept::New | Accept::Stateless | Accept::InvalidPermitted)
        );
        let port = port.filter(|_| by_rule);
        Ok(ExplainView {
            port: self.view(found),
            direction: request.direction,
            steps,
            verdict: outcome,
            reason: stages::name(&verdict).into(),
            sentence: sentence.into(),
            rule: port.and_then(|port| self.permitting(port, &scratch)),
        })
    }

    /// A copy of all tables but the fragments, which come and go within seconds.
    fn memory(&mut self) -> Result<Memory> {
        let mut memory = self.tables.state(&*self.datapath)?.to_memory();
        memory.settings = self.datapath.settings()?;
        memory.clock.set(self.datapath.now());
        for (key, flow) in self.datapath.flows()? {
            let table = if flow.word().assured() {
                &memory.flows
            } else {
                &memory.embryos
            };
            table.borrow_mut().insert(key, Rc::new(Cell::new(flow)));
        }
        Ok(memory)
    }

    fn where_is(&self, port: AnyPort<'_>, reference: &str) -> Result<u32> {
        let place = match port {
            AnyPort::Read(port) => self.place(port),
            AnyPort::Closed(port) => port
                .interface
                .as_ref()
                .and_then(|interface| self.ifindex(interface.as_str())),
        };
        place.ok_or_else(|| Error::PortPending(reference.into()))
    }

    /// The first rule that permits the packet, by the slow and obvious reading of the rules.
    fn permitting(&self, port: &Port, scratch: &Scratch) -> Option<RuleView> {
        let rule = evaluate(&self.desired.inventory, port, &scratch.opening)?;
        self.rule_view(port, rule.id, 0)
    }
}

fn hook(direction: Direction) -> Hook {
    match direction {
        Direction::Ingress => Hook::ToVm,
        Direction::Egress => Hook::FromVm,
    }
}

fn ends(port: Option<&Port>, hook: Hook) -> Ends {
    let vm = port.map_or(SOMEONE, |port| port.mac);
    match hook {
        Hook::ToVm => Ends {
            source: SOMEONE,
            destination: vm,
        },
        Hook::FromVm => Ends {
            source: vm,
            destination: SOMEONE,
        },
    }
}

fn steps(memory: &Memory, scratch: &Scratch) -> Vec<Step> {
    let noted = memory.notes.borrow();
    let steps = noted.iter().map(|note| {
        let (stage, detail) = notes::words(note, scratch.ip.protocol, memory.clock.get());
        Step {
            stage: stage.into(),
            detail,
            outcome: Outcome::Continue,
        }
    });
    steps.collect()
}
