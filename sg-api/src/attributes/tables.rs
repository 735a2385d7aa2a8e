//! The attributes of each kind of objects, as Neutron's API definitions have them.

mod networks;

pub use networks::{NETWORKS, PORTS, SUBNETS};

use super::{Attribute, Convert, Default, Validate, attribute};

/// The longest name.
const NAME: usize = 255;

/// The longest description.
const DESCRIPTION: usize = 255;

/// The longest description of what has long ones.
const LONG_DESCRIPTION: usize = 1024;

/// The longest name of a project.
const PROJECT: usize = 255;

const fn id() -> Attribute {
    attribute("id").validate(Validate::Uuid).key()
}

const fn name() -> Attribute {
    attribute("name")
        .post()
        .put()
        .default(Default::Text(""))
        .validate(Validate::Name(NAME))
        .key()
}

const fn project() -> Attribute {
    attribute("project_id")
        .post()
        .validate(Validate::Text(PROJECT))
        .key()
}

const fn tenant() -> Attribute {
    attribute("tenant_id")
        .post()
        .validate(Validate::Text(PROJECT))
        .key()
}

const fn description() -> Attribute {
    attribute("description")
        .post()
        .put()
        .default(Default::Text(""))
        .validate(Validate::Text(DESCRIPTION))
        .filter()
}

const fn long_description() -> Attribute {
    description()
        .validate(Validate::Text(LONG_DESCRIPTION))
        .key()
}

const fn truth(name: &'static str, default: bool) -> Attribute {
    attribute(name)
        .post()
        .put()
        .default(Default::Bool(default))
        .convert(Convert::Boolean)
        .filter()
}

const fn unfiltered(attribute: Attribute) -> Attribute {
    Attribute {
        filter: false,
        ..attribute
    }
}

const REVISION: Attribute = attribute("revision_number").default(Default::Null).filter();
const CREATED: Attribute = attribute("created_at").default(Default::Null);
const UPDATED: Attribute = attribute("updated_at").default(Default::Null);

/// What is tagged, and how it is asked for by its tags.
const TAGS: Attribute = attribute("tags").filter();
const TAGS_ANY: Attribute = attribute("tags-any").hidden().filter();
const NOT_TAGS: Attribute = attribute("not-tags").hidden().filter();
const NOT_TAGS_ANY: Attribute = attribute("not-tags-any").hidden().filter();

/// Security groups.
pub const SECURITY_GROUPS: &[Attribute] = &[
    id(),
    name().validate(Validate::NotDefault(NAME)),
    tenant(),
    project(),
    attribute("security_group_rules"),
    description(),
    truth("stateful", true).default(Default::Unsaid),
    attribute("shared").convert(Convert::Boolean).filter(),
    REVISION,
    CREATED,
    UPDATED,
    TAGS,
    TAGS_ANY,
    NOT_TAGS,
    NOT_TAGS_ANY,
];

const fn direction() -> Attribute {
    attribute("direction")
        .post()
        .validate(Validate::OneOf(&["ingress", "egress"]))
        .key()
}

const fn optional(name: &'static str) -> Attribute {
    attribute(name).post().default(Default::Null).key()
}

const fn ethertype() -> Attribute {
    attribute("ethertype")
        .post()
        .default(Default::Text("IPv4"))
        .convert(Convert::Ethertype)
        .key()
}

/// Rules of security groups.
pub const RULES: &[Attribute] = &[
    id(),
    attribute("security_group_id")
        .post()
        .validate(Validate::Text(36))
        .key(),
    optional("remote_group_id"),
    direction(),
    optional("protocol").convert(Convert::Protocol),
    optional("port_range_min").convert(Convert::Port),
    optional("port_range_max").convert(Convert::Port),
    ethertype(),
    optional("remote_ip_prefix").convert(Convert::Prefix),
    tenant(),
    project(),
    description(),
    optional("remote_address_group_id"),
    attribute("normalized_cidr").key(),
    attribute("belongs_to_default_sg")
        .convert(Convert::Boolean)
        .filter(),
    REVISION,
    CREATED,
    UPDATED,
];

/// The rules that new security groups get.
pub const DEFAULT_RULES: &[Attribute] = &[
    id(),
    Attribute {
        filter: false,
        sort: false,
        visible: false,
        ..tenant()
    },
    Attribute {
        put: false,
        sort: false,
        ..long_description()
    },
    optional("remote_group_id"),
    optional("remote_address_group_id"),
    direction(),
    optional("protocol").convert(Convert::Protocol),
    optional("port_range_min").convert(Convert::Port),
    optional("port_range_max").convert(Convert::Port),
    ethertype(),
    optional("remote_ip_prefix").convert(Convert::Prefix),
    attribute("used_in_default_sg")
        .post()
        .convert(Convert::Boolean)
        .filter(),
    attribute("used_in_non_default_sg")
        .post()
        .convert(Convert::Boolean)
        .filter(),
];

/// Whether new security groups are stateful.
pub const STATEFULNESS: &[Attribute] = &[
    id(),
    attribute("project_id")
        .post()
        .default(Default::Null)
        .validate(Validate::TextOrNull(PROJECT))
        .key(),
    attribute("stateful")
        .post()
        .put()
        .default(Default::Bool(true))
        .convert(Convert::Boolean)
        .key(),
];

/// Address groups.
pub const ADDRESS_GROUPS: &[Attribute] = &[
    id(),
    name(),
    long_description(),
    project(),
    attribute("addresses")
        .post()
        .default(Default::Unsaid)
        .convert(Convert::List)
        .validate(Validate::Cidrs),
    attribute("shared").default(Default::Bool(false)),
    REVISION,
    CREATED,
    UPDATED,
];

/// Loggings of packets.
pub const LOGS: &[Attribute] = &[
    id(),
    project(),
    name(),
    attribute("resource_type")
        .post()
        .validate(Validate::Text(255))
        .key(),
    attribute("resource_id")
        .post()
        .default(Default::Null)
        .validate(Validate::UuidOrNull)
        .key(),
    attribute("event")
        .post()
        .default(Default::Text("ALL"))
        .validate(Validate::OneOf(&["ACCEPT", "DROP", "ALL"]))
        .filter(),
    attribute("target_id")
        .post()
        .default(Default::Null)
        .validate(Validate::UuidOrNull)
        .key(),
    truth("enabled", true).key(),
    description(),
    REVISION,
    CREATED,
    UPDATED,
];

/// Nodes.
pub const AGENTS: &[Attribute] = &[
    attribute("id").key().validate(Validate::Uuid),
    attribute("agent_type").key(),
    attribute("binary").key(),
    attribute("topic").key(),
    attribute("host").key(),
    attribute("admin_state_up")
        .put()
        .convert(Convert::Boolean)
        .key(),
    attribute("created_at").sort(),
    attribute("started_at").sort(),
    attribute("heartbeat_timestamp").sort(),
    attribute("alive").convert(Convert::Boolean).key(),
    attribute("configurations"),
    attribute("description")
        .put()
        .validate(Validate::TextOrNull(DESCRIPTION))
        .key(),
    attribute("availability_zone").key(),
    attribute("resources_synced").sort(),
];

/// How many addresses of networks are in use.
pub const AVAILABILITIES: &[Attribute] = &[
    attribute("network_id").key(),
    attribute("network_name").filter(),
    Attribute {
        post: false,
        sort: false,
        ..tenant()
    },
    attribute("total_ips"),
    attribute("used_ips"),
    attribute("subnet_ip_availability"),
    attribute("ip_availability_details"),
    attribute("ip_version").hidden().filter(),
];

const fn limit(name: &'static str) -> Attribute {
    attribute(name)
        .put()
        .convert(Convert::Integer)
        .validate(Validate::Between(-1, 0x7fff_ffff))
}

/// How many objects of each kind a project may have.
pub const QUOTAS: &[Attribute] = &[
    limit("floatingip"),
    limit("network"),
    limit("port"),
    limit("rbac_policy"),
    limit("router"),
    limit("router_route"),
    limit("security_group"),
    limit("security_group_rule"),
    limit("subnet"),
    limit("subnetpool"),
    limit("trunk"),
    attribute("force").put().hidden(),
    attribute("check_limit").put().hidden(),
];
