//! A packet, walked through a port's filter.

mod hints;
mod near;

use std::{cell::Cell, rc::Rc};

use sg_common::{
    filter::filter,
    hook::Hook,
    layout::flow::FlowKey,
    memory::Memory,
    reason::{Accept, Verdict},
    scratch::{Run, Scratch},
    wire::ethernet,
};

use super::{
    Agent,
    lookup::{self, AnyPort},
    notes, stages,
};
use crate::{
    error::{Error, Result},
    evaluate::evaluate,
    model::{Direction, Inventory, Mac, Port, Vlan},
    packet::{self, Captured, Ends, PacketWords, from_hex},
    view::{ExplainRequest, ExplainView, FrameView, Outcome, RuleView, Step},
};

/// The other end of the wire, for packets that do not say: a locally administered address.
const SOMEONE: Mac = Mac([0x02, 0, 0, 0, 0, 0x01]);

impl Agent {
    /// What the filter says of a packet, stage by stage: the code that runs in the kernel, run over
    /// a copy of the kernel's tables, in which it leaves its traces. A fragment in words goes after those that
    /// it needs.
    pub fn explain(&mut self, request: &ExplainRequest) -> Result<ExplainView> {
        let memory = self.memory()?;
        let inventory = &self.desired.inventory;
        let found = lookup::find(inventory, &request.port)?;
        let hook = hook(request.direction.into());
        let (found, frames) = match (&request.packet, &request.frame) {
            (Some(words), None) => of_words(inventory, found, words, hook),
            (None, Some(frame)) => of_frame(inventory, found, frame)?,
            _ => {
                let advice = "give the packet in words or as a frame: one of packet and frame";
                return Err(Error::Usage(advice.into()));
            }
        };
        let ifindex = self.where_is(found, &request.port)?;
        let walk = |frame: &Frame| {
            let mut run = Run::EMPTY;
            memory.notes.borrow_mut().clear();
            let verdict = filter(hook, ifindex, frame, &memory, &mut run);
            Walk {
                verdict,
                scratch: run.scratch,
            }
        };
        // A first walk says which connections the filter looks for; then it is walked again with them.
        let first: Vec<_> = frames.iter().map(walk).collect();
        clear_traces(&memory);
        for Walk { scratch, .. } in &first {
            self.add_flows(&memory, [scratch.opening.key, scratch.quoted.key])?;
        }
        let walks: Vec<_> = frames.iter().map(walk).collect();
        let (Some(walked), Some(frame), before) = (
            walks.last(),
            frames.last(),
            walks.split_last().map(|(_, before)| before),
        ) else {
            return Err(Error::Usage("these words make no packet".into()));
        };
        let mut steps: Vec<_> = before
            .into_iter()
            .flatten()
            .map(Walk::as_fragment)
            .collect();
        steps.extend(noted(&memory, &walked.scratch));
        let last = walked.last_step();
        steps.push(last.clone());
        // A later fragment is permitted by what permits the first.
        let by_rule = walks.iter().rev().find(|walk| walk.is_by_rule());
        let by_rule = by_rule.filter(|_| walked.verdict.is_ok());
        let rule = found
            .read()
            .zip(by_rule)
            .and_then(|(port, walk)| self.permitting(port, &walk.scratch));
        let (near, remedy) = match found.read() {
            Some(port) => (self.near(port, walked), self.remedy(port, walked)),
            None => (Vec::new(), None),
        };
        Ok(ExplainView {
            port: self.view(found),
            direction: request.direction,
            steps,
            verdict: last.outcome,
            reason: stages::name(&walked.verdict).into(),
            sentence: last.detail,
            rule,
            told: None,
            near,
            remedy,
            hints: self.hints(found, frame, walked),
        })
    }

    /// A copy of all tables but those of connections, and the fragments, which come and go within seconds.
    fn memory(&mut self) -> Result<Memory> {
        let mut memory = self.held_state()?.to_memory();
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

/// A frame that was walked through the filter.
pub(super) struct Walk {
    /// What the filter says of it.
    pub verdict: Verdict,
    /// What the filter has read of it.
    pub scratch: Scratch,
}

impl Walk {
    fn last_step(&self) -> Step {
        Step {
            stage: stages::of(&self.verdict).into(),
            detail: self.sentence().into(),
            outcome: match self.verdict {
                Ok(_) => Outcome::Accept,
                Err(_) => Outcome::Drop,
            },
        }
    }

    /// What is said of a fragment that goes before the one that is meant.
    fn as_fragment(&self) -> Step {
        let done = match self.verdict {
            Ok(_) => "accepted",
            Err(_) => "dropped",
        };
        Step {
            stage: "fragments".into(),
            detail: format!("the first fragment is {done}: {}", self.sentence()),
            outcome: Outcome::Continue,
        }
    }

    fn sentence(&self) -> &'static str {
        match self.verdict {
            Ok(accept) => accept.describe(),
            Err(reason) => reason.describe(),
        }
    }

    fn is_by_rule(&self) -> bool {
        matches!(
            self.verdict,
            Ok(Accept::New | Accept::Stateless | Accept::InvalidPermitted)
        )
    }
}

/// A frame to walk.
type Frame = Captured<Vec<u8>>;

/// The frames that words stand for, and the port that they are at. A packet has the tag of the subport, or
/// goes to the subport of its tag.
fn of_words<'a>(
    inventory: &'a Inventory,
    found: AnyPort<'a>,
    words: &PacketWords,
    hook: Hook,
) -> (AnyPort<'a>, Vec<Frame>) {
    let mut words = words.clone();
    let found = match words.vlan {
        Some(vlan) => lookup::in_vlan(inventory, found, vlan),
        None => {
            words.vlan = found.vlan().map(Vlan::id);
            found
        }
    };
    let frames = packet::frames(&words, ends(found.read(), hook));
    (found, frames.into_iter().map(Captured::whole).collect())
}

/// A frame that was captured, and the port that it is at, by the same rule.
fn of_frame<'a>(
    inventory: &'a Inventory,
    found: AnyPort<'a>,
    frame: &FrameView,
) -> Result<(AnyPort<'a>, Vec<Frame>)> {
    const VLAN_ID: u16 = 0x0fff;
    let bytes = from_hex(&frame.bytes);
    let bytes = bytes.map_err(|problem| Error::Usage(format!("the frame's bytes: {problem}")))?;
    let mut captured = Captured::whole(bytes);
    captured.length = captured.length.max(frame.length.unwrap_or_default());
    let stands = ethernet::parse(&captured).map_or(0, |ethernet| ethernet.vlan & VLAN_ID);
    let given = match stands {
        0 => frame.vlan,
        stands => Some(stands),
    };
    let found = match given {
        Some(vlan) => lookup::in_vlan(inventory, found, vlan),
        None => found,
    };
    if stands == 0 {
        captured.tag = given.or(found.vlan().map(Vlan::id));
    }
    Ok((found, vec![captured]))
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

fn noted(memory: &Memory, scratch: &Scratch) -> Vec<Step> {
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
