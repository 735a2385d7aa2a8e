//! What is asked for, and the sum of what several ask for.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::layout::events::{Action, Asked};

use crate::error::{Error, Result};
use crate::model::PortId;
use crate::view::{EventAction, EventsRequest};

/// Neutron's defaults (`[network_log]` `rate_limit` and `burst_limit`).
const RATE: u32 = 100;
const BURST: u32 = 25;

/// What a rate or a burst is at most.
const MOST: u32 = 1_000_000;

const SECOND: u64 = 1_000_000_000;

/// What is to be told of which ports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    everywhere: Option<Asked>,
    ports: BTreeMap<PortId, Asked>,
    /// Packets and bytes are to be counted by connection: of every port, and of these.
    counted_everywhere: bool,
    counted: BTreeSet<PortId>,
}

impl Wanted {
    /// What a request asks for.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`], with the field and the value that is not understood.
    pub fn parse(request: &EventsRequest) -> Result<Self> {
        let rate = within("rate", request.rate.unwrap_or(RATE))?;
        let burst = within("burst", request.burst.unwrap_or(BURST))?;
        let mut ports = BTreeMap::new();
        for (id, actions) in &request.ports {
            let port: PortId = id.parse().map_err(|_| {
                Error::Usage(format!(
                    "ports: {id:?} is not the id of a port; it must be a UUID"
                ))
            })?;
            ports.insert(port, asked(actions, rate, burst));
        }
        let everywhere = match &request.all[..] {
            [] => None,
            actions => Some(asked(actions, rate, burst)),
        };
        let wanted = Wanted {
            counted_everywhere: request.counts && (everywhere.is_some() || ports.is_empty()),
            counted: match request.counts {
                true => ports.keys().copied().collect(),
                false => BTreeSet::new(),
            },
            everywhere,
            ports,
        };
        match wanted.is_nothing() && !wanted.counts_anywhere() {
            true => Err(Error::Usage(
                "nothing is asked for; name ports in `ports`, or actions for all of them in `all`"
                    .into(),
            )),
            false => Ok(wanted),
        }
    }

    /// All that several want.
    pub fn sum<'a>(all: impl IntoIterator<Item = &'a Wanted>) -> Self {
        let mut sum = Wanted::default();
        for wanted in all {
            sum.counted_everywhere |= wanted.counted_everywhere;
            sum.counted.extend(&wanted.counted);
            if let Some(asked) = &wanted.everywhere {
                let everywhere = sum.everywhere.get_or_insert(Asked::NOTHING);
                *everywhere = both(everywhere, asked);
            }
            for (port, asked) in &wanted.ports {
                let of_port = sum.ports.entry(*port).or_insert(Asked::NOTHING);
                *of_port = both(of_port, asked);
            }
        }
        sum
    }

    /// What is wanted of a port.
    pub fn of(&self, port: PortId) -> Asked {
        let everywhere = self.everywhere.unwrap_or(Asked::NOTHING);
        match self.ports.get(&port) {
            Some(asked) => both(&everywhere, asked),
            None => everywhere,
        }
    }

    /// Whether packets and bytes of a port's connections are to be counted.
    pub fn counts(&self, port: PortId) -> bool {
        self.counted_everywhere || self.counted.contains(&port)
    }

    /// Whether those of any port are.
    pub fn counts_anywhere(&self) -> bool {
        self.counted_everywhere || !self.counted.is_empty()
    }

    /// The same, and the openings of connections whose ends are wanted: how long they have lived is known by them.
    pub fn with_openings(mut self) -> Self {
        let ports = self.ports.values_mut();
        for asked in self.everywhere.iter_mut().chain(ports) {
            let mut openings = Asked::NOTHING;
            let (accept, end) = (Action::Accept.index(), Action::End.index());
            openings.interval[accept] = asked.interval[end];
            openings.slack[accept] = asked.slack[end];
            *asked = both(asked, &openings);
        }
        self
    }

    /// Whether something is wanted of any port.
    pub fn is_anywhere(&self, action: Action) -> bool {
        let mut all = self.everywhere.iter().chain(self.ports.values());
        all.any(|asked| asked.wants(action))
    }

    /// Whether nothing is wanted of any port.
    pub fn is_nothing(&self) -> bool {
        let mut all = self.everywhere.iter().chain(self.ports.values());
        all.all(|asked| *asked == Asked::NOTHING)
    }
}

fn within(field: &str, value: u32) -> Result<u64> {
    match value {
        1..=MOST => Ok(value.into()),
        _ => Err(Error::Usage(format!(
            "{field}: {value} is not from 1 to {MOST}"
        ))),
    }
}

/// The rates of a port.
fn asked(actions: &[EventAction], rate: u64, burst: u64) -> Asked {
    let mut asked = Asked::NOTHING;
    for action in actions {
        let index = Action::from(*action) as usize;
        let interval = SECOND / rate;
        asked.interval[index] = interval;
        asked.slack[index] = (burst - 1) * interval;
    }
    asked
}

/// What is enough for both: the faster rate, and the longer burst.
fn both(one: &Asked, other: &Asked) -> Asked {
    let mut both = *one;
    for action in Action::ALL.map(|action| action as usize) {
        if other.interval[action] == 0 {
            continue;
        }
        both.interval[action] = match one.interval[action] {
            0 => other.interval[action],
            interval => interval.min(other.interval[action]),
        };
        both.slack[action] = one.slack[action].max(other.slack[action]);
    }
    both
}
