//! MAC addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The MAC that the tests give to the owner of `address`, so that packets, ports and virtual
    /// machines agree without saying it: OpenStack's fa:16:3e and the last three bytes of the
    /// address. A group address has its Ethernet group (RFC 1112, 2464).
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) if v4.is_broadcast() => Self::BROADCAST,
            IpAddr::V4(v4) => {
                let [_, b, c, d] = v4.octets();
                if v4.is_multicast() {
                    Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
                } else {
                    Self([0xfa, 0x16, 0x3e, b, c, d])
                }
            }
            IpAddr::V6(v6) => {
                let [.., a, b, c, d] = v6.octets();
                if v6.is_multicast() {
                    Self([0x33, 0x33, a, b, c, d])
                } else {
                    Self([0xfa, 0x16, 0x3e, b, c, d])
                }
            }
        }
    }
}

impl From<&str> for Mac {
    /// # Panics
    /// If it is not six hexadecimal bytes joined by colons.
    fn from(text: &str) -> Self {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }
}

impl FromStr for Mac {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes: Result<Vec<u8>, _> = text
            .split(':')
            .map(|byte| u8::from_str_radix(byte, 16))
            .collect();
        let bytes = bytes.ok().and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(Self)
            .ok_or_else(|| anyhow::anyhow!("`{text}` is not a MAC address"))
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
