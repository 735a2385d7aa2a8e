//! What a value has to be; what it is not is said in Neutron's words.

mod options;
mod pairs;

use std::collections::HashSet;
use std::net::IpAddr;

use serde_json::Value;

use options::options;
use pairs::pairs;
pub use pairs::twice;

use crate::error::{ApiError, Result};
use crate::{net, python};

/// What a value has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validate {
    /// Nothing special.
    Anything,
    /// A UUID.
    Uuid,
    /// A UUID or `null`.
    UuidOrNull,
    /// UUIDs, each once.
    Uuids,
    /// A text of at most so many characters.
    Text(usize),
    /// The same, or `null`.
    TextOrNull(usize),
    /// A text without what cannot be printed, and without blanks around it.
    Name(usize),
    /// A text other than `default`.
    NotDefault(usize),
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these texts, or `null`.
    OneOfOrNull(&'static [&'static str]),
    /// 4 or 6.
    IpVersion,
    /// A hardware address.
    Mac,
    /// Addresses of a port.
    FixedIps,
    /// Pairs of addresses of a port.
    Pairs,
    /// Options for what asks for an address.
    Options,
    /// Who may have addresses of a subnet.
    ServiceTypes,
    /// Ranges of addresses.
    Pools,
    /// Addresses, each once.
    Nameservers,
    /// Routes, each once.
    Routes,
    /// A CIDR, or `null`.
    CidrOrNull,
    /// An address, or `null`.
    AddressOrNull,
    /// CIDRs, each once.
    Cidrs,
    /// A number that is not negative.
    NotNegative,
    /// A number in a range.
    Between(i64, i64),
    /// An object, or `null`.
    ObjectOrNull,
    /// Texts of at most so many characters, each once.
    Texts(usize),
}

/// What is wrong with a value, if anything is.
///
/// # Errors
///
/// What Neutron says in a refusal of its own type.
pub fn validate(validate: Validate, value: &Value) -> Result<Option<String>> {
    let told = python::str(value);
    let either = |is_right: bool, reason: String| (!is_right).then_some(reason);
    Ok(match validate {
        Validate::Anything => None,
        Validate::Uuid => uuid(value),
        Validate::UuidOrNull if value.is_null() => None,
        Validate::UuidOrNull => uuid(value),
        Validate::Uuids => whole_list(value, uuid),
        Validate::Text(most) => text(value, most),
        Validate::TextOrNull(_) if value.is_null() => None,
        Validate::TextOrNull(most) => text(value, most),
        Validate::Name(most) => name(value, most),
        Validate::NotDefault(most) => not_default(value, most)?,
        Validate::OneOf(words) => {
            let is_one = value.as_str().is_some_and(|text| words.contains(&text));
            either(is_one, format!("{told} is not in valid_values"))
        }
        Validate::OneOfOrNull(_) if value.is_null() => None,
        Validate::OneOfOrNull(words) => {
            let is_one = value.as_str().is_some_and(|text| words.contains(&text));
            either(is_one, format!("{told} is not in valid_values"))
        }
        Validate::IpVersion => {
            let is_one = matches!(value.as_i64(), Some(4 | 6));
            either(is_one, format!("{told} is not in valid_values"))
        }
        // Neutron takes nothing for nothing said.
        Validate::Mac if value.is_null() => None,
        Validate::Mac => mac(value),
        Validate::FixedIps => fixed_ips(value),
        Validate::Pairs => pairs(value)?,
        Validate::Options => options(value)?,
        Validate::ServiceTypes => service_types(value)?,
        Validate::Pools => pools(value),
        Validate::Nameservers => nameservers(value),
        Validate::Routes => routes(value),
        Validate::CidrOrNull if value.is_null() => None,
        Validate::CidrOrNull => subnet(value),
        Validate::AddressOrNull if value.is_null() => None,
        Validate::AddressOrNull => address(value),
        Validate::Cidrs => whole_list(value, subnet),
        Validate::NotNegative => match python::int(value) {
            None => Some(format!("'{told}' is not an integer")),
            Some(number) => either(number >= 0, format!("'{told}' should be non-negative")),
        },
        Validate::Between(least, most) => between(value, least, most),
        Validate::ObjectOrNull => either(
            value.is_null() || value.is_object(),
            format!("'{told}' is not a dictionary"),
        ),
        Validate::Texts(most) => whole_list(value, |item| text(item, most)),
    })
}

/// What is wrong with a list, or with one of what is in it.
pub fn whole_list(value: &Value, of: impl Fn(&Value) -> Option<String>) -> Option<String> {
    let Some(items) = value.as_array() else {
        return Some(format!("'{}' is not a list", python::str(value)));
    };
    let (mut once, mut again) = (HashSet::new(), HashSet::new());
    let all = items.iter();
    let twice = all.filter(|&item| !once.insert(item) && again.insert(item));
    let twice: Vec<&Value> = twice.collect();
    if !twice.is_empty() {
        let twice: Vec<String> = twice.into_iter().map(python::str).collect();
        return Some(format!(
            "Duplicate items in the list: '{}'",
            twice.join(", ")
        ));
    }
    items.iter().find_map(of)
}

fn uuid(value: &Value) -> Option<String> {
    // Neutron takes braces and a missing hyphen, too.
    let is_one = value.as_str().is_some_and(|text| {
        let text = text.trim_start_matches("urn:").trim_start_matches("uuid:");
        let digits = text.trim_matches(['{', '}']).replace('-', "");
        digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    (!is_one).then(|| format!("'{}' is not a valid UUID", python::str(value)))
}

fn text(value: &Value, most: usize) -> Option<String> {
    let Some(text) = value.as_str() else {
        return Some(format!("'{}' is not a valid string", python::str(value)));
    };
    let is_long = text.chars().count() > most;
    is_long.then(|| format!("'{text}' exceeds maximum length of {most}"))
}

fn name(value: &Value, most: usize) -> Option<String> {
    let wrong = text(value, most);
    if wrong.is_some() {
        return wrong;
    }
    let name = value.as_str().unwrap_or_default();
    let is_printable = !name.chars().any(char::is_control);
    let is_bare = !name.starts_with(char::is_whitespace) && !name.ends_with(char::is_whitespace);
    (!(is_printable && is_bare)).then(|| format!("'{name}' is not a valid string"))
}

fn not_default(value: &Value, most: usize) -> Result<Option<String>> {
    let wrong = text(value, most);
    let is_default = value
        .as_str()
        .is_some_and(|name| name.to_lowercase() == "default");
    match wrong.is_none() && is_default {
        true => Err(ApiError::conflict(
            "SecurityGroupDefaultAlreadyExists",
            "Default security group already exists.",
        )),
        false => Ok(wrong),
    }
}

fn mac(value: &Value) -> Option<String> {
    let mac = value.as_str().and_then(net::mac);
    let is_usable = mac.is_some_and(|mac| mac != "00:00:00:00:00:00" && mac != "ff:ff:ff:ff:ff:ff");
    (!is_usable).then(|| format!("'{}' is not a valid MAC address", python::str(value)))
}

fn address(value: &Value) -> Option<String> {
    let wrong = || format!("'{}' is not a valid IP address", python::str(value));
    let Some(text) = value.as_str() else {
        return Some(wrong());
    };
    if text.parse::<IpAddr>().is_ok() {
        return None;
    }
    // Zeros at the front of a part might make it octal.
    let parts: Option<Vec<u8>> = text.split('.').map(|part| part.parse().ok()).collect();
    let bare = parts.filter(|parts| parts.len() == 4 && !text.contains('+'));
    Some(match bare {
        Some(parts) => format!(
            "'{text}' is not an accepted IP address, '{}.{}.{}.{}' is recommended",
            parts[0], parts[1], parts[2], parts[3]
        ),
        None => wrong(),
    })
}

/// What is wrong with a CIDR.
pub fn subnet(value: &Value) -> Option<String> {
    let is_one = value.as_str().is_some_and(|text| {
        let network = net::network(text).filter(|_| !text.contains(char::is_whitespace));
        network.is_some_and(|network| {
            // Neutron keeps how a length of IPv6 is spelled (/064, /+64); nobody reads it so.
            let length = network.prefix_len().to_string();
            let said = text.split_once('/').map(|(_, length)| length);
            let is_plain = network.addr().is_ipv6() || network.to_string() == text;
            said == Some(length.as_str()) && is_plain
        })
    });
    (!is_one).then(|| format!("'{}' is not a valid IP subnet", python::str(value)))
}

fn fixed_ips(value: &Value) -> Option<String> {
    let wrong =
        |value: &Value| format!("Invalid data format for fixed IP: '{}'", python::str(value));
    let Some(items) = value.as_array() else {
        return Some(wrong(value));
    };
    let mut seen = HashSet::new();
    for item in items {
        let Some(item) = item.as_object() else {
            return Some(wrong(item));
        };
        if let Some(ip) = item.get("ip_address") {
            if !seen.insert(ip) {
                return Some(format!("Duplicate IP address '{}'", python::str(ip)));
            }
            if let Some(reason) = address(ip) {
                return Some(reason);
            }
        }
        if let Some(reason) = item.get("subnet_id").and_then(uuid) {
            return Some(reason);
        }
    }
    None
}

/// What owners of ports begin with.
const OWNERS: [&str; 4] = ["compute:", "network:", "neutron:", "baremetal:"];

fn service_types(value: &Value) -> Result<Option<String>> {
    if !python::is_true(value) {
        return Ok(None);
    }
    let Some(types) = value.as_array() else {
        return Err(ApiError::request("Subnet service types must be a list."));
    };
    for one in types {
        let Some(text) = one.as_str() else {
            let told = python::str(one);
            return Err(ApiError::bad(
                "InvalidInputSubnetServiceType",
                format!("Subnet service type {told} is not a string."),
            ));
        };
        if !OWNERS.iter().any(|owner| text.starts_with(owner)) {
            return Err(ApiError::bad(
                "InvalidSubnetServiceType",
                format!("Subnet service type {text} does not correspond to a valid device owner."),
            ));
        }
    }
    Ok(None)
}

/// What is wrong with the names in an object, if they are to be these.
fn names(value: &Value, expected: [&str; 2]) -> Option<String> {
    let Some(fields) = value.as_object() else {
        return Some(format!(
            "Invalid input. '{}' must be a dictionary with keys: {}",
            python::str(value),
            python::list(expected)
        ));
    };
    let is_right =
        fields.len() == expected.len() && expected.iter().all(|name| fields.contains_key(*name));
    let set = |mut names: Vec<&str>| {
        names.sort_unstable();
        let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        match names.is_empty() {
            true => "set()".to_owned(),
            false => format!("{{{}}}", names.join(", ")),
        }
    };
    (!is_right).then(|| {
        format!(
            "Validation of dictionary's keys failed. Expected keys: {} Provided keys: {}",
            set(expected.to_vec()),
            set(fields.keys().map(String::as_str).collect())
        )
    })
}

fn pools(value: &Value) -> Option<String> {
    let Some(items) = value.as_array() else {
        return Some(format!(
            "Invalid data format for IP pool: '{}'",
            python::str(value)
        ));
    };
    let ends = ["start", "end"];
    items.iter().find_map(|pool| {
        names(pool, ends).or_else(|| ends.iter().find_map(|end| address(&pool[*end])))
    })
}

fn nameservers(value: &Value) -> Option<String> {
    let hosts: Vec<Value> = match value {
        Value::Array(items) => items.clone(),
        // A text is a row of characters, an object one of names.
        Value::String(text) => text.chars().map(|one| one.to_string().into()).collect(),
        Value::Object(fields) => fields.keys().map(|name| name.as_str().into()).collect(),
        _ => {
            return Some(format!(
                "Invalid data format for nameserver: '{}'",
                python::str(value)
            ));
        }
    };
    let mut seen = HashSet::new();
    hosts.iter().find_map(|host| {
        let told = python::str(host);
        if let Some(reason) = address(host) {
            return Some(format!("'{told}' is not a valid nameserver. {reason}"));
        }
        let is_twice = !seen.insert(host);
        is_twice.then(|| format!("Duplicate nameserver '{told}'"))
    })
}

fn routes(value: &Value) -> Option<String> {
    let Some(items) = value.as_array() else {
        return Some(format!(
            "Invalid data format for hostroute: '{}'",
            python::str(value)
        ));
    };
    let mut seen = HashSet::new();
    items.iter().find_map(|route| {
        names(route, ["destination", "nexthop"])
            .or_else(|| destination(&route["destination"]))
            .or_else(|| address(&route["nexthop"]))
            .or_else(|| {
                let is_twice = !seen.insert(route);
                is_twice.then(|| format!("Duplicate hostroute '{}'", python::str(route)))
            })
    })
}

fn destination(value: &Value) -> Option<String> {
    let told = python::str(value);
    let is_whole = |text: &&str| text.contains('/') && !text.contains(char::is_whitespace);
    let network = value.as_str().filter(is_whole);
    let network = network.and_then(net::network);
    match network.filter(|network| network.addr() == network.network()) {
        None => Some(format!("'{told}' is not a valid CIDR")),
        Some(network) if network.addr().is_loopback() => {
            Some(format!("'{told}' is not a routable CIDR"))
        }
        Some(_) => None,
    }
}

fn between(value: &Value, least: i64, most: i64) -> Option<String> {
    let told = python::str(value);
    match python::int(value) {
        None => Some(format!("'{told}' is not an integer")),
        Some(number) if number < least => Some(format!(
            "'{number}' is too small - must be at least '{least}'"
        )),
        Some(number) if number > most => Some(format!(
            "'{number}' is too large - must be no larger than '{most}'"
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(of: Validate, value: Value) -> String {
        validate(of, &value).unwrap().expect("it is wrong")
    }

    #[test]
    fn a_list_is_told_what_is_twice_in_it_before_what_is_wrong_in_it() {
        assert_eq!(
            wrong(Validate::Uuids, json!(["a", "a"])),
            "Duplicate items in the list: 'a'"
        );
        assert_eq!(
            wrong(Validate::Uuids, json!(["a"])),
            "'a' is not a valid UUID"
        );
        assert_eq!(wrong(Validate::Uuids, json!("a")), "'a' is not a list");
    }

    #[test]
    fn an_address_with_zeros_at_the_front_is_recommended_without() {
        assert_eq!(
            wrong(Validate::AddressOrNull, json!("10.0.0.05")),
            "'10.0.0.05' is not an accepted IP address, '10.0.0.5' is recommended"
        );
        assert_eq!(
            wrong(Validate::AddressOrNull, json!("1.2.3.999")),
            "'1.2.3.999' is not a valid IP address"
        );
    }

    #[test]
    fn no_group_but_one_is_called_default() {
        let error = validate(Validate::NotDefault(255), &json!("Default")).unwrap_err();
        assert_eq!(error.kind, "SecurityGroupDefaultAlreadyExists");
        assert_eq!(validate(Validate::NotDefault(255), &json!("web")), Ok(None));
    }
}
