//! New connections a second, on one core and on two: what both cores write is the same tables. A second is one of
//! each thread's CPU time, so that what else runs on the machine takes nothing away.

use std::sync::Barrier;
use std::thread;

use sg_common::hook::Hook;

use super::clock;
use super::report::Row;
use super::side::Side;
use super::statistics::{Cell, Spread};
use super::talk::{self, Protocol, Talk};
use super::wire::{Frames, Wire};

/// Connections that a core opens in a sample: what a run opens has to fit the tables.
const CONNECTIONS: u32 = 4_096;

/// Samples of each.
const ROUNDS: u32 = 5;

/// Measures some sides on both cores: connections a second, and what two cores are to one.
///
/// # Errors
/// Names the side that lost a connection in every try.
pub fn measure(sides: &[Side<Wire>], cores: [usize; 2]) -> Result<[Row; 3], String> {
    let (mut one, mut two, mut ratio) = (Vec::new(), Vec::new(), Vec::new());
    for side in sides {
        let mut next = 0;
        let mut rates = [Vec::new(), Vec::new()];
        let mut ratios = Vec::new();
        for _ in 0..ROUNDS {
            let alone = sample(side, &cores[..1], &mut next)?;
            let both = sample(side, &cores, &mut next)?;
            rates[0].push(alone / 1e3);
            rates[1].push(both / 1e3);
            ratios.push(both / alone);
        }
        let cell = |samples| {
            let spread = Spread::of(samples);
            Cell {
                who: side.who.to_string(),
                ratio: spread,
                cost: spread,
                discarded: 0,
            }
        };
        let [alone, both] = rates;
        one.push(cell(alone));
        two.push(cell(both));
        ratio.push(cell(ratios));
    }
    let row = |name: &str, cells| Row {
        name: name.to_owned(),
        cells,
    };
    Ok([
        row("one core", one),
        row("two cores", two),
        row("two cores to one", ratio),
    ])
}

/// Connections a second of all cores together, each with peers of its own and all at the same time.
fn sample(side: &Side<Wire>, cores: &[usize], next: &mut u64) -> Result<f64, String> {
    let before = side.wire.out(Hook::FromVm);
    let frame = talk::frame(Protocol::Udp, Talk::New, Hook::FromVm);
    let start = Barrier::new(cores.len());
    let rates: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = cores
            .iter()
            .map(|core| {
                let frames = Frames::in_order(Hook::FromVm, frame.clone());
                frames.rewind(*next);
                *next += u64::from(CONNECTIONS);
                let start = &start;
                scope.spawn(move || {
                    clock::stay_on(*core);
                    side.netns().stay();
                    start.wait();
                    let let_in = || side.wire.let_in(&frames, CONNECTIONS);
                    f64::from(CONNECTIONS) / clock::time(let_in).1.cpu.as_secs_f64()
                })
            })
            .collect();
        let threads = threads.into_iter();
        let joined = threads.map(|thread| thread.join().unwrap_or(f64::NAN));
        joined.collect()
    });
    let out = side.wire.out(Hook::FromVm) - before;
    let sent = u64::from(CONNECTIONS) * cores.len() as u64;
    if out != sent {
        return Err(format!(
            "{}: of {sent} new connections {out} pass",
            side.who
        ));
    }
    Ok(rates.into_iter().sum())
}
