//! Addresses as Neutron's library reads them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use crate::python;

/// A network, whose host bits are kept: an address is one of full length, and a mask may stand for a length. A
/// length may have spaces around it and a sign, an address may not.
pub fn network(text: &str) -> Option<IpNet> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let full = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    let length = match length {
        None => full,
        Some(length) => match python::int_of(length) {
            Some(length) => u8::try_from(length).ok()?,
            None => length_of(length.parse().ok()?)?,
        },
    };
    IpNet::new(address, length).ok()
}

/// The length that a netmask or a hostmask stands for.
fn length_of(mask: IpAddr) -> Option<u8> {
    if let Ok(length) = ipnet::ip_mask_to_prefix(mask) {
        return Some(length);
    }
    let IpAddr::V4(mask) = mask else { return None };
    ipnet::ipv4_mask_to_prefix(!mask).ok()
}

/// 4 or 6.
pub fn version(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 4,
        IpAddr::V6(_) => 6,
    }
}

/// An address as a number.
pub fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address of a number, of the family of another one.
pub fn address(like: IpAddr, number: u128) -> IpAddr {
    match like {
        // The lower half is all that a number of this family has.
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(number as u32)),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

/// A hardware address as `xx:xx:xx:xx:xx:xx`, from any of the forms in use.
pub fn mac(text: &str) -> Option<String> {
    let bits = bits(text)?;
    let bytes = bits.to_be_bytes();
    let bytes: Vec<String> = bytes[2..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Some(bytes.join(":"))
}

/// Groups of digits and what parts them: their number, and how many digits each may have.
const FORMS: [(char, usize, usize, usize); 6] = [
    (':', 6, 1, 2),
    ('-', 6, 1, 2),
    (':', 3, 1, 4),
    ('-', 3, 1, 4),
    ('.', 3, 1, 4),
    ('-', 2, 5, 6),
];

fn bits(text: &str) -> Option<u64> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if (11..=12).contains(&text.len()) && is_hex(text) {
        return u64::from_str_radix(text, 16).ok();
    }
    FORMS
        .into_iter()
        .find_map(|(separator, count, least, most)| {
            let groups: Vec<&str> = text.split(separator).collect();
            let fits = |group: &&str| (least..=most).contains(&group.len()) && is_hex(group);
            if groups.len() != count || !groups.iter().all(fits) {
                return None;
            }
            groups.iter().try_fold(0, |bits, group| {
                let group = u64::from_str_radix(group, 16).ok()?;
                Some(bits << (48 / count) | group)
            })
        })
}

/// Whether an address of this hardware goes to many.
pub fn is_multicast_mac(mac: &str) -> bool {
    bits(mac).is_some_and(|bits| bits >> 40 & 1 == 1)
}

/// The address that a host makes for itself in a network of IPv6, from its hardware address.
pub fn eui64(network: Ipv6Net, mac: &str) -> Option<Ipv6Addr> {
    let bits = u128::from(bits(mac)?);
    let interface = (bits >> 24 ^ 0x02_0000) << 40 | 0xff_fe << 24 | bits & 0xff_ffff;
    Some(Ipv6Addr::from(
        u128::from(network.network()) & !u128::from(u64::MAX) | interface,
    ))
}

/// Whether an address looks like one of those.
pub fn is_eui64(address: IpAddr) -> bool {
    let IpAddr::V6(address) = address else {
        return false;
    };
    u128::from(address) >> 24 & 0xffff == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_keeps_its_host_bits_and_takes_masks() {
        let text = |network: &str| super::network(network).map(|network| network.to_string());
        assert_eq!(text("10.0.0.5/24").as_deref(), Some("10.0.0.5/24"));
        assert_eq!(text("0.0.0.0").as_deref(), Some("0.0.0.0/32"));
        assert_eq!(
            text("10.0.0.0/255.255.255.0").as_deref(),
            Some("10.0.0.0/24")
        );
        assert_eq!(text("10.0.0.0/0.0.0.255").as_deref(), Some("10.0.0.0/24"));
        assert_eq!(text("2001:DB8::1/64").as_deref(), Some("2001:db8::1/64"));
        assert_eq!(text("10.0.0.0/ +8\n").as_deref(), Some("10.0.0.0/8"));
        for wrong in [
            "10.0.0.0/33",
            "10.5",
            "10.0.0.05/32",
            "",
            "/8",
            " 10.0.0.0/8",
            "10.0.0.0 /8",
            "10.0.0.0/-8",
            "10.0.0.0/255.0.0.0 ",
        ] {
            assert_eq!(text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_hardware_address_is_read_in_all_its_forms() {
        for text in [
            "FA-16-3E-00-00-01",
            "fa163e000001",
            "fa16.3e00.0001",
            "fa:16:3e:0:0:1",
            "fa163e-000001",
        ] {
            assert_eq!(mac(text).as_deref(), Some("fa:16:3e:00:00:01"), "{text}");
        }
        for text in [
            "",
            "fa:16:3e:00:00",
            "fa:16:3e:00:00:0g",
            "fa:16:3e:00:00:001",
        ] {
            assert_eq!(mac(text), None, "{text}");
        }
    }

    #[test]
    fn an_interface_makes_its_own_address() {
        let network = "2001:db8::/64".parse().unwrap();
        let address = eui64(network, "fa:16:3e:00:00:50").unwrap();
        assert_eq!(address.to_string(), "2001:db8::f816:3eff:fe00:50");
        assert!(is_eui64(address.into()));
    }
}
