//! Pairs of addresses that a port may send from besides.

use std::net::IpAddr;

use serde_json::Value;

use super::{address, mac, subnet};
use crate::error::{ApiError, Result};
use crate::{net, python};

/// How many pairs of addresses a port may have.
const MOST_PAIRS: usize = 10;

/// What is wrong with the pairs of a port.
pub(super) fn pairs(value: &Value) -> Result<Option<String>> {
    let Some(items) = value.as_array() else {
        return Err(ApiError::request("Allowed address pairs must be a list."));
    };
    if items.len() > MOST_PAIRS {
        return Err(ApiError::bad(
            "AllowedAddressPairExhausted",
            format!("The number of allowed address pair exceeds the maximum {MOST_PAIRS}."),
        ));
    }
    let mut seen: Vec<(Option<&Value>, &Value)> = Vec::new();
    for item in items {
        let Some(pair) = item.as_object() else {
            return Ok(Some(format!("'{}' is not a dictionary", python::str(item))));
        };
        let said = pair.get("mac_address");
        if let Some(reason) = said.and_then(mac) {
            return Err(ApiError::request(reason));
        }
        let Some(ip) = pair.get("ip_address") else {
            return Err(ApiError::bad(
                "AllowedAddressPairsMissingIP",
                "AllowedAddressPair must contain ip_address",
            ));
        };
        if seen.contains(&(said, ip)) {
            let mac = python::str(said.unwrap_or(&Value::Null));
            return Err(twice(&mac, &python::str(ip)));
        }
        seen.push((said, ip));
        let known = |name: &&String| !matches!(name.as_str(), "mac_address" | "ip_address");
        let unknown: Vec<&str> = pair.keys().filter(known).map(String::as_str).collect();
        if !unknown.is_empty() {
            return Err(ApiError::request(format!(
                "Unrecognized attribute(s) '{}'",
                unknown.join(", ")
            )));
        }
        if let Some(reason) = pair_address(ip).or_else(|| pair_mac(said)) {
            return Err(ApiError::request(reason));
        }
    }
    Ok(None)
}

/// A pair is there twice.
pub fn twice(mac: &str, ip: &str) -> ApiError {
    ApiError::bad(
        "DuplicateAddressPairInRequest",
        format!("Request contains duplicate address pair: mac_address {mac} ip_address {ip}."),
    )
}

fn pair_address(value: &Value) -> Option<String> {
    let text = value.as_str().unwrap_or_default();
    if text.contains('/') {
        return subnet(value).or_else(|| {
            let network = net::network(text)?;
            let many = match network.addr() {
                IpAddr::V4(_) => net::network("224.0.0.0/4")?,
                IpAddr::V6(_) => net::network("ff00::/8")?,
            };
            // All addresses of IPv4 together are not meant to be many's.
            let is_all = network.addr().is_ipv4() && network.prefix_len() == 0;
            let is_many =
                !is_all && (many.contains(&network.trunc()) || network.trunc().contains(&many));
            is_many.then(|| {
                format!(
                    "Subnet {network} overlaps with multicast range {many}, which is not supported."
                )
            })
        });
    }
    address(value).or_else(|| {
        let is_many = text
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_multicast());
        is_many.then(|| format!("IP {text} is a multicast address, which is not supported."))
    })
}

fn pair_mac(value: Option<&Value>) -> Option<String> {
    let mac = value?.as_str()?;
    net::is_multicast_mac(mac)
        .then(|| format!("MAC address {mac} is a multicast address, which is not supported."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::attributes::{Validate, validate};

    #[test]
    fn all_addresses_may_be_a_pair_and_those_of_many_may_not() {
        let pair = |ip: &str| validate(Validate::Pairs, &json!([{"ip_address": ip}]));
        assert_eq!(pair("0.0.0.0/0"), Ok(None));
        assert!(pair("224.0.0.1").is_err());
        assert!(pair("224.0.0.0/8").is_err());
    }
}
