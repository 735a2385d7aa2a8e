//! How many established connections a port may have.

use serde_json::Value;

/// A limit, absolute or by the size of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quota {
    /// So many; [`u32::MAX`] is no limit.
    Count(u32),
    /// So many hundredths of the table.
    Percent(u8),
}

const UNLIMITED: &str = "unlimited";

impl Quota {
    /// A quarter of the table: one port cannot take it, nor can three.
    pub const DEFAULT: Self = Self::Percent(25);

    /// Which values there are, for people.
    pub const VALUES: &'static str =
        "a number from 1 on, a share from \"1%\" to \"100%\", or \"unlimited\"";

    /// Reads a value of the settings file.
    pub fn of(value: &Value) -> Option<Self> {
        if let Some(count) = value.as_u64() {
            let count = u32::try_from(count).ok().filter(|count| *count > 0);
            return count.map(Self::Count);
        }
        let text = value.as_str()?;
        if text == UNLIMITED {
            return Some(Self::Count(u32::MAX));
        }
        let percent = text.strip_suffix('%')?.trim_end().parse().ok();
        percent
            .filter(|percent| (1..=100).contains(percent))
            .map(Self::Percent)
    }

    /// As in the settings file.
    pub fn value(self) -> Value {
        match self {
            Self::Count(u32::MAX) => UNLIMITED.into(),
            Self::Count(count) => count.into(),
            Self::Percent(percent) => format!("{percent}%").into(),
        }
    }

    /// The limit on a node whose table has room for `capacity` connections.
    pub fn count(self, capacity: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let share = u64::from(capacity) * u64::from(percent) / 100;
                // A hundredth of nearly nothing would shut the port off.
                u32::try_from(share).unwrap_or(u32::MAX).max(1)
            }
        }
    }
}
