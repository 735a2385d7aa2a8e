//! What is done to the network and to etcd while the fleet runs.

use std::time::Duration;

use super::proxy::Faults;

/// Something that is done at a moment; members are numbered, and where there are fewer they take turns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disturbance {
    /// The network behaves so from now on.
    Network(Faults),
    /// Nothing passes between nodes and a member any more, or again.
    Stand(usize, bool),
    /// A member is killed and started again.
    Kill(usize),
    /// A member stands still, cut off from everybody, or goes on.
    Freeze(usize, bool),
    /// etcd forgets what was before.
    Compact,
}

/// The disturbances of a run of this length, with their moments: the first tenth and the last fifth are quiet.
#[must_use]
pub fn plan(length: Duration) -> Vec<(Duration, Disturbance)> {
    use Disturbance::{Compact, Freeze, Kill, Network, Stand};

    let at = |part: f64| length.mul_f64(part);
    let late = Faults {
        delay: Duration::from_millis(200),
        ..Faults::NONE
    };
    let bad = Faults {
        delay: Duration::from_millis(50),
        cut: 1e-3,
        twice: 5e-4,
    };
    vec![
        (at(0.10), Network(late)),
        (at(0.20), Network(bad)),
        (at(0.30), Compact),
        (at(0.35), Stand(0, true)),
        (at(0.37), Stand(0, false)),
        (at(0.45), Kill(0)),
        (at(0.48), Freeze(1, true)),
        (at(0.51), Freeze(1, false)),
        (at(0.52), Freeze(0, true)),
        (at(0.55), Freeze(0, false)),
        (at(0.56), Compact),
        (at(0.58), Kill(1)),
        (at(0.60), Freeze(2, true)),
        (at(0.63), Freeze(2, false)),
        (at(0.64), Kill(2)),
        (at(0.65), Compact),
        (at(0.70), Stand(1, true)),
        (at(0.71), Kill(2)),
        (at(0.72), Stand(1, false)),
        (at(0.80), Network(Faults::NONE)),
    ]
}
