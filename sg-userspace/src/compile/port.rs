//! The rows of a port: which sources it may send from.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use sg_common::layout::port::{
    ADDRESS_KEY_BITS, ANY_FAMILY, ANY_MAC, AddressKey, OWN, flags, kind,
};
use sg_common::wire::addr::{self, Family, NO_MAC, V6_UNSPECIFIED, link_local, to_ip};

use super::ids::prefix;
use super::image::Own;
use crate::model::address::everyone;
use crate::model::{Inventory, Mac, Port, Security, Trunk};

/// Bits of [`flags`].
pub(super) fn port_flags(inventory: &Inventory, port: &Port) -> u16 {
    let trunk = match port.trunk {
        Some(Trunk::Parent) => flags::TRUNK,
        Some(Trunk::Subport { .. }) | None => 0,
    };
    if port.security != Security::Filtered {
        return flags::UNFILTERED | trunk;
    }
    let ipv4 = everyone(Family::V4);
    [
        (!inventory.is_stateful(port), flags::STATELESS),
        (
            port.pairs.iter().any(|pair| pair.net == ipv4),
            flags::ARP_UNCHECKED,
        ),
        (port.fixed_ips.iter().any(IpAddr::is_ipv6), flags::FIXED_V6),
        (is_without(port, Family::V4), flags::WITHOUT_V4),
        (is_without(port, Family::V6), flags::WITHOUT_V6),
    ]
    .into_iter()
    .filter_map(|(holds, flag)| holds.then_some(flag))
    .fold(trunk, |flags, flag| flags | flag)
}

/// Whether iptables has no chain to check the sources of a family: the port has neither an address nor a
/// pair of it, but fixed addresses (`_setup_spoof_filter_chain`).
fn is_without(port: &Port, family: Family) -> bool {
    let of_family = |net: IpNet| Family::of(&net.addr()) == family;
    !port.fixed_ips.is_empty() && !port.addresses().any(of_family)
}

/// The rows of `addresses`, of slot 0 (`iptables_firewall.py`, `_setup_spoof_filter_chain`):
///
/// - each fixed IP with the port's MAC, each allowed address pair with its own;
/// - for each IPv6 one of these, the link-local address of its MAC;
/// - without any fixed IP, every address of both families with the port's MAC;
/// - each of these with a MAC that is not the port's once more for whatever MAC, for connections to be
///   judged by;
/// - each of these MACs, to send what is not IP (`arp_protect.py`).
///
/// A family without rows may not be sent at all, as under Open vSwitch.
pub(super) fn addresses(port: &Port) -> BTreeMap<(u32, AddressKey), u32> {
    let mut rows = BTreeMap::new();
    if port.security != Security::Filtered {
        return rows;
    }
    let fixed = port
        .fixed_ips
        .iter()
        .map(|ip| (port.mac, IpNet::from(*ip), kind::FIXED));
    let pairs = port
        .pairs
        .iter()
        .map(|pair| (pair.mac, pair.net, kind::PAIR));
    let own: Vec<_> = fixed.chain(pairs).collect();
    for (mac, net, kind) in &own {
        add(&mut rows, *mac, net, *kind);
    }
    for (mac, ..) in own.iter().filter(|(_, net, _)| matches!(net, IpNet::V6(_))) {
        let address = to_ip(&link_local(&addr::Mac::new(mac.0)), Family::V6);
        add(&mut rows, *mac, &address.into(), kind::LINK_LOCAL);
    }
    if port.fixed_ips.is_empty() {
        for family in Family::ALL {
            add(&mut rows, port.mac, &everyone(family), kind::ANY);
        }
    }
    add_any_mac(&mut rows, port.mac);
    for mac in own.iter().map(|(mac, ..)| *mac).chain([port.mac]) {
        let key = AddressKey {
            slot: 0,
            mac: addr::Mac::new(mac.0),
            family: ANY_FAMILY,
            reserved: 0,
            address: V6_UNSPECIFIED,
        };
        rows.insert((ADDRESS_KEY_BITS + 128, key), kind::MAC);
    }
    rows
}

/// What the port's own row holds of these rows, and the flags of the families of which it holds all. An
/// unfiltered port, which nobody asks, has none.
pub(super) fn own(mac: Mac, rows: &BTreeMap<(u32, AddressKey), u32>) -> (Own, u16) {
    let (mut own, mut only) = (Own::default(), 0);
    if rows.is_empty() {
        return (own, only);
    }
    for (family, flag) in [
        (Family::V4, flags::ONLY_OWN_V4),
        (Family::V6, flags::ONLY_OWN_V6),
    ] {
        let of_family = || {
            rows.iter()
                .filter(|((_, key), _)| key.family == family.number())
        };
        let exact = |(bits, key): &(u32, AddressKey)| {
            *bits == ADDRESS_KEY_BITS + 128 && key.mac.octets() == mac.0
        };
        let (addresses, kinds) = (
            &mut own.addresses[family as usize],
            &mut own.kinds[family as usize],
        );
        let places = addresses.iter_mut().zip(kinds);
        for (((_, key), kind), (address, kinds)) in
            of_family().filter(|(key, _)| exact(key)).zip(places)
        {
            *address = key.address;
            // All bits of a row that is one address are below.
            *kinds = *kind as u8;
        }
        if of_family().count() <= OWN && of_family().all(|(key, _)| exact(key)) {
            only |= flag;
        }
    }
    (own, only)
}

/// Adds the rows "some MAC may send from this address".
fn add_any_mac(rows: &mut BTreeMap<(u32, AddressKey), u32>, own: Mac) {
    let foreign: Vec<_> = rows
        .iter()
        .filter(|((_, key), _)| key.mac.octets() != own.0)
        .map(|((bits, key), kind)| {
            let (mac, family) = (NO_MAC, key.family | ANY_MAC);
            (
                (
                    *bits,
                    AddressKey {
                        mac,
                        family,
                        ..*key
                    },
                ),
                *kind,
            )
        })
        .collect();
    for (key, kind) in foreign {
        *rows.entry(key).or_insert(0) |= kind;
    }
}

fn add(rows: &mut BTreeMap<(u32, AddressKey), u32>, mac: Mac, net: &IpNet, kind: u32) {
    let family = Family::of(&net.addr()).number();
    let (bits, address) = prefix(net);
    let key = AddressKey {
        slot: 0,
        mac: addr::Mac::new(mac.0),
        family,
        reserved: 0,
        address,
    };
    *rows.entry((ADDRESS_KEY_BITS + bits, key)).or_insert(0) |= kind;
}
