//! Inventories in words, in the shape of Neutron's API.
//!
//! ```
//! # use sg_tests::inventory::{Inventory, group, port};
//! let inventory = Inventory::new()
//!     .group(group("WEB_SERVERS").rule("ingress IPv4 tcp 80 from 0.0.0.0/0").default_egress())
//!     .port(port("WEB1").ip("10.0.0.5").groups(&["WEB_SERVERS"]));
//! println!("{}", inventory.json());
//! ```
//!
//! Objects refer to each other by name; their ids are made from their names, so that two
//! inventories that speak of WEB1 speak of the same port.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::mac::Mac;

/// Ports, security groups and address groups.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    ports: Vec<Port>,
    groups: Vec<Group>,
    address_groups: Vec<Value>,
}

/// A Neutron port.
#[derive(Clone, Debug)]
pub struct Port {
    name: String,
    id: Option<Uuid>,
    mac: Option<Mac>,
    ips: Vec<IpAddr>,
    groups: Vec<String>,
    pairs: Vec<Value>,
    fields: Map<String, Value>,
}

/// A security group.
#[derive(Clone, Debug)]
pub struct Group {
    name: String,
    rules: Vec<Value>,
    fields: Map<String, Value>,
}

/// A port without addresses or groups.
#[must_use]
pub fn port(name: &str) -> Port {
    Port {
        name: name.to_owned(),
        id: None,
        mac: None,
        ips: Vec::new(),
        groups: Vec::new(),
        pairs: Vec::new(),
        fields: Map::new(),
    }
}

/// A security group without rules.
#[must_use]
pub fn group(name: &str) -> Group {
    Group {
        name: name.to_owned(),
        rules: Vec::new(),
        fields: Map::new(),
    }
}

/// The id of a port of that name.
#[must_use]
pub fn port_id(name: &str) -> Uuid {
    id("port", name)
}

/// The id of a security group of that name.
#[must_use]
pub fn group_id(name: &str) -> Uuid {
    id("security group", name)
}

/// The id of an address group of that name.
#[must_use]
pub fn address_group_id(name: &str) -> Uuid {
    id("address group", name)
}

impl Inventory {
    /// With nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a port.
    #[must_use]
    pub fn port(mut self, port: Port) -> Self {
        self.ports.push(port);
        self
    }

    /// Adds a security group.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.groups.push(group);
        self
    }

    /// Adds an address group.
    #[must_use]
    pub fn address_group(mut self, name: &str, addresses: &[&str]) -> Self {
        self.address_groups.push(json!({
            "id": address_group_id(name), "name": name, "addresses": addresses,
        }));
        self
    }

    /// The document.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "ports": self.ports.iter().map(Port::json).collect::<Vec<_>>(),
            "security_groups": self.groups.iter().map(Group::json).collect::<Vec<_>>(),
            "address_groups": self.address_groups,
        })
    }
}

impl Port {
    /// Sets the id that somebody else has given it; if not set it is [`port_id`] of its name.
    #[must_use]
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the MAC; if not set it is [`Mac::of`] the first address.
    #[must_use]
    pub fn mac(mut self, mac: impl Into<Mac>) -> Self {
        self.mac = Some(mac.into());
        self
    }

    /// Adds a fixed IP.
    #[must_use]
    pub fn ip(mut self, address: &str) -> Self {
        let address = address
            .parse()
            .unwrap_or_else(|_| panic!("`{address}` is not an address"));
        self.ips.push(address);
        self
    }

    /// Puts the port into exactly these security groups.
    #[must_use]
    pub fn groups(mut self, names: &[&str]) -> Self {
        self.groups = names.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    /// Adds an allowed address pair of an address or CIDR with the port's own MAC.
    #[must_use]
    pub fn pair(mut self, address: &str) -> Self {
        self.pairs.push(json!({ "ip_address": address }));
        self
    }

    /// Adds an allowed address pair with a MAC of its own.
    #[must_use]
    pub fn pair_with_mac(mut self, address: &str, mac: impl Into<Mac>) -> Self {
        let mac = mac.into().to_string();
        self.pairs
            .push(json!({ "ip_address": address, "mac_address": mac }));
        self
    }

    /// Sets any field of the API's object, over what the other methods set.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id.unwrap_or_else(|| port_id(&self.name))
    }

    /// Its interface on the compute node: `tap` and the first eleven characters of the id.
    #[must_use]
    pub fn interface(&self) -> String {
        format!("tap{}", &self.id().to_string()[..11])
    }

    /// Its MAC.
    #[must_use]
    pub fn mac_address(&self) -> Mac {
        let first = || self.ips.first().map(|ip| Mac::of(*ip));
        self.mac
            .or_else(first)
            .unwrap_or(Mac([0xfa, 0x16, 0x3e, 0, 0, 0]))
    }

    /// Its fixed IPs.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.ips
    }

    /// The object.
    #[must_use]
    pub fn json(&self) -> Value {
        let groups: Vec<_> = self.groups.iter().map(|name| group_id(name)).collect();
        let fixed: Vec<_> = self
            .ips
            .iter()
            .map(|ip| json!({ "ip_address": ip }))
            .collect();
        let port = json!({
            "id": self.id(),
            "name": self.name,
            "mac_address": self.mac_address().to_string(),
            "network_id": id("network", "demo"),
            "fixed_ips": fixed,
            "security_groups": groups,
            "allowed_address_pairs": self.pairs,
            "port_security_enabled": true,
            "device_owner": "compute:nova",
        });
        overlaid(port, &self.fields)
    }
}

impl Group {
    /// Adds a rule in words:
    /// `DIRECTION ETHERTYPE [PROTOCOL [PORT[-PORT] | TYPE[/CODE]] [sport PORT[-PORT]]] [from|to REMOTE]`,
    /// where the remote is a CIDR, `group NAME` or `addresses NAME`.
    #[must_use]
    pub fn rule(mut self, words: &str) -> Self {
        let rule_id = id("rule", &format!("{}: {words}", self.name));
        self.rules.push(rule(rule_id, words));
        self
    }

    /// Adds the rules that Neutron gives every new group: everything out, both families.
    #[must_use]
    pub fn default_egress(self) -> Self {
        self.rule("egress IPv4").rule("egress IPv6")
    }

    /// Adds a rule as it is, however wrong.
    #[must_use]
    pub fn raw_rule(mut self, rule: Value) -> Self {
        self.rules.push(rule);
        self
    }

    /// Without connection tracking.
    #[must_use]
    pub fn stateless(self) -> Self {
        self.with("stateful", false)
    }

    /// Sets any field of the API's object, over what the other methods set.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// The object.
    #[must_use]
    pub fn json(&self) -> Value {
        let group = json!({
            "id": group_id(&self.name),
            "name": self.name,
            "stateful": true,
            "security_group_rules": self.rules,
        });
        overlaid(group, &self.fields)
    }
}

fn rule(id: Uuid, words: &str) -> Value {
    let mut rest = words.split_whitespace().peekable();
    let mut next = || {
        rest.next()
            .unwrap_or_else(|| panic!("the rule `{words}` ends too early"))
    };
    let mut rule = json!({ "id": id, "direction": next(), "ethertype": next() });
    let is_remote = |word: &&str| matches!(*word, "from" | "to");
    if let Some(protocol) = rest.next_if(|word| !is_remote(word)) {
        rule["protocol"] = protocol.into();
        let is_source = |word: &&str| *word == "sport";
        if let Some(ports) = rest.next_if(|word| !is_remote(word) && !is_source(word)) {
            let (low, high) = port_range(protocol, ports);
            rule["port_range_min"] = number(low, words);
            rule["port_range_max"] = high.map_or(Value::Null, |high| number(high, words));
        }
        if rest.next_if(is_source).is_some() {
            let ports = rest.next().unwrap_or_default();
            let (low, high) = ports.split_once('-').unwrap_or((ports, ports));
            rule["source_port_range_min"] = number(low, words);
            rule["source_port_range_max"] = number(high, words);
        }
    }
    if rest.next_if(is_remote).is_some() {
        let (field, remote) = match (rest.next(), rest.peek()) {
            (Some("group"), Some(name)) => ("remote_group_id", json!(group_id(name))),
            (Some("addresses"), Some(name)) => {
                ("remote_address_group_id", json!(address_group_id(name)))
            }
            (Some(cidr), None) => ("remote_ip_prefix", json!(cidr)),
            _ => panic!("the rule `{words}` names no remote that is a CIDR, group or addresses"),
        };
        rule[field] = remote;
    }
    rule
}

/// `80` is 80 to 80, `80-90` a range; with ICMP `8` is any code of type 8, `8/0` is code 0 of it.
fn port_range<'a>(protocol: &str, words: &'a str) -> (&'a str, Option<&'a str>) {
    if protocol.contains("icmp") || matches!(protocol, "1" | "58") {
        words
            .split_once('/')
            .map_or((words, None), |(kind, code)| (kind, Some(code)))
    } else {
        words
            .split_once('-')
            .map_or((words, Some(words)), |(low, high)| (low, Some(high)))
    }
}

fn number(word: &str, rule: &str) -> Value {
    let number: i64 = word
        .parse()
        .unwrap_or_else(|_| panic!("`{word}` in `{rule}`: no number"));
    number.into()
}

fn overlaid(mut object: Value, fields: &Map<String, Value>) -> Value {
    for (field, value) in fields {
        object[field] = value.clone();
    }
    object
}

/// Ids are made from names (RFC 9562 5.5), so every run makes the same.
fn id(kind: &str, name: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{kind}/{name}").as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Inventory, address_group_id, group, group_id, port, port_id};

    fn rule(words: &str) -> Value {
        let mut rule = group("G").rule(words).json()["security_group_rules"][0].clone();
        rule.as_object_mut().unwrap().remove("id");
        rule
    }

    #[test]
    fn rules_are_read_from_words() {
        assert_eq!(
            rule("egress IPv6"),
            json!({ "direction": "egress", "ethertype": "IPv6" })
        );
        assert_eq!(
            rule("ingress IPv4 tcp 80 from 0.0.0.0/0"),
            json!({
                "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
                "port_range_min": 80, "port_range_max": 80, "remote_ip_prefix": "0.0.0.0/0",
            })
        );
        assert_eq!(
            rule("egress IPv4 udp 1000-2000 to group DB"),
            json!({
                "direction": "egress", "ethertype": "IPv4", "protocol": "udp",
                "port_range_min": 1000, "port_range_max": 2000, "remote_group_id": group_id("DB"),
            })
        );
        assert_eq!(
            rule("ingress IPv6 icmpv6 128 from addresses OFFICE"),
            json!({
                "direction": "ingress", "ethertype": "IPv6", "protocol": "icmpv6",
                "port_range_min": 128, "port_range_max": null,
                "remote_address_group_id": address_group_id("OFFICE"),
            })
        );
        assert_eq!(rule("ingress IPv4 icmp 8/0")["port_range_max"], json!(0));
    }

    #[test]
    fn a_port_is_what_the_api_returns() {
        let web = port("WEB1")
            .ip("10.0.0.5")
            .groups(&["WEB"])
            .with("device_owner", "network:dhcp");
        let inventory = Inventory::new()
            .port(web.clone())
            .group(group("WEB"))
            .json();
        let port = &inventory["ports"][0];
        assert_eq!(port["id"], json!(port_id("WEB1")));
        assert_eq!(port["mac_address"], "fa:16:3e:00:00:05");
        assert_eq!(port["fixed_ips"], json!([{ "ip_address": "10.0.0.5" }]));
        assert_eq!(
            port["security_groups"][0],
            inventory["security_groups"][0]["id"]
        );
        assert_eq!(port["device_owner"], "network:dhcp");
        assert_eq!(
            web.interface(),
            format!("tap{}", &port_id("WEB1").to_string()[..11])
        );
        assert_eq!(web.interface().len(), 14);
    }
}
