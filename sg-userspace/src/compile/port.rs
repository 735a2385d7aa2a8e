//! The rows of a port: which sources it may send from.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use sg_common::addr::{Family, link_local};
use sg_common::port::{ADDRESS_KEY_BITS, ANY_FAMILY, AddressKey, flags, kind};

use super::ids::prefix;
use crate::model::address::everyone;
use crate::model::{Inventory, Mac, Port, Security};

/// Bits of [`flags`].
pub(super) fn port_flags(inventory: &Inventory, port: &Port) -> u16 {
    if port.security != Security::Filtered {
        return flags::UNFILTERED;
    }
    let ipv4 = everyone(Family::V4);
    [
        (!inventory.is_stateful(port), flags::STATELESS),
        (
            port.pairs.iter().any(|pair| pair.net == ipv4),
            flags::ARP_UNCHECKED,
        ),
        (port.fixed_ips.iter().any(IpAddr::is_ipv6), flags::FIXED_V6),
    ]
    .into_iter()
    .filter_map(|(holds, flag)| holds.then_some(flag))
    .fold(0, |flags, flag| flags | flag)
}

/// The rows of `addresses`, of slot 0 (`iptables_firewall.py`, `_setup_spoof_filter_chain`):
///
/// - each fixed IP with the port's MAC, each allowed address pair with its own;
/// - for each IPv6 one of these, the link-local address of its MAC;
/// - without any fixed IP, every address of both families with the port's MAC;
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
        let address = Ipv6Addr::from(link_local(&mac.0));
        add(
            &mut rows,
            *mac,
            &IpAddr::V6(address).into(),
            kind::LINK_LOCAL,
        );
    }
    if port.fixed_ips.is_empty() {
        for family in Family::ALL {
            add(&mut rows, port.mac, &everyone(family), kind::ANY);
        }
    }
    for mac in own.iter().map(|(mac, ..)| *mac).chain([port.mac]) {
        let key = AddressKey {
            slot: 0,
            mac: mac.0,
            family: ANY_FAMILY,
            reserved: 0,
            address: [0; 16],
        };
        rows.insert((ADDRESS_KEY_BITS + 128, key), kind::MAC);
    }
    rows
}

fn add(rows: &mut BTreeMap<(u32, AddressKey), u32>, mac: Mac, net: &IpNet, kind: u32) {
    let family = Family::of(&net.addr()).number();
    let (bits, address) = prefix(net);
    let key = AddressKey {
        slot: 0,
        mac: mac.0,
        family,
        reserved: 0,
        address,
    };
    *rows.entry((ADDRESS_KEY_BITS + bits, key)).or_insert(0) |= kind;
}
