//! The fields of Neutron's objects: all that the API has, whether the filter uses them or not.
//!
//! This is the only list of them. It is that of Neutron 29.0.0: the attribute maps of
//! `neutron_lib.api.definitions` and `neutron.extensions`, whatever extensions a cloud has, and what its
//! answers hold besides. A field that is not here is at fault: it may be a slip of one that narrows, as
//! `remote_ip_prefx` is, and to ignore it would open what was meant to stay closed.

use serde_json::Value;

use super::fault::Problem;
use super::fields::Fields;

/// The fields of one kind of object.
pub(super) struct Shape {
    /// How faults name the kind.
    name: &'static str,
    /// Read by the filter.
    used: &'static [&'static str],
    /// Read too, but not of the API: nobody is advised to write them.
    beyond: &'static [&'static str],
    /// Of the API, and without a meaning to the filter.
    ignored: &'static [&'static str],
}

/// How much of a name may be a slip of a field's, in characters: twice the longest of them.
const LONGEST_SLIP: usize = 64;

/// The document: saved answers of the API, one beside the other. The collections that are ignored are
/// those that people save along with the others, and the links of pages.
pub(super) const DOCUMENT: Shape = Shape {
    name: "the inventory",
    used: &["address_groups", "ports", "security_groups"],
    beyond: &[],
    ignored: &[
        "address_groups_links",
        "networks",
        "networks_links",
        "ports_links",
        "security_group_rules",
        "security_group_rules_links",
        "security_groups_links",
        "subnets",
        "subnets_links",
        "trunks",
        "trunks_links",
    ],
};

/// A port, and `device`, by which an inventory names its interface.
pub(super) const PORT: Shape = Shape {
    name: "a port",
    used: &[
        "allowed_address_pairs",
        "device",
        "device_owner",
        "fixed_ips",
        "id",
        "mac_address",
        "name",
        "port_security_enabled",
        "project_id",
        "security_groups",
        "trunk_details",
    ],
    beyond: &[],
    ignored: &[
        "admin_state_up",
        "binding:host_id",
        "binding:profile",
        "binding:vif_details",
        "binding:vif_type",
        "binding:vnic_type",
        "created_at",
        "data_plane_status",
        "description",
        "device_id",
        "device_profile",
        "dns_assignment",
        "dns_domain",
        "dns_name",
        "extra_dhcp_opts",
        "hardware_offload_type",
        "hints",
        "ip_allocation",
        "network_id",
        "numa_affinity_policy",
        "propagate_uplink_status",
        "pvlan_community",
        "pvlan_type",
        "qos_network_policy_id",
        "qos_policy_id",
        "resource_request",
        "revision_number",
        "standard_attr_id",
        "status",
        "tags",
        "tenant_id",
        "trusted",
        "updated_at",
    ],
};

/// A port that is known by its id only.
pub(super) const TRUSTED: Shape = Shape {
    name: "a trusted port",
    used: &["device", "id"],
    beyond: &[],
    ignored: &[],
};

/// An entry of a port's `fixed_ips`.
pub(super) const FIXED_IP: Shape = Shape {
    name: "a fixed IP",
    used: &["ip_address"],
    beyond: &[],
    ignored: &["subnet_id"],
};

/// An entry of a port's `allowed_address_pairs`.
pub(super) const PAIR: Shape = Shape {
    name: "an allowed address pair",
    used: &["ip_address", "mac_address"],
    beyond: &[],
    ignored: &[],
};

/// A port's `trunk_details`.
pub(super) const TRUNK: Shape = Shape {
    name: "a trunk's details",
    used: &["sub_ports"],
    beyond: &[],
    ignored: &["trunk_id"],
};

/// An entry of a trunk's `sub_ports`.
pub(super) const SUBPORT: Shape = Shape {
    name: "a subport",
    used: &["port_id", "segmentation_id", "segmentation_type"],
    beyond: &[],
    ignored: &["mac_address"],
};

/// A security group.
pub(super) const GROUP: Shape = Shape {
    name: "a security group",
    used: &["id", "name", "security_group_rules", "stateful"],
    beyond: &[],
    ignored: &[
        "created_at",
        "description",
        "project_id",
        "revision_number",
        "shared",
        "standard_attr_id",
        "tags",
        "tenant_id",
        "updated_at",
    ],
};

/// A security group rule.
pub(super) const RULE: Shape = Shape {
    name: "a security group rule",
    used: &[
        "direction",
        "ethertype",
        "id",
        "port_range_max",
        "port_range_min",
        "protocol",
        "remote_address_group_id",
        "remote_group_id",
        "remote_ip_prefix",
    ],
    // Of the rules of Neutron's agent.
    beyond: &["source_port_range_max", "source_port_range_min"],
    ignored: &[
        "belongs_to_default_sg",
        "created_at",
        "description",
        "normalized_cidr",
        "project_id",
        "revision_number",
        "security_group_id",
        "standard_attr_id",
        "tags",
        "tenant_id",
        "updated_at",
    ],
};

/// An address group.
pub(super) const ADDRESS_GROUP: Shape = Shape {
    name: "an address group",
    used: &["addresses", "id", "name"],
    beyond: &[],
    ignored: &[
        "created_at",
        "description",
        "project_id",
        "revision_number",
        "shared",
        "standard_attr_id",
        "tags",
        "tenant_id",
        "updated_at",
    ],
};

impl Shape {
    /// What is wrong with each field that objects of this kind do not have. One that is null or empty says
    /// nothing, so nothing is lost by ignoring it.
    pub fn unknown(&self, fields: Fields<'_>) -> impl Iterator<Item = Problem> {
        let unknown = fields.0.keys().filter(|field| {
            !self
                .advised()
                .chain(self.beyond)
                .any(|known| known == *field)
        });
        unknown.filter_map(move |field| Some(self.problem(field, fields.get(field)?)))
    }

    /// The first of them, if there is any.
    pub fn check(&self, fields: Fields<'_>) -> Result<(), Problem> {
        self.unknown(fields).next().map_or(Ok(()), Err)
    }

    fn problem(&self, field: &str, value: &Value) -> Problem {
        let problem = format!("is not a field of {}", self.name);
        let advice = format!("write {}, or remove it", self.nearest(field));
        Problem::new(field, value, problem, advice)
    }

    /// The field that is likest to a name which none has. Of a long name the beginning counts: what takes
    /// longer to compare was not meant as any of them.
    fn nearest(&self, name: &str) -> &'static str {
        let end = name.char_indices().nth(LONGEST_SLIP);
        let name = end.map_or(name, |(end, _)| &name[..end]);
        let likeness = |field: &&&str| strsim::jaro_winkler(field, name);
        self.advised()
            .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
            .copied()
            .unwrap_or_default()
    }

    fn advised(&self) -> impl Iterator<Item = &'static &'static str> {
        self.used.iter().chain(self.ignored)
    }
}
