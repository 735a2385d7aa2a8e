//! A packet in words, walked through a port's filter.

use std::{cell::Cell, rc::Rc};

use sg_common::{
    filter::filter, hook::Hook, layout::flow::FlowKey, memory::Memory, reason::Accept,
    scratch::Scratch,
};

use super::{
    Agent,
    lookup::{self, AnyPort},
    notes, stages,
};
use crate::{
    api::{ExplainRequest, ExplainView, Outcome, RuleView, Step},
    error::{Error, Result},
    evaluate::evaluate,
    model::{Direction, Mac, Port, Vlan},
    packet::{self, Ends},
};

/// The other end of the wire, for packets that do not say: a locally administered address.
const SOMEONE: Mac = Mac([0x02, 0, 0, 0, 0, 0x01]);

impl Agent {
    /// What the filter says of a packet, stage by stage: the code that runs in the kernel, run over
    /// a copy of the kernel's tables, in which it leaves its traces. A packet has the tag of the subport,
    /// or goes to the subport of its tag.
    pub fn explain(&mut self, request: &ExplainRequest) -> Result<ExplainView> {
        let memory = self.memory()?;
        let inventory = &self.desired.inventory;
        let mut packet = request.packet.clone();
        let mut found = lookup::find(inventory, &request.port)?;
        match packet.vlan {
            Some(vlan) => found = lookup::in_vlan(inventory, found, vlan),
            None => packet.vlan = found.vlan().map(Vlan::id),
        }
        let hook = hook(request.direction.into());
        let ifindex = self.where_is(found, &request.port)?;
        let port = found.read();
        let frame = packet::frame(&packet, ends(port, hook));
        let walk = |memory: &Memory| {
            let mut scratch = Scratch::EMPTY;
            let verdict = filter(hook, ifindex, frame.as_slice(), memory, &mut scratch);
            (verdict, scratch)
        };
        // A first walk says which connections the filter looks for; then it is walked again with them.
        let (_, scratch) = walk(&memory);
        clear_traces(&memory);
        self.add_flows(&memory, [scratch.opening.key, scratch.quoted.key])?;
        let (verdict, scratch) = walk(&memory);

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

    /// A copy of all tables but those of connections, and the fragments, which come and go within seconds.
    fn memory(&mut self) -> Result<Memory> {
        let mut memory = self.tables.state(&*self.datapath)?.to_memory();
        memory.settings = self.datapath.settings()?;
        memory.clock.set(self.datapath.now());
        Ok(memory)
    }

    /// Adds connections that are stored.
    fn add_flows(&self, memory: &Memory, keys: [FlowKey; 2]) -> Result<()> {
        let tables = self.datapath.flow_tables();
        for key in keys {
            if let Some(flow) = tables.find(&key)? {
                let table = match flow.word().assured() {
                    true => &memory.flows,
                    false => &memory.embryos,
                };
                table.borrow_mut().insert(key, Rc::new(Cell::new(flow)));
            }
        }
        Ok(())
    }

    fn where_is(&self, port: AnyPort<'_>, reference: &str) -> Result<u32> {
        let place = match port {
            AnyPort::Read(port) => self.place(port),
            AnyPort::Closed(_) => port
                .interface()
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

/// Removes what a walk has left but for what it counted.
fn clear_traces(memory: &Memory) {
    memory.notes.borrow_mut().clear();
    memory.fragments.borrow_mut().clear();
    for table in [&memory.flows, &memory.embryos] {
        table.borrow_mut().clear();
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
