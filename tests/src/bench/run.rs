//! A whole run: sets up each stage, measures it, and says on standard error what it is at.

use std::fs;
use std::time::Instant;

use super::clock;
use super::flood;
use super::knobs::Knobs;
use super::memory;
use super::path::Grounds;
use super::plan::{self, Extent, Part, Stage};
use super::programs;
use super::rate;
use super::report::{Report, Row, Section};
use super::rules::Size;
use super::side::{Side, Who, Wiring, Workshop};
use super::stacks::Stacks;
use super::statistics::{Cell, Measured, interleave};
use super::tcp;
use super::update;
use super::wire::Wire;
use crate::interrupt;

/// What to measure.
#[derive(Debug)]
pub struct Order {
    /// How much of it.
    pub extent: Extent,
    /// Which parts.
    pub parts: Vec<Part>,
    /// Samples of each, if not as many as the extent has.
    pub rounds: Option<usize>,
    /// Only ways through the programs whose name has this in it.
    pub only: String,
    /// What to build sides from.
    pub workshop: Workshop,
}

/// Measures.
///
/// The report of what could be measured, and what could not and why: the row and the side that did not do what was to be
/// measured.
///
/// # Errors
/// Without a core to run on.
pub fn run(order: &Order) -> Result<(Report, Vec<String>), String> {
    // Between two rows a run can be ended in order.
    interrupt::watch();
    // All that is measured is done by threads that stay where this one is.
    let cores = clock::cores();
    let core = *cores.last().ok_or("no core to run on")?;
    clock::stay_on(core);
    let mut run = Run {
        rounds: order.rounds.unwrap_or(order.extent.rounds()),
        order,
        began: Instant::now(),
        knobs: Knobs::default(),
        sections: Vec::new(),
        failures: Vec::new(),
    };
    run.knobs.hurry();
    run.say(&format!(
        "measuring on core {core}; {}",
        order.extent.estimate()
    ));
    for part in &order.parts {
        let measured = match part {
            Part::Path => run.path(),
            Part::Tcp => run.tcp(),
            Part::Flood => run.flood(),
            Part::Programs => run.programs(),
            Part::Rate => run.rate(&cores),
            Part::Updates => run.updates(),
            Part::Memory => run.memory(),
        };
        if let Err(why) = measured {
            run.failed(why);
        }
    }
    let report = Report {
        machine: machine(cores.len()),
        extent: order.extent.as_str().to_owned(),
        sections: run.sections,
    };
    Ok((report, run.failures))
}

struct Run<'a> {
    order: &'a Order,
    rounds: usize,
    began: Instant,
    knobs: Knobs,
    sections: Vec<Section>,
    failures: Vec<String>,
}

impl Run<'_> {
    fn path(&mut self) -> Result<(), String> {
        let mut section = Section::of_ratios(
            "A packet between tap and network, CPU time",
            "an empty program",
            "ns",
            Who::Empty,
        );
        for stage in self.order.extent.stages() {
            if let Err(why) = self.stage(&stage, &mut section) {
                self.failed(why);
            }
        }
        self.sections.push(section);
        Ok(())
    }

    fn stage(&mut self, stage: &Stage, section: &mut Section) -> Result<(), String> {
        let most = stage.ways.iter().map(|way| way.flows).max().unwrap_or(0);
        if let Err(why) = self.knobs.track(most) {
            self.say(&format!(
                "{most} connections are left out, for want of room in nf_conntrack: {why}"
            ));
            return Ok(());
        }
        let mut grounds = Grounds::new(self.sides(&stage.sides, stage.size, stage.room));
        let which: Vec<usize> = (0..stage.sides.len()).collect();
        for way in &stage.ways {
            let name = plan::name_of(way, stage.size);
            let row = self.row(section, &name, || {
                grounds.measure(*way, &which, self.rounds)
            })?;
            section.rows.push(row);
        }
        Ok(())
    }

    fn tcp(&mut self) -> Result<(), String> {
        let mut section = Section::of_ratios(
            "TCP from end to end with both stacks, CPU time",
            "an empty program",
            "ns",
            Who::Empty,
        );
        let sides: Vec<Side<Stacks>> =
            self.sides(&plan::PASSING, plan::SMALL, self.order.workshop.flows);
        for exchange in self.order.extent.exchanges() {
            for side in &sides {
                side.wire.offload(side.netns(), exchange.offload);
            }
            let row = self.row(&section, &exchange.name(), || {
                let contestants = sides.iter().map(|side| {
                    tcp::Contestant::new(side, &sides[0], exchange.client, exchange.task)
                });
                self.interleave(contestants)
            })?;
            section.rows.push(row);
        }
        self.sections.push(section);
        Ok(())
    }

    fn flood(&mut self) -> Result<(), String> {
        let mut section = Section::of_ratios(
            "A refused frame that the VM writes, CPU time over the write",
            "a tc program that drops everything",
            "ns",
            Who::Drop,
        );
        let sides: Vec<Side<Wire>> =
            self.sides(&plan::REFUSING, plan::SMALL, self.order.workshop.flows);
        for (name, spoofed) in [
            ("refused by the rules", false),
            ("another machine's address", true),
        ] {
            let frames = flood::frames(spoofed);
            let row = self.row(&section, name, || {
                let contestants = sides
                    .iter()
                    .map(|side| flood::Contestant::new(side, &sides[0], &frames));
                self.interleave(contestants)
            })?;
            section.rows.push(row);
        }
        self.sections.push(section);
        Ok(())
    }

    fn programs(&mut self) -> Result<(), String> {
        self.say("the programs alone, by way of the packet");
        let base = self.order.workshop.base.as_deref();
        let rounds = self.order.rounds;
        let rounds = rounds.unwrap_or(self.order.extent.program_rounds());
        let section = programs::run(base, &self.order.only, rounds);
        self.sections.push(section);
        Ok(())
    }

    fn rate(&mut self, cores: &[usize]) -> Result<(), String> {
        let [.., one, two] = cores else {
            self.say("new connections on two cores are left out: there is one");
            return Ok(());
        };
        let sides: Vec<Side<Wire>> =
            self.sides(&plan::PASSING, plan::SMALL, self.order.workshop.flows);
        self.say("new connections on one core and on two");
        let mut section = Section::of_costs("New connections from the VM", "thousand a second");
        section.rows.extend(rate::measure(&sides, [*two, *one])?);
        self.sections.push(section);
        Ok(())
    }

    fn updates(&mut self) -> Result<(), String> {
        let who = [Who::Base, Who::Ours, Who::Neutron];
        let size = Size {
            ports: update::PORTS,
            ..plan::SMALL
        };
        let mut sides: Vec<Side<Wire>> = self.sides(&who, size, self.order.workshop.flows);
        let unit = "milliseconds until it is enforced";
        let mut section = Section::of_costs("A change", unit);
        self.say("changes of rules, members and ports");
        section.rows = update::measure(&mut sides)?;
        self.sections.push(section);
        Ok(())
    }

    fn memory(&mut self) -> Result<(), String> {
        self.say("what a tracked connection takes");
        let mut section = Section::of_costs("A tracked connection, all maps counted", "bytes");
        let rows = memory::measure(self.order.workshop.base.as_deref());
        section.rows.extend(rows);
        self.sections.push(section);
        Ok(())
    }

    /// Measures a row; once more if its reference was not itself.
    fn row(
        &self,
        section: &Section,
        name: &str,
        mut measure: impl FnMut() -> Result<Vec<Cell>, String>,
    ) -> Result<Row, String> {
        interrupt::check().map_err(|_| "interrupted".to_owned())?;
        self.say(name);
        let mut again = || {
            let cells = measure().map_err(|why| format!("{name}: {why}"))?;
            Ok(Row {
                name: name.to_owned(),
                cells,
            })
        };
        let row = again()?;
        if section.is_steady(&row) {
            return Ok(row);
        }
        self.say("  once more: the reference was not itself");
        again()
    }

    fn interleave<'a, M: Measured + 'a>(
        &self,
        contestants: impl Iterator<Item = M>,
    ) -> Result<Vec<Cell>, String> {
        let mut contestants: Vec<Box<dyn Measured + 'a>> = contestants
            .map(|contestant| Box::new(contestant) as Box<dyn Measured + 'a>)
            .collect();
        interleave(&mut contestants, self.rounds)
    }

    fn sides<W: Wiring>(&self, who: &[Who], size: Size, flows: u32) -> Vec<Side<W>> {
        let Size { rules, ports } = size;
        self.say(&format!(
            "setting up {} nodes with {rules} rules and {ports} ports",
            who.len()
        ));
        let workshop = Workshop {
            flows,
            ..self.order.workshop.clone()
        };
        who.iter()
            .map(|who| Side::new(*who, size, &workshop))
            .collect()
    }

    fn failed(&mut self, why: String) {
        self.say(&format!("could not be measured: {why}"));
        self.failures.push(why);
    }

    fn say(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs();
        eprintln!("{:2}:{:02} {what}", seconds / 60, seconds % 60);
    }
}

/// The kernel, and how many cores.
fn machine(cores: usize) -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}, {cores} cores", release.trim())
}
