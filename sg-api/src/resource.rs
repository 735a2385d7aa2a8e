//! Neutron's rules for each kind of objects: what a request makes of the world, and what is shown of it.

mod address_group;
mod addresses;
mod agent;
mod availability;
mod default_rule;
mod log;
mod matches;
mod network;
mod pools;
mod port;
pub mod quota;
mod rule;
mod security_group;
mod statefulness;
mod subnet;
pub mod tag;

pub use default_rule::seed;
pub use log::LOGGABLE;
use serde::Serialize;
use uuid::Uuid;

use crate::attributes::{Attribute, Attrs};
use crate::error::{ApiError, Result};
use crate::objects::{Fields, fields};
use crate::query::Filters;
use crate::world::{Draft, World};

/// A kind of objects: its names, its attributes, and what can be done with it.
#[derive(Debug)]
pub struct Collection {
    /// In paths.
    pub path: &'static str,
    /// What one is called.
    pub resource: &'static str,
    /// What many are called.
    pub plural: &'static str,
    /// Its attributes.
    pub attributes: &'static [Attribute],
    /// Whether it belongs to what Neutron calls its core, which answers some requests otherwise.
    pub is_core: bool,
    /// Whether it has tags.
    pub is_tagged: bool,
    /// Whether many can be made at once.
    pub has_bulk: bool,
    /// Whether a project may have so many only.
    pub has_quota: bool,
    /// All of them that are not certainly others than those that are asked for.
    pub list: List,
    /// One of them.
    pub show: fn(&World, &str) -> Result<Fields>,
    /// Makes some: one, or many as a whole.
    pub create: Option<Create>,
    /// Changes one.
    pub update: Option<Update>,
    /// Takes one away.
    pub delete: Option<fn(&mut Draft, &str) -> Result<()>>,
    /// The attribute by which one is told from the others, and pages are turned.
    pub key: &'static str,
    /// Fields that answers have even if others are asked for.
    pub always: &'static [&'static str],
    /// What else can be done with one, by its name: a PUT of a bare body.
    pub actions: &'static [(&'static str, Action)],
}

/// Lists objects; that may make a project's default group.
pub type List = fn(&mut Draft, &Filters) -> Result<Vec<Fields>>;

/// Changes an object.
pub type Update = fn(&mut Draft, &str, Attrs) -> Result<Fields>;

/// How objects are made.
#[derive(Clone, Copy, Debug)]
pub enum Create {
    /// One by one.
    Each(fn(&mut Draft, Attrs) -> Result<Fields>),
    /// All at once.
    All(fn(&mut Draft, Vec<Attrs>) -> Result<Vec<Fields>>),
}

/// Something else that is done with an object.
pub type Action = fn(&mut Draft, &str, &Fields) -> Result<Fields>;

/// Every kind.
pub const COLLECTIONS: &[Collection] = &[
    security_group::COLLECTION,
    rule::COLLECTION,
    default_rule::COLLECTION,
    address_group::COLLECTION,
    network::COLLECTION,
    subnet::COLLECTION,
    port::COLLECTION,
    log::COLLECTION,
    statefulness::COLLECTION,
    agent::COLLECTION,
    availability::COLLECTION,
];

/// Kinds that others serve, and that clients ask for all the same: their names in paths, and what many are called.
pub const EMPTY: [(&str, &str); 9] = [
    ("address-scopes", "address_scopes"),
    ("availability-zones", "availability_zones"),
    ("flavors", "flavors"),
    ("floatingips", "floatingips"),
    ("rbac-policies", "rbac_policies"),
    ("routers", "routers"),
    ("service-providers", "service_providers"),
    ("subnetpools", "subnetpools"),
    ("trunks", "trunks"),
];

impl Collection {
    /// The kind of this name in paths.
    pub fn at(path: &str) -> Option<&'static Self> {
        let path = path.replace('_', "-");
        COLLECTIONS.iter().find(|kind| kind.path == path)
    }

    /// Makes one or many.
    ///
    /// # Errors
    ///
    /// One of them cannot be made: none is.
    pub fn create(&self, draft: &mut Draft, attributes: Vec<Attrs>) -> Result<Vec<Fields>> {
        if self.has_quota {
            quota::reserve(draft, self.resource, &attributes)?;
        }
        match self.create {
            Some(Create::Each(make)) => attributes
                .into_iter()
                .map(|attributes| make(draft, attributes))
                .collect(),
            Some(Create::All(make)) => make(draft, attributes),
            None => Err(ApiError::internal()),
        }
    }
}

/// An id in its only form.
fn id(text: &str) -> Option<Uuid> {
    let id: Uuid = text.parse().ok()?;
    (id.to_string() == text).then_some(id)
}

/// What is shown of an object: what is stored, without its number, and its project under both names.
fn shown(object: &impl Serialize) -> Fields {
    let mut fields = fields(object);
    fields.remove("standard_attr_id");
    if let Some(project) = fields.get("project_id").cloned() {
        fields.insert("tenant_id".into(), project);
    }
    fields
}
