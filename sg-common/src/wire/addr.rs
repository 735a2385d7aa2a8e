//! Addresses as both sides write them: network byte order, one form for both families.

use core::cmp::Ordering;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An Ethernet address. In words, like [`Address`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bytemuck::Pod, bytemuck::Zeroable,
)]
#[repr(transparent)]
pub struct Mac([u16; 3]);

impl Mac {
    /// Of its octets.
    #[inline(always)]
    pub const fn new(octets: [u8; 6]) -> Mac {
        bytemuck::must_cast(octets)
    }

    /// Its octets.
    #[inline(always)]
    pub const fn octets(self) -> [u8; 6] {
        bytemuck::must_cast(self)
    }
}

/// `00:00:00:00:00:00`, no station's.
pub const NO_MAC: Mac = Mac([0; 3]);

/// An IP address in 16 bytes; IPv4 is mapped (`::ffff:a.b.c.d`, RFC 4291 2.5.5.2), so that one code
/// path and one set of policy maps serve both families.
///
/// In words, as they lie in memory: without an alignment the compiler reads each byte for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(transparent)]
pub struct Address([u32; 4]);

impl Address {
    /// Of its octets.
    #[inline(always)]
    pub const fn new(octets: [u8; 16]) -> Address {
        bytemuck::must_cast(octets)
    }

    /// Its octets.
    #[inline(always)]
    pub const fn octets(self) -> [u8; 16] {
        bytemuck::must_cast(self)
    }
}

/// By octets, so that lists are in the order that people expect.
impl Ord for Address {
    fn cmp(&self, other: &Address) -> Ordering {
        let octets = bytemuck::must_cast_ref::<Address, [u8; 16]>;
        octets(self).cmp(octets(other))
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Address) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Bits in front of an IPv4 address in its mapped form.
pub const V4_PREFIX_BITS: u32 = 96;

/// The IP version of a packet, a rule or a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Family {
    /// IPv4.
    V4 = 0,
    /// IPv6.
    V6 = 1,
}

impl Family {
    /// Both families.
    pub const ALL: [Family; 2] = [Family::V4, Family::V6];

    /// The number that stands in keys: 4 or 6.
    #[inline(always)]
    pub const fn number(self) -> u8 {
        match self {
            Family::V4 => 4,
            Family::V6 => 6,
        }
    }

    /// The family of a standard address.
    pub const fn of(address: &IpAddr) -> Family {
        match address {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

/// The mapped form of an IPv4 address given in network byte order. In words, because bytes that are
/// written one by one cannot be read as words at once: the CPU waits until all have reached the cache.
#[inline(always)]
pub const fn from_v4(a: [u8; 4]) -> Address {
    const MAPPED: u32 = u32::from_ne_bytes([0, 0, 0xff, 0xff]);
    Address([0, 0, MAPPED, u32::from_ne_bytes(a)])
}

/// The last four bytes: the IPv4 address of a mapped one.
#[inline(always)]
pub const fn v4_of(a: &Address) -> [u8; 4] {
    a.0[3].to_ne_bytes()
}

/// The 16-byte form of a standard address.
pub const fn from_ip(address: &IpAddr) -> Address {
    match address {
        IpAddr::V4(a) => from_v4(a.octets()),
        IpAddr::V6(a) => Address::new(a.octets()),
    }
}

/// The standard address of a 16-byte one.
pub const fn to_ip(address: &Address, family: Family) -> IpAddr {
    match family {
        Family::V4 => {
            let [a, b, c, d] = v4_of(address);
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(u128::from_be_bytes(address.octets()))),
    }
}

/// `0.0.0.0`.
pub const V4_UNSPECIFIED: Address = from_v4([0; 4]);
/// `255.255.255.255`.
pub const V4_BROADCAST: Address = from_v4([255; 4]);
/// `::`.
pub const V6_UNSPECIFIED: Address = Address::new([0; 16]);

/// Whether an IPv6 address is in `ff02::/16`, multicast of link-local scope (RFC 4291 2.7).
#[inline(always)]
pub const fn is_link_local_multicast(a: &Address) -> bool {
    let a = a.octets();
    a[0] == 0xff && a[1] == 0x02
}

/// Whether an address is link-local: in `169.254.0.0/16` (RFC 3927) or `fe80::/10` (RFC 4291 2.5.6).
#[inline(always)]
pub const fn is_link_local_unicast(family: Family, a: &Address) -> bool {
    let a = a.octets();
    match family {
        Family::V4 => a[12] == 169 && a[13] == 254,
        Family::V6 => a[0] == 0xfe && a[1] & 0xc0 == 0x80,
    }
}

/// Whether an IPv6 address is in `fe80::/64`, where the link-local addresses of interfaces are.
#[inline(always)]
pub const fn is_link_local(a: &Address) -> bool {
    let a = a.octets();
    a[0] == 0xfe
        && a[1] == 0x80
        && a[2] == 0
        && a[3] == 0
        && a[4] == 0
        && a[5] == 0
        && a[6] == 0
        && a[7] == 0
}

/// The link-local address an interface makes of its MAC (modified EUI-64, RFC 4291 appendix A).
pub const fn link_local(m: &Mac) -> Address {
    let m = m.octets();
    Address::new([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        m[0] ^ 2,
        m[1],
        m[2],
        0xff,
        0xfe,
        m[3],
        m[4],
        m[5],
    ])
}
