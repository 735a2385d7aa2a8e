//! A scenario: an inventory, and what happens under it, one step after the other.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::packet::{Packet, describe};
use crate::parity::plug::Plug;

/// An end of the lab's wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum End {
    /// The first virtual machine, behind the port of that name.
    VM1,
    /// The second virtual machine.
    VM2,
    /// The network that the node is connected to.
    Fabric,
}

impl End {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::VM1, Self::VM2, Self::Fabric];

    /// The name of the port that is plugged in here.
    #[must_use]
    pub fn port(self) -> Option<&'static str> {
        match self {
            Self::VM1 => Some("VM1"),
            Self::VM2 => Some("VM2"),
            Self::Fabric => None,
        }
    }
}

/// What happens.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Frames enter at an end, one after the other.
    Send {
        /// Where.
        from: End,
        /// The frames.
        frames: Vec<Raw>,
    },
    /// The inventory becomes another.
    Apply {
        /// The whole new inventory.
        inventory: Value,
    },
}

/// The bytes of an Ethernet frame. In files they are hexadecimal digits, and behind them it says in
/// words what the frame is, for people.
#[derive(Clone, PartialEq, Eq)]
pub struct Raw(pub Vec<u8>);

/// An inventory and what happens under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// What it is about, or how it was found.
    pub name: String,
    /// The inventory at the beginning.
    pub inventory: Value,
    /// What happens.
    pub steps: Vec<Step>,
}

/// How many frames came out at each end, for each step; none for a change of the inventory.
pub type Verdicts = Vec<[usize; End::ALL.len()]>;

impl Scenario {
    /// Whether the sides are compared at a step and an end: a tap without a port is open under iptables
    /// and closed here, by row 5 of `docs/parity.md`.
    #[must_use]
    pub fn compares(&self, step: usize, end: End) -> bool {
        let inventory = self.inventory_at(step);
        let plugged = |end: End| end.port().is_none() || Plug::at(end, inventory).is_some();
        match &self.steps[step] {
            Step::Send { from, .. } => plugged(*from) && plugged(end),
            Step::Apply { .. } => false,
        }
    }

    /// The inventory in force at a step.
    #[must_use]
    pub fn inventory_at(&self, step: usize) -> &Value {
        let mut changes = self.steps[..step]
            .iter()
            .rev()
            .filter_map(|step| match step {
                Step::Apply { inventory } => Some(inventory),
                Step::Send { .. } => None,
            });
        changes.next().unwrap_or(&self.inventory)
    }
}

impl Step {
    /// One packet enters at an end.
    #[must_use]
    pub fn send(from: End, packet: &Packet) -> Self {
        Self::frames(from, vec![packet.bytes()])
    }

    /// Frames enter at an end.
    #[must_use]
    pub fn frames(from: End, frames: Vec<Vec<u8>>) -> Self {
        Self::Send {
            from,
            frames: frames.into_iter().map(Raw).collect(),
        }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { from, frames } => {
                let frames: Vec<_> = frames.iter().map(|frame| describe(&frame.0)).collect();
                write!(f, "{from:?} sends {}", frames.join(" and "))
            }
            Self::Apply { .. } => f.write_str("the inventory changes"),
        }
    }
}

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&format!("{digits} {}", describe(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.split_whitespace().next().unwrap_or_default();
        let bytes = (0..digits.len()).step_by(2).map(|at| {
            let byte = digits.get(at..at + 2)?;
            u8::from_str_radix(byte, 16).ok()
        });
        let bytes: Option<Vec<u8>> = bytes.collect();
        let wrong = || serde::de::Error::custom("a frame does not begin with hexadecimal digits");
        bytes.map(Raw).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Step};
    use crate::packet::udp;

    #[test]
    fn a_step_in_a_file_says_what_its_frames_are() {
        let step = Step::send(End::VM1, &udp("10.0.0.5:9", "10.0.0.6:53"));
        let text = serde_json::to_string(&step).unwrap();
        assert!(
            text.contains(" IPv4 10.0.0.5:9 > 10.0.0.6:53 udp, 0 bytes"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Step>(&text).unwrap(), step);
    }
}
