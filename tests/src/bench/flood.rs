//! What a refused frame costs that the VM writes to its tap: nanoseconds over the write itself, beside a tc program
//! that drops everything.

use sg_common::hook::Hook;

use super::clock;
use super::side::Side;
use super::statistics::Measured;
use super::talk;
use super::wire::Wire;

/// Different frames, each written so often in a sample.
const FRAMES: u32 = 2_048;
const ROUNDS: u32 = 4;

/// A side of a row.
pub struct Contestant<'a> {
    side: &'a Side<Wire>,
    drop: &'a Side<Wire>,
    frames: &'a [Vec<u8>],
}

/// The frames of a flood.
#[must_use]
pub fn frames(spoofed: bool) -> Vec<Vec<u8>> {
    talk::flood(FRAMES, spoofed)
}

impl<'a> Contestant<'a> {
    /// Compares a side with one that drops everything.
    #[must_use]
    pub fn new(side: &'a Side<Wire>, drop: &'a Side<Wire>, frames: &'a [Vec<u8>]) -> Self {
        Self { side, drop, frames }
    }

    /// Of one side. Nothing may come out.
    fn over_the_write(&self, side: &Side<Wire>) -> Option<f64> {
        side.engage();
        let before = side.wire.out(Hook::FromVm);
        // Too short for Ethernet: the tap refuses it before it makes anything of it.
        let floor = write(&side.wire, &[vec![0; 4]], FRAMES * ROUNDS);
        let flood = write(&side.wire, self.frames, ROUNDS);
        (side.wire.out(Hook::FromVm) == before).then_some(flood - floor)
    }
}

impl Measured for Contestant<'_> {
    fn name(&self) -> String {
        self.side.who.to_string()
    }

    fn reference(&mut self) -> Option<f64> {
        self.over_the_write(self.drop)
    }

    fn sample(&mut self) -> Option<f64> {
        self.over_the_write(self.side)
    }
}

/// Writes all frames so often; nanoseconds each.
fn write(wire: &Wire, frames: &[Vec<u8>], rounds: u32) -> f64 {
    let ((), taken) = clock::time(|| {
        for _ in 0..rounds {
            for frame in frames {
                // The answer to a frame that is dropped is that of one that is taken.
                let _ = wire.tap.offer(frame);
            }
        }
    });
    taken.cpu.as_nanos() as f64 / f64::from(rounds) / frames.len() as f64
}
