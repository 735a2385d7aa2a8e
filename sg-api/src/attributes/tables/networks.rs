//! What networks are made of.

use super::{
    CREATED, NOT_TAGS, NOT_TAGS_ANY, REVISION, TAGS, TAGS_ANY, UPDATED, description, id, name,
    project, tenant, truth, unfiltered,
};
use crate::attributes::{Attribute, Convert, Default, Validate, attribute};

const MODES: &[&str] = &["dhcpv6-stateful", "dhcpv6-stateless", "slaac"];

const VNICS: &[&str] = &[
    "normal",
    "direct",
    "macvtap",
    "baremetal",
    "direct-physical",
    "virtio-forwarder",
    "smart-nic",
    "vdpa",
    "accelerator-direct",
    "accelerator-direct-physical",
    "remote-managed",
];

const fn provider(name: &'static str) -> Attribute {
    attribute(name)
        .post()
        .put()
        .default(Default::Unsaid)
        .filter()
}

/// Networks.
pub const NETWORKS: &[Attribute] = &[
    id(),
    name(),
    attribute("subnets").default(Default::List),
    truth("admin_state_up", true).key(),
    attribute("status").key(),
    tenant(),
    project(),
    truth("shared", false),
    truth("router:external", false),
    unfiltered(truth("port_security_enabled", true)),
    attribute("mtu")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::Integer)
        .validate(Validate::NotNegative)
        .key(),
    Attribute {
        filter: false,
        ..attribute("availability_zone_hints")
            .post()
            .default(Default::List)
            .validate(Validate::Texts(255))
            .key()
    },
    attribute("availability_zones"),
    attribute("ipv4_address_scope"),
    attribute("ipv6_address_scope"),
    attribute("is_default")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::Boolean)
        .filter(),
    attribute("l2_adjacency"),
    provider("provider:network_type").validate(Validate::Text(32)),
    provider("provider:physical_network").validate(Validate::Text(64)),
    provider("provider:segmentation_id").convert(Convert::Integer),
    description(),
    REVISION,
    CREATED,
    UPDATED,
    TAGS,
    TAGS_ANY,
    NOT_TAGS,
    NOT_TAGS_ANY,
];

/// Subnets.
pub const SUBNETS: &[Attribute] = &[
    id(),
    name(),
    attribute("ip_version")
        .post()
        .convert(Convert::Integer)
        .validate(Validate::IpVersion)
        .key(),
    attribute("network_id")
        .post()
        .validate(Validate::Uuid)
        .key(),
    attribute("subnetpool_id")
        .post()
        .default(Default::Unsaid)
        .validate(Validate::UuidOrNull)
        .key(),
    attribute("use_default_subnetpool")
        .post()
        .default(Default::Bool(false))
        .convert(Convert::Boolean)
        .hidden(),
    attribute("prefixlen")
        .post()
        .default(Default::Unsaid)
        .convert(Convert::Integer)
        .validate(Validate::NotNegative)
        .hidden(),
    attribute("cidr")
        .post()
        .default(Default::Unsaid)
        .convert(Convert::Cidr)
        .validate(Validate::CidrOrNull)
        .key(),
    attribute("gateway_ip")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::Address)
        .validate(Validate::AddressOrNull)
        .key(),
    attribute("allocation_pools")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::Pools)
        .validate(Validate::Pools),
    attribute("dns_nameservers")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::List)
        .validate(Validate::Nameservers),
    attribute("host_routes")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::List)
        .validate(Validate::Routes),
    tenant(),
    project(),
    truth("enable_dhcp", true).key(),
    attribute("ipv6_ra_mode")
        .post()
        .default(Default::Unsaid)
        .validate(Validate::OneOfOrNull(MODES))
        .key(),
    attribute("ipv6_address_mode")
        .post()
        .default(Default::Unsaid)
        .validate(Validate::OneOfOrNull(MODES))
        .key(),
    attribute("shared")
        .default(Default::Bool(false))
        .convert(Convert::Boolean)
        .hidden()
        .filter(),
    attribute("router:external")
        .default(Default::Bool(false))
        .convert(Convert::Boolean)
        .filter(),
    attribute("service_types")
        .post()
        .put()
        .default(Default::Unsaid)
        .validate(Validate::ServiceTypes),
    description(),
    REVISION,
    CREATED,
    UPDATED,
    TAGS,
    TAGS_ANY,
    NOT_TAGS,
    NOT_TAGS_ANY,
];

/// Ports.
pub const PORTS: &[Attribute] = &[
    id(),
    name(),
    attribute("network_id")
        .post()
        .validate(Validate::Uuid)
        .key(),
    truth("admin_state_up", true).key(),
    attribute("mac_address")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::Mac)
        .validate(Validate::Mac)
        .key(),
    attribute("fixed_ips")
        .post()
        .put()
        .default(Default::Unsaid)
        .validate(Validate::FixedIps)
        .filter(),
    attribute("device_id")
        .post()
        .put()
        .default(Default::Text(""))
        .validate(Validate::Text(255))
        .key(),
    attribute("device_owner")
        .post()
        .put()
        .default(Default::Text(""))
        .validate(Validate::Text(255))
        .key(),
    tenant(),
    project(),
    attribute("status").key(),
    attribute("security_groups")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::List)
        .validate(Validate::Uuids)
        .filter(),
    unfiltered(truth("port_security_enabled", true)).default(Default::Unsaid),
    attribute("allowed_address_pairs")
        .post()
        .put()
        .default(Default::Unsaid)
        .convert(Convert::List)
        .validate(Validate::Pairs),
    attribute("extra_dhcp_opts")
        .post()
        .put()
        .default(Default::Null)
        .validate(Validate::Options),
    attribute("binding:vif_type").default(Default::Unsaid),
    attribute("binding:vif_details").default(Default::Unsaid),
    attribute("binding:vnic_type")
        .post()
        .put()
        .default(Default::Text("normal"))
        .validate(Validate::OneOf(VNICS)),
    attribute("binding:host_id")
        .post()
        .put()
        .default(Default::Unsaid)
        .filter(),
    attribute("binding:profile")
        .post()
        .put()
        .default(Default::Unsaid)
        .validate(Validate::ObjectOrNull),
    description(),
    REVISION,
    CREATED,
    UPDATED,
    attribute("tags")
        .post()
        .default(Default::List)
        .validate(Validate::Texts(255))
        .filter(),
    TAGS_ANY,
    NOT_TAGS,
    NOT_TAGS_ANY,
];
