//! Settings of the whole machine that a run changes, and puts back when it is over.

use std::fs;
use std::io;

/// Whether waiting for all readers takes microseconds and not the better part of what a sample takes. Each run of
/// live frames ends with such a wait.
const EXPEDITED: &str = "/sys/kernel/rcu_expedited";

/// How many connections a namespace may track with nf_conntrack, and the heads of the hash table that all share.
const CONNTRACK: [&str; 2] = [
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/sys/net/netfilter/nf_conntrack_buckets",
];

/// Settings that go back on drop.
#[derive(Debug, Default)]
pub struct Knobs {
    /// What was changed, and what it was before.
    changed: Vec<(&'static str, String)>,
}

impl Knobs {
    /// Shortens the waits between samples, where the kernel lets us: without it all takes twice as long.
    pub fn hurry(&mut self) {
        let _ = self.set(EXPEDITED, "1");
    }

    /// Makes room in nf_conntrack for so many connections in each of several namespaces.
    ///
    /// # Errors
    /// When the kernel does not let us: only the first namespace may, and only where nf_conntrack is.
    pub fn track(&mut self, connections: u32) -> Result<(), String> {
        let wanted = u64::from(connections) * 2;
        for knob in CONNTRACK {
            let failed = |e: io::Error| format!("{knob}: {e}");
            let now = match fs::read_to_string(knob) {
                Ok(text) => text.trim().parse().unwrap_or(0),
                // Nobody has tracked anything yet: the defaults hold.
                Err(_) if connections <= 65_536 => return Ok(()),
                Err(e) => return Err(failed(e)),
            };
            if wanted > now {
                self.set(knob, &wanted.to_string()).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn set(&mut self, knob: &'static str, value: &str) -> io::Result<()> {
        let before = fs::read_to_string(knob)?.trim().to_owned();
        fs::write(knob, value)?;
        self.changed.push((knob, before));
        Ok(())
    }
}

impl Drop for Knobs {
    fn drop(&mut self) {
        // The last first, for one may have been turned twice.
        while let Some((knob, before)) = self.changed.pop() {
            let _ = fs::write(knob, before);
        }
    }
}
