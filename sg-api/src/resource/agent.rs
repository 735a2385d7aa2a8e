//! The nodes of the fleet, shown as agents: there for as long as they live.

use std::hash::Hasher;

use serde_json::{Value, json};
use siphasher::sip128::{Hasher128, SipHasher13};
use uuid::Uuid;

use super::{Collection, Create};
use crate::attributes::{Attrs, tables};
use crate::error::{ApiError, Missing, Result, not_found};
use crate::objects::Fields;
use crate::query::Filters;
use crate::world::{Draft, World};

/// What can be done with them.
pub const COLLECTION: Collection = Collection {
    path: "agents",
    resource: "agent",
    plural: "agents",
    attributes: tables::AGENTS,
    is_core: false,
    is_tagged: false,
    has_bulk: false,
    has_quota: false,
    list,
    show,
    create: Some(Create::Each(create)),
    update: None,
    delete: None,
    key: "id",
    always: &[],
    actions: &[],
};

/// The id of a node: always the same for a name.
fn id_of(host: &str) -> Uuid {
    let mut hasher = SipHasher13::new();
    hasher.write(host.as_bytes());
    let hash = hasher.finish128().as_u128();
    uuid::Builder::from_custom_bytes(hash.to_be_bytes()).into_uuid()
}

fn view(host: &str, status: &Value) -> Fields {
    // As Neutron has times of agents.
    let time = status["time"].as_str().unwrap_or_default();
    let time: String = time.replace('T', " ").chars().take(19).collect();
    let agent = json!({
        "id": id_of(host).to_string(),
        "agent_type": "Security group filter",
        "binary": "sgd",
        "topic": "N/A",
        "host": host,
        "admin_state_up": true,
        "created_at": time,
        "started_at": time,
        "heartbeat_timestamp": time,
        "alive": true,
        "configurations": {
            "version": status["version"],
            "revision": status["revision"],
            "ports": status["ports"],
            "faults": status["faults"],
        },
        "description": null,
        "availability_zone": null,
        "resources_synced": null,
    });
    match agent {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

fn list(draft: &mut Draft, _: &Filters) -> Result<Vec<Fields>> {
    let nodes = draft.world.nodes.iter();
    Ok(nodes.map(|(host, status)| view(host, status)).collect())
}

fn show(world: &World, text: &str) -> Result<Fields> {
    let mut nodes = world.nodes.iter();
    let node = nodes.find(|(host, _)| id_of(host).to_string() == text);
    let (host, status) = node.ok_or_else(|| not_found(Missing::Agent, text))?;
    Ok(view(host, status))
}

/// They come by themselves.
fn create(_: &mut Draft, _: Attrs) -> Result<Fields> {
    Err(ApiError::bad_resource(
        "agents",
        "Agent creation using API is not supported.",
    ))
}
