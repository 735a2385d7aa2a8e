//! What is made of a value before it is looked at.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::protocols::PROTOCOLS;
use crate::error::{ApiError, Result};
use crate::{net, python};

/// A conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convert {
    /// None.
    Nothing,
    /// To a truth.
    Boolean,
    /// To a number.
    Integer,
    /// `null` to an empty list.
    List,
    /// To the name or the number, as a text, of an IP protocol; `any` to `null`.
    Protocol,
    /// To `IPv4` or `IPv6`.
    Ethertype,
    /// To the number of a port.
    Port,
    /// To an address with a length; an empty text to `null`.
    Prefix,
    /// To the usual form of a hardware address, if it is one.
    Mac,
    /// To the usual form of an address of IPv6, if it is one.
    Address,
    /// To the usual form of a CIDR.
    Cidr,
    /// Addresses of pools to their usual forms.
    Pools,
}

/// Converts a value.
///
/// # Errors
///
/// It cannot be converted, in Neutron's words.
pub fn convert(convert: Convert, value: &Value) -> Result<Value> {
    Ok(match convert {
        Convert::Nothing => value.clone(),
        Convert::Boolean => python::bool(value).map(Value::from).ok_or_else(|| {
            ApiError::input(format!(
                "'{}' cannot be converted to boolean",
                python::str(value)
            ))
        })?,
        Convert::Integer => python::int(value).map(Value::from).ok_or_else(|| {
            ApiError::input(format!("'{}' is not an integer", python::str(value)))
        })?,
        Convert::List if value.is_null() => Value::Array(Vec::new()),
        Convert::List => value.clone(),
        Convert::Protocol => protocol(value)?,
        Convert::Ethertype => ethertype(value)?,
        Convert::Port => port(value)?,
        Convert::Prefix => prefix(value)?,
        Convert::Mac => {
            // A number is one, too.
            let number = value.as_u64().map(|number| format!("{number:012x}"));
            let text = value.as_str().map(str::to_owned).or(number);
            let mac = text.as_deref().and_then(net::mac);
            mac.map_or_else(|| value.clone(), Value::from)
        }
        Convert::Address => canonical(value),
        Convert::Cidr => cidr(value)?,
        Convert::Pools => pools(value)?,
    })
}

fn protocol(value: &Value) -> Result<Value> {
    if value.is_null() || value == "any" {
        return Ok(Value::Null);
    }
    let told = python::str(value);
    if let Ok(number) = told.parse::<u8>() {
        // Zeros in front, and fractions, are too much for Neutron itself.
        return match number.to_string() == told {
            true => Ok(told.into()),
            false => Err(no_protocol(value)),
        };
    }
    let name = value.as_str().map(str::to_lowercase);
    let is_known = |name: &str| PROTOCOLS.iter().any(|(known, _)| *known == name);
    match name.filter(|name| is_known(name)) {
        Some(name) => Ok(name.into()),
        None => Err(no_protocol(value)),
    }
}

fn no_protocol(value: &Value) -> ApiError {
    let names = PROTOCOLS.iter();
    let names: Vec<String> = names.map(|(name, _)| format!("'{name}'")).collect();
    ApiError::bad(
        "SecurityGroupRuleInvalidProtocol",
        format!(
            "Security group rule protocol {} not supported. Only protocol values (None, 'any', {}) and \
             integer representations [0 to 255] are supported.",
            python::str(value),
            names.join(", ")
        ),
    )
}

fn ethertype(value: &Value) -> Result<Value> {
    let text = value.as_str().unwrap_or_default().to_lowercase();
    match text.as_str() {
        "ipv4" => Ok("IPv4".into()),
        "ipv6" => Ok("IPv6".into()),
        _ => Err(ApiError::bad(
            "SecurityGroupRuleInvalidEtherType",
            format!(
                "Security group rule for ethertype '{}' not supported. Allowed values are ['IPv4', 'IPv6'].",
                python::str(value)
            ),
        )),
    }
}

fn port(value: &Value) -> Result<Value> {
    if value.is_null() {
        return Ok(Value::Null);
    }
    match python::int(value).filter(|port| (0..=65535).contains(port)) {
        Some(port) => Ok(port.into()),
        None => Err(ApiError::bad(
            "SecurityGroupInvalidPortValue",
            format!("Invalid value for port {}", python::str(value)),
        )),
    }
}

fn prefix(value: &Value) -> Result<Value> {
    if !python::is_true(value) {
        return Ok(Value::Null);
    }
    match value.as_str().and_then(net::network) {
        Some(network) => Ok(network.to_string().into()),
        None => Err(ApiError::bad(
            "InvalidCIDR",
            format!("Invalid CIDR {} given as IP prefix.", python::str(value)),
        )),
    }
}

fn canonical(value: &Value) -> Value {
    let address = value.as_str().map(str::parse);
    match address {
        Some(Ok(IpAddr::V6(address))) => address.to_string().into(),
        _ => value.clone(),
    }
}

fn cidr(value: &Value) -> Result<Value> {
    match value.as_str().and_then(net::network) {
        Some(network) => Ok(network.to_string().into()),
        None => Err(ApiError::input(format!(
            "{} is not in a CIDR format",
            python::str(value)
        ))),
    }
}

fn pools(value: &Value) -> Result<Value> {
    // What else has nothing in it is taken for an empty list, too.
    if matches!(value, Value::Null | Value::String(_) | Value::Object(_)) && !python::is_true(value)
    {
        return Ok(Value::Array(Vec::new()));
    }
    let invalid = || ApiError::input("Invalid data format for allocation pools");
    let pools = value.as_array().ok_or_else(invalid)?.iter();
    let pools = pools.map(|pool| {
        let pool = pool.as_object().ok_or_else(invalid)?.iter();
        let pool = pool.map(|(name, address)| (name.clone(), canonical(address)));
        Ok(Value::Object(pool.collect::<Map<_, _>>()))
    });
    Ok(Value::Array(pools.collect::<Result<_>>()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_protocol_is_a_name_in_small_letters_or_a_number_as_a_text() {
        let of = |value| convert(Convert::Protocol, &value);
        assert_eq!(of(json!("TCP")), Ok(json!("tcp")));
        assert_eq!(of(json!(6)), Ok(json!("6")));
        assert_eq!(of(json!("58")), Ok(json!("58")));
        assert_eq!(of(json!("any")), Ok(Value::Null));
        for wrong in [
            json!(""),
            json!("foo"),
            json!("ANY"),
            json!("06"),
            json!(6.0),
            json!(true),
            json!(256),
            json!("-1"),
            json!("ipv6-hopopt"),
        ] {
            assert_eq!(
                of(wrong).unwrap_err().kind,
                "SecurityGroupRuleInvalidProtocol"
            );
        }
    }

    #[test]
    fn a_prefix_is_kept_with_its_host_bits() {
        let of = |value| convert(Convert::Prefix, &value);
        assert_eq!(of(json!("10.0.0.5")), Ok(json!("10.0.0.5/32")));
        assert_eq!(of(json!("10.0.0.5/24")), Ok(json!("10.0.0.5/24")));
        assert_eq!(of(json!("")), Ok(Value::Null));
        let error = of(json!("10.5")).unwrap_err();
        assert_eq!(error.message, "Invalid CIDR 10.5 given as IP prefix.");
    }

    #[test]
    fn a_port_is_a_number_up_to_65535() {
        let of = |value| convert(Convert::Port, &value);
        assert_eq!(of(json!("80")), Ok(json!(80)));
        assert_eq!(of(json!(80.5)), Ok(json!(80)));
        assert_eq!(
            of(json!(70000)).unwrap_err().message,
            "Invalid value for port 70000"
        );
    }
}
