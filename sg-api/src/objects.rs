//! Objects as they are stored: as the API shows them, without what is derived from others.

use std::net::IpAddr;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use sg_store::{Key, Kind};
use uuid::Uuid;

/// Fields of an object, as they are shown.
pub type Fields = Map<String, Value>;

/// What most objects have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standard {
    /// For people.
    pub description: Option<String>,
    /// In the order in which they were given.
    #[serde(default)]
    pub tags: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was changed last.
    pub updated_at: String,
    /// Grows with each change.
    pub revision_number: u64,
    /// Its number among all objects.
    #[serde(default)]
    pub standard_attr_id: u64,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Network {
    pub id: Uuid,
    pub name: String,
    pub project_id: String,
    pub admin_state_up: bool,
    pub shared: bool,
    #[serde(rename = "router:external")]
    pub external: bool,
    pub port_security_enabled: bool,
    pub mtu: u64,
    #[serde(flatten)]
    pub standard: Standard,
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The first.
    pub start: IpAddr,
    /// The last.
    pub end: IpAddr,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Subnet {
    pub id: Uuid,
    pub name: String,
    pub project_id: String,
    pub network_id: Uuid,
    pub ip_version: u8,
    pub cidr: ipnet::IpNet,
    pub gateway_ip: Option<IpAddr>,
    pub allocation_pools: Vec<Pool>,
    pub dns_nameservers: Vec<Value>,
    pub host_routes: Vec<Value>,
    pub enable_dhcp: bool,
    pub ipv6_ra_mode: Option<String>,
    pub ipv6_address_mode: Option<String>,
    #[serde(default)]
    pub service_types: Vec<String>,
    #[serde(flatten)]
    pub standard: Standard,
}

/// An address of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedIp {
    /// Of which subnet.
    pub subnet_id: Uuid,
    /// The address.
    pub ip_address: IpAddr,
}

/// What a port may send from besides, as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The hardware address.
    pub mac_address: String,
    /// An address, or a CIDR.
    pub ip_address: String,
}

/// A port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Port {
    pub id: Uuid,
    pub name: String,
    pub project_id: String,
    pub network_id: Uuid,
    pub admin_state_up: bool,
    pub mac_address: String,
    pub fixed_ips: Vec<FixedIp>,
    pub device_id: String,
    pub device_owner: String,
    pub security_groups: Vec<Uuid>,
    pub port_security_enabled: bool,
    pub allowed_address_pairs: Vec<Pair>,
    pub extra_dhcp_opts: Vec<Value>,
    #[serde(rename = "binding:vnic_type")]
    pub vnic_type: String,
    #[serde(rename = "binding:host_id")]
    pub host_id: String,
    #[serde(rename = "binding:profile")]
    pub profile: Map<String, Value>,
    #[serde(flatten)]
    pub standard: Standard,
}

/// A security group, without its rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct SecurityGroup {
    pub id: Uuid,
    pub name: String,
    pub project_id: String,
    pub stateful: bool,
    #[serde(flatten)]
    pub standard: Standard,
}

/// What a rule matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Match {
    pub direction: String,
    pub ethertype: String,
    pub protocol: Option<String>,
    pub port_range_min: Option<i64>,
    pub port_range_max: Option<i64>,
    pub remote_ip_prefix: Option<String>,
    pub remote_group_id: Option<String>,
    pub remote_address_group_id: Option<String>,
}

/// A rule of a security group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Rule {
    pub id: Uuid,
    pub project_id: String,
    pub security_group_id: Uuid,
    #[serde(flatten)]
    pub matches: Match,
    pub normalized_cidr: Option<String>,
    #[serde(flatten)]
    pub standard: Standard,
}

/// A rule that new groups get.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct DefaultRule {
    pub id: Uuid,
    pub description: Option<String>,
    #[serde(flatten)]
    pub matches: Match,
    pub used_in_default_sg: bool,
    pub used_in_non_default_sg: bool,
    #[serde(default)]
    pub standard_attr_id: u64,
}

/// Whether new groups of a project, or of all, are stateful.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Statefulness {
    pub id: Uuid,
    pub project_id: Option<String>,
    pub stateful: bool,
}

/// An address group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct AddressGroup {
    pub id: Uuid,
    pub name: String,
    pub project_id: String,
    pub addresses: Vec<String>,
    #[serde(flatten)]
    pub standard: Standard,
}

/// A logging of packets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub struct Log {
    pub id: Uuid,
    pub name: String,
    pub project_id: String,
    pub resource_type: String,
    pub resource_id: Option<Uuid>,
    pub target_id: Option<Uuid>,
    pub event: String,
    pub enabled: bool,
    #[serde(flatten)]
    pub standard: Standard,
}

/// What a project may have of each kind, where that is not the usual.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quota {
    /// Whose.
    pub project_id: String,
    /// How many; -1 is any number.
    #[serde(flatten)]
    pub limits: std::collections::BTreeMap<String, i64>,
}

/// Any of them.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub enum Object {
    Network(Network),
    Subnet(Subnet),
    Port(Port),
    SecurityGroup(SecurityGroup),
    Rule(Rule),
    DefaultRule(DefaultRule),
    Statefulness(Statefulness),
    AddressGroup(AddressGroup),
    Log(Log),
    Quota(Quota),
}

impl Object {
    /// Reads what stands under a key; `None` if no object stands there.
    ///
    /// # Errors
    ///
    /// It is none of its kind.
    pub fn read(key: &Key, value: &[u8]) -> serde_json::Result<Option<Self>> {
        fn of<T: DeserializeOwned>(
            value: &[u8],
            object: fn(T) -> Object,
        ) -> serde_json::Result<Option<Object>> {
            serde_json::from_slice(value).map(|read| Some(object(read)))
        }
        match key {
            Key::Port { .. } => of(value, Self::Port),
            Key::SecurityGroup(_) => of(value, Self::SecurityGroup),
            Key::Rule { .. } => of(value, Self::Rule),
            Key::AddressGroup(_) => of(value, Self::AddressGroup),
            Key::Api { kind, .. } => match kind {
                Kind::Network => of(value, Self::Network),
                Kind::Subnet => of(value, Self::Subnet),
                Kind::DefaultRule => of(value, Self::DefaultRule),
                Kind::DefaultStatefulness => of(value, Self::Statefulness),
                Kind::Quota => of(value, Self::Quota),
                Kind::Log => of(value, Self::Log),
            },
            Key::Head | Key::Member { .. } | Key::Status(_) => Ok(None),
        }
    }

    /// Where it stands.
    pub fn key(&self) -> Key {
        let api = |kind, id: String| Key::Api { kind, id };
        match self {
            Self::Network(it) => api(Kind::Network, it.id.to_string()),
            Self::Subnet(it) => api(Kind::Subnet, it.id.to_string()),
            Self::Port(it) => it.key(),
            Self::SecurityGroup(it) => Key::SecurityGroup(it.id),
            Self::Rule(it) => Key::Rule {
                group: it.security_group_id,
                id: it.id,
            },
            Self::DefaultRule(it) => api(Kind::DefaultRule, it.id.to_string()),
            Self::Statefulness(it) => api(Kind::DefaultStatefulness, it.id.to_string()),
            Self::AddressGroup(it) => Key::AddressGroup(it.id),
            Self::Log(it) => api(Kind::Log, it.id.to_string()),
            Self::Quota(it) => api(Kind::Quota, it.project_id.clone()),
        }
    }

    /// Its fields, as they are stored.
    pub fn fields(&self) -> Fields {
        match self {
            Self::Network(it) => fields(it),
            Self::Subnet(it) => fields(it),
            Self::Port(it) => fields(it),
            Self::SecurityGroup(it) => fields(it),
            Self::Rule(it) => fields(it),
            Self::DefaultRule(it) => fields(it),
            Self::Statefulness(it) => fields(it),
            Self::AddressGroup(it) => fields(it),
            Self::Log(it) => fields(it),
            Self::Quota(it) => fields(it),
        }
    }
}

impl Port {
    /// Where it stands: under the host that it is bound to.
    pub fn key(&self) -> Key {
        Key::Port {
            host: (!self.host_id.is_empty()).then(|| self.host_id.clone()),
            id: self.id,
        }
    }

    /// What it adds to the members of its groups.
    pub fn member(&self) -> Vec<String> {
        let mut addresses: Vec<String> = self
            .fixed_ips
            .iter()
            .map(|fixed| fixed.ip_address.to_string())
            .collect();
        let pairs = self.allowed_address_pairs.iter();
        addresses.extend(pairs.map(|pair| pair.ip_address.clone()));
        addresses.sort();
        addresses.dedup();
        addresses
    }
}

impl Subnet {
    /// Whether hosts make their own addresses in it.
    pub fn is_auto(&self) -> bool {
        let is_auto =
            |mode: &Option<String>| matches!(mode.as_deref(), Some("slaac" | "dhcpv6-stateless"));
        self.ip_version == 6 && (is_auto(&self.ipv6_address_mode) || is_auto(&self.ipv6_ra_mode))
    }
}

/// The fields of an object, as they are stored.
pub fn fields(object: &impl Serialize) -> Fields {
    match serde_json::to_value(object) {
        Ok(Value::Object(fields)) => fields,
        // Objects are written as such, whatever is in them.
        _ => Fields::new(),
    }
}
