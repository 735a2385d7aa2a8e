//! One key of a settings file: which values it takes, and where they are in [`Settings`].

use std::ops::RangeInclusive;

use serde_json::Value;
use sg_common::layout::settings::{Settings, TICK_SHIFT, Ticks, ticks};

use super::{Wanted, ethertypes, keys::KEYS, quota::Quota};

/// The longest timeout in seconds, 24 days: the filter's clock compares moments less than 26 days apart.
pub const LONGEST_TIMEOUT: u64 = 24 * 24 * 60 * 60;

/// One thing that an operator can set.
#[derive(Debug)]
pub struct Key {
    /// Its name in the file; a section stands before the dot.
    pub name: &'static str,
    /// What it is for, in one sentence for people; of timeouts, what they are of.
    pub doc: &'static str,
    pub(super) kind: Kind,
}

/// What values a key takes, and where they go.
#[derive(Debug)]
pub(super) enum Kind {
    /// The word for the switch off, and the one for it on.
    Words(u32, [&'static str; 2]),
    /// `true` or `false`: which of the two is the switch on.
    Flag(u32, bool),
    /// A number.
    Count(fn(&mut Settings) -> &mut u32, RangeInclusive<u32>),
    /// Seconds, and the file below `/proc/sys/net` where the kernel has its own.
    Seconds(fn(&mut Settings) -> &mut Ticks, Option<&'static str>),
    /// [`Settings::assured_per_port`].
    Quota,
    /// [`Settings::ethertypes`].
    Ethertypes,
}

impl Key {
    /// The key of a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The section it stands in, and its name there.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// What settings say of it, as in the file.
    pub fn value(&self, settings: &Settings) -> Value {
        let mut settings = *settings;
        match &self.kind {
            Kind::Words(switch, words) => words[usize::from(settings.has(*switch))].into(),
            Kind::Flag(switch, on) => (settings.has(*switch) == *on).into(),
            Kind::Count(field, _) => (*field(&mut settings)).into(),
            Kind::Seconds(field, _) => seconds(*field(&mut settings)).into(),
            Kind::Quota => Quota::Count(settings.assured_per_port).value(),
            Kind::Ethertypes => ethertypes::value(&settings.ethertypes),
        }
    }

    /// Sets it. The error says which values it takes.
    pub(super) fn set(&self, wanted: &mut Wanted, value: &Value) -> Result<(), String> {
        self.put(wanted, value).ok_or_else(|| self.values())
    }

    fn put(&self, wanted: &mut Wanted, value: &Value) -> Option<()> {
        let settings = &mut wanted.settings;
        match &self.kind {
            Kind::Words(switch, words) => {
                let word = value.as_str()?;
                let place = words.iter().position(|known| *known == word)?;
                settings.switch(*switch, place == 1);
            }
            Kind::Flag(switch, on) => settings.switch(*switch, value.as_bool()? == *on),
            Kind::Count(field, range) => {
                *field(settings) = number(value).filter(|count| range.contains(count))?;
            }
            Kind::Seconds(field, _) => {
                let seconds = number(value).map(u64::from)?;
                *field(settings) = (1..=LONGEST_TIMEOUT)
                    .contains(&seconds)
                    .then(|| ticks(seconds))?;
            }
            Kind::Quota => wanted.quota = Quota::of(value)?,
            Kind::Ethertypes => settings.ethertypes = ethertypes::of(value)?,
        }
        Some(())
    }

    /// Which values it takes, for people.
    pub fn values(&self) -> String {
        match &self.kind {
            Kind::Words(_, [off, on]) => format!("{off:?} or {on:?}"),
            Kind::Flag(..) => "true or false".into(),
            Kind::Count(_, range) => format!("a number from {} to {}", range.start(), range.end()),
            Kind::Seconds(..) => format!("seconds from 1 to {LONGEST_TIMEOUT} (24 days)"),
            Kind::Quota => Quota::VALUES.into(),
            Kind::Ethertypes => ethertypes::VALUES.into(),
        }
    }
}

fn number(value: &Value) -> Option<u32> {
    value.as_u64()?.try_into().ok()
}

/// Seconds to the nearest: a second is a whole number of ticks only rounded down.
fn seconds(ticks: Ticks) -> u64 {
    ((u64::from(ticks) << TICK_SHIFT) + 500_000_000) / 1_000_000_000
}
