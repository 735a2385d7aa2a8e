//! MAC addresses in every text form Neutron passes on (netaddr's EUI dialects).

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::fault::Problem;

/// The MAC address of one station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(transparent)]
pub struct Mac(#[schemars(with = "String")] pub [u8; 6]);

impl Mac {
    /// Of a trusted port whose MAC nobody has told.
    pub const UNKNOWN: Self = Self([0; 6]);

    /// Reads `fa:16:3e:00:00:05`, `fa-16-3e-0-0-5`, `fa16.3e00.0005` or `fa163e000005`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let octets = match text.find([':', '-', '.']).map(|at| text.as_bytes()[at]) {
            None => words(std::iter::once(text), 12)?,
            Some(b'.') => words(text.split('.'), 4)?,
            Some(separator) => octets(text.split(char::from(separator)))?,
        };
        octets.try_into().ok().map(Self)
    }

    /// Whether the address is a group's (IEEE 802: the I/G bit), which no sender may carry.
    pub fn is_multicast(self) -> bool {
        self.0[0] & 1 == 1
    }
}

fn octets<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Vec<u8>> {
    parts
        .map(|part| hex(part, 1..=2).and_then(|octet| u8::try_from(octet).ok()))
        .collect()
}

/// Words of exactly `digits` hexadecimal digits.
fn words<'a>(parts: impl Iterator<Item = &'a str>, digits: usize) -> Option<Vec<u8>> {
    let words: Option<Vec<u64>> = parts.map(|part| hex(part, digits..=digits)).collect();
    let bytes = words?.into_iter().flat_map(|word| {
        let bytes = word.to_be_bytes();
        bytes.into_iter().skip(bytes.len() - digits / 2)
    });
    Some(bytes.collect())
}

fn hex(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u64> {
    let valid = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    valid.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// A MAC address that may send: of one station, not of a group.
pub(super) fn sender(field: &str, text: &str) -> Result<Mac, Problem> {
    let problem = |problem| {
        Problem::new(
            field,
            format_args!("{text:?}"),
            problem,
            "write the six octets of one station, e.g. fa:16:3e:00:00:05",
        )
    };
    let mac = Mac::parse(text).ok_or_else(|| problem("is not a MAC address"))?;
    if mac == Mac([0; 6]) {
        return Err(problem("is the MAC address of no station"));
    }
    if mac.is_multicast() {
        return Err(problem("is a multicast MAC address"));
    }
    Ok(mac)
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is no MAC address.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a MAC address, like fa:16:3e:00:00:05")]
pub struct NotAMac(String);

impl FromStr for Mac {
    type Err = NotAMac;

    fn from_str(text: &str) -> Result<Self, NotAMac> {
        Self::parse(text).ok_or_else(|| NotAMac(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_form_of_a_mac_is_the_same_mac() {
        let expected = Some(Mac([0xfa, 0x16, 0x3e, 0, 0, 5]));
        for text in [
            "fa:16:3e:00:00:05",
            "FA-16-3E-00-00-05",
            "fa:16:3e:0:0:5",
            "fa16.3e00.0005",
            "fa163e000005",
            " fa:16:3e:00:00:05 ",
        ] {
            assert_eq!(Mac::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_six_octets_is_not_a_mac() {
        for text in [
            "",
            ":::::",
            "fa:16:3e:00:00",
            "fa:16:3e:00:00:05:06",
            "fa:16:3e:00:00:105",
            "fa:16-3e:00:00:05",
            "fa16.3e00",
            "fa16.3e00.005",
            "fa163e00000",
            "fa163e00000g",
            "+a:16:3e:00:00:05",
        ] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_mac_is_shown_with_colons() {
        assert_eq!(
            Mac([0xfa, 0x16, 0x3e, 0, 0, 5]).to_string(),
            "fa:16:3e:00:00:05"
        );
    }
}
