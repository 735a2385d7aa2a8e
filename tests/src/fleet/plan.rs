//! What is done to the network and to etcd while the fleet runs.

use std::time::Duration;

use super::proxy::Faults;

/// Something that is done at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disturbance {
    /// The network behaves so from now on.
    Network(Faults),
    /// Nothing passes any more, or again.
    Stand(bool),
    /// etcd is killed and started again.
    Kill,
    /// etcd stands still, or goes on.
    Freeze(bool),
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
        (at(0.35), Stand(true)),
        (at(0.37), Stand(false)),
        (at(0.45), Kill),
        (at(0.52), Freeze(true)),
        (at(0.55), Freeze(false)),
        (at(0.56), Compact),
        (at(0.62), Kill),
        (at(0.63), Compact),
        (at(0.70), Stand(true)),
        (at(0.71), Kill),
        (at(0.72), Stand(false)),
        (at(0.80), Network(Faults::NONE)),
    ]
}
