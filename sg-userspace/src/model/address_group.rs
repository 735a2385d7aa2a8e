//! Address groups (`neutron.extensions.address_group`).

use ipnet::IpNet;
use serde_json::Value;

use super::address;
use super::api;
use super::fault::{Effect, Fault, Object, Problem};
use super::fields::Fields;
use super::id::AddressGroupId;

/// A named set of CIDRs of either family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressGroup {
    /// `id`.
    pub id: AddressGroupId,
    /// `name`.
    pub name: String,
    /// `addresses`.
    pub addresses: Vec<IpNet>,
}

/// Reads one address group. What is wrong with its addresses is added to `faults`.
pub(super) fn parse(
    fields: Fields<'_>,
    object: &Object,
    faults: &mut Vec<Fault>,
) -> Result<AddressGroup, Problem> {
    let id = super::parse_id(fields, "id")?;
    // A field that is no address group's might say what is not to be in it.
    let known = api::ADDRESS_GROUP.check(fields);
    let values = known.and_then(|()| fields.list("addresses"));
    let values = values.unwrap_or_else(|problem| {
        faults.push(problem.of(object, Effect::AddressesLeftOut));
        &[]
    });
    let mut addresses = Vec::with_capacity(values.len());
    for value in values {
        match cidr(value) {
            Ok(net) => addresses.push(net),
            Err(problem) => faults.push(problem.of(object, Effect::AddressLeftOut)),
        }
    }
    Ok(AddressGroup {
        id,
        name: object.name.clone(),
        addresses,
    })
}

fn cidr(value: &Value) -> Result<IpNet, Problem> {
    let text = value.as_str().ok_or_else(|| {
        Problem::new(
            "addresses",
            value,
            "is not a string",
            "write a CIDR, e.g. \"10.0.0.0/24\"",
        )
    })?;
    address::cidr("addresses", text)
}
