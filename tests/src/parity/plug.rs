//! A port of an inventory, as far as expectations need it: who may send what from it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use crate::inventory::port_id;
use crate::mac::Mac;
use crate::parity::scenario::End;

/// The port that is plugged in at an end.
#[derive(Clone, Debug)]
pub struct Plug {
    /// Its MAC.
    pub mac: Mac,
    /// Port security is on, and it is no port of the network's own.
    pub filtered: bool,
    fixed: Vec<IpAddr>,
    pairs: Vec<(IpNet, Mac)>,
}

impl Plug {
    /// The port at an end, if the inventory has it.
    #[must_use]
    pub fn at(end: End, inventory: &Value) -> Option<Self> {
        let id = port_id(end.port()?).to_string();
        let mut ports = inventory["ports"].as_array()?.iter();
        let port = ports.find(|port| port["id"] == id.as_str())?;
        let mac: Mac = port["mac_address"].as_str()?.parse().ok()?;
        let list = |field: &str| port[field].as_array().into_iter().flatten();
        let owner = port["device_owner"].as_str().unwrap_or_default();
        Some(Self {
            mac,
            filtered: port["port_security_enabled"] != false && !owner.starts_with("network:"),
            fixed: list("fixed_ips")
                .filter_map(|ip| ip["ip_address"].as_str()?.parse().ok())
                .collect(),
            pairs: list("allowed_address_pairs")
                .filter_map(|pair| {
                    let network = network(pair["ip_address"].as_str()?)?;
                    let own = pair["mac_address"].as_str().map_or(Ok(mac), str::parse);
                    Some((network, own.ok()?))
                })
                .collect(),
        })
    }

    /// Whether a frame may come from this MAC.
    #[must_use]
    pub fn has_mac(&self, mac: Mac) -> bool {
        mac == self.mac || self.pairs.iter().any(|(_, other)| *other == mac)
    }

    /// Whether it has an address of the family, or may have any.
    #[must_use]
    pub fn has_family(&self, v6: bool) -> bool {
        self.fixed.is_empty()
            || self.fixed.iter().any(|ip| ip.is_ipv6() == v6)
            || self.pairs.iter().any(|(net, _)| net.addr().is_ipv6() == v6)
    }

    /// Whether an address goes with a MAC.
    #[must_use]
    pub fn has(&self, ip: IpAddr, mac: Mac) -> bool {
        let own = mac == self.mac && (self.fixed.is_empty() || self.fixed.contains(&ip));
        let pair = |(net, with): &(IpNet, Mac)| *with == mac && net.contains(&ip);
        own || self.pairs.iter().any(pair) || self.has_link_local(ip, mac)
    }

    /// Whether a pair stands for every IPv4 address: nobody then checks the senders of ARP.
    #[must_use]
    pub fn has_all_of_v4(&self) -> bool {
        let all = |(net, _): &(IpNet, Mac)| net.addr().is_ipv4() && net.prefix_len() == 0;
        self.pairs.iter().any(all)
    }

    /// Every MAC that goes with an IPv6 address has the link-local address made of it.
    fn has_link_local(&self, ip: IpAddr, mac: Mac) -> bool {
        let fixed = mac == self.mac && self.fixed.iter().any(IpAddr::is_ipv6);
        let pair = |(net, with): &(IpNet, Mac)| *with == mac && net.addr().is_ipv6();
        (fixed || self.pairs.iter().any(pair)) && ip == link_local(mac)
    }
}

/// The link-local address of a MAC (RFC 4291, appendix A).
#[must_use]
pub fn link_local(mac: Mac) -> IpAddr {
    let [a, b, c, d, e, f] = mac.0;
    IpAddr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

fn network(text: &str) -> Option<IpNet> {
    let host = || Some(IpNet::from(text.parse::<IpAddr>().ok()?));
    text.parse().ok().or_else(host)
}

#[cfg(test)]
mod tests {
    use super::{Plug, link_local};
    use crate::inventory::{Inventory, port};
    use crate::mac::Mac;
    use crate::parity::scenario::End;

    #[test]
    fn an_address_goes_with_the_mac_of_its_pair() {
        let inventory = Inventory::new().port(
            port("VM1")
                .ip("10.0.0.5")
                .pair("10.0.0.99")
                .pair_with_mac("10.9.0.0/24", "00:00:5e:00:01:05"),
        );
        let plug = Plug::at(End::VM1, &inventory.json()).unwrap();
        let (own, pair) = (plug.mac, Mac::from("00:00:5e:00:01:05"));
        let has = |ip: &str, mac| plug.has(ip.parse().unwrap(), mac);
        assert!(has("10.0.0.5", own) && has("10.0.0.99", own) && has("10.9.0.255", pair));
        assert!(!has("10.0.0.5", pair) && !has("10.9.0.1", own) && !has("10.9.1.0", pair));
        assert!(plug.has_family(false) && !plug.has_family(true));
        assert!(!plug.has(link_local(own), own));
    }
}
