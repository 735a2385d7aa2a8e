//! The layout of keys, version 1.
//!
//! Below [`PREFIX`]: what a node reads has a kind of its own, and what only the API reads is beside it. Names
//! that others chose have every byte but letters, digits, `.`, `_` and `-` as `%` and two hexadecimal digits.

use std::fmt;

use uuid::Uuid;

/// Where all keys are; the number is that of the layout.
pub const PREFIX: &str = "/sg/v1/";

/// In the place of a host where a port has none; no host's name comes out so.
const UNBOUND: &str = "@";

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The last commit of the API, which each commit replaces: who writes at once with another is told so.
    Head,
    /// A port, on the host that it is bound to. The node with this name reads it.
    Port {
        /// `binding:host_id`; `None` for a port that is bound nowhere.
        host: Option<String>,
        /// The port.
        id: Uuid,
    },
    /// A security group without its rules.
    SecurityGroup(Uuid),
    /// A rule of a security group.
    Rule {
        /// The group.
        group: Uuid,
        /// The rule.
        id: Uuid,
    },
    /// What a port adds to the members of a security group: a list of addresses and CIDRs. Written with the
    /// port.
    Member {
        /// The group.
        group: Uuid,
        /// The port.
        port: Uuid,
    },
    /// An address group.
    AddressGroup(Uuid),
    /// An object that no node reads.
    Api {
        /// Of which kind.
        kind: Kind,
        /// Its id, or the name of what it is for.
        id: String,
    },
    /// What a node says of itself, for as long as it lives.
    Status(String),
}

/// The kinds of objects that no node reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub enum Kind {
    Network,
    Subnet,
    DefaultRule,
    DefaultStatefulness,
    Quota,
    Log,
}

/// Their places among the keys.
const KINDS: [(Kind, &str); 6] = [
    (Kind::Network, "networks"),
    (Kind::Subnet, "subnets"),
    (Kind::DefaultRule, "default-security-group-rules"),
    (
        Kind::DefaultStatefulness,
        "security-groups-default-statefulness",
    ),
    (Kind::Quota, "quotas"),
    (Kind::Log, "logs"),
];

impl Key {
    /// Where the ports of a host are.
    pub fn ports_of(host: &str) -> String {
        format!("{PREFIX}ports/{}/", Escaped(host))
    }

    /// Where a group is, with its rules: who wants it wants these, and follows one range.
    pub fn group_with_rules(group: Uuid) -> String {
        Self::SecurityGroup(group).to_string()
    }

    /// Where the rules of a group are.
    pub fn rules_of(group: Uuid) -> String {
        format!("{PREFIX}security-groups/{group}/rules/")
    }

    /// Where the members of a group are.
    pub fn members_of(group: Uuid) -> String {
        format!("{PREFIX}members/{group}/")
    }

    /// Where the statuses of all nodes are.
    pub fn statuses() -> String {
        format!("{PREFIX}status/")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        match self {
            Self::Head => f.write_str("head"),
            Self::Port { host, id } => match host {
                Some(host) => write!(f, "ports/{}/{id}", Escaped(host)),
                None => write!(f, "ports/{UNBOUND}/{id}"),
            },
            Self::SecurityGroup(id) => write!(f, "security-groups/{id}"),
            Self::Rule { group, id } => write!(f, "security-groups/{group}/rules/{id}"),
            Self::Member { group, port } => write!(f, "members/{group}/{port}"),
            Self::AddressGroup(id) => write!(f, "address-groups/{id}"),
            Self::Api { kind, id } => {
                let (_, place) = KINDS.iter().find(|(of, _)| of == kind).unwrap_or(&KINDS[0]);
                write!(f, "{place}/{}", Escaped(id))
            }
            Self::Status(host) => write!(f, "status/{}", Escaped(host)),
        }
    }
}

/// The key is none of this layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key of this layout ({PREFIX})")]
pub struct BadKey(pub String);

impl std::str::FromStr for Key {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        let key = text.strip_prefix(PREFIX).and_then(parse);
        // Each key has one form: an id in capitals would be a second place for the same object.
        let key = key.filter(|key| key.to_string() == text);
        key.ok_or_else(|| BadKey(text.into()))
    }
}

fn parse(rest: &str) -> Option<Key> {
    let parts: Vec<&str> = rest.split('/').collect();
    let id = |text: &str| text.parse::<Uuid>().ok();
    Some(match parts[..] {
        ["head"] => Key::Head,
        ["ports", UNBOUND, port] => Key::Port {
            host: None,
            id: id(port)?,
        },
        ["ports", host, port] => Key::Port {
            host: Some(unescape(host)?),
            id: id(port)?,
        },
        ["security-groups", group] => Key::SecurityGroup(id(group)?),
        ["security-groups", group, "rules", rule] => Key::Rule {
            group: id(group)?,
            id: id(rule)?,
        },
        ["members", group, port] => Key::Member {
            group: id(group)?,
            port: id(port)?,
        },
        ["address-groups", group] => Key::AddressGroup(id(group)?),
        ["status", host] => Key::Status(unescape(host)?),
        [place, id] => {
            let (kind, _) = KINDS.iter().find(|(_, of)| *of == place)?;
            Key::Api {
                kind: *kind,
                id: unescape(id)?,
            }
        }
        _ => return None,
    })
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'.' | b'_' | b'-' => write!(f, "{}", char::from(byte))?,
                _ if byte.is_ascii_alphanumeric() => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes)
        .ok()
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    fn every_kind() -> Vec<Key> {
        let mut keys = vec![
            Key::Head,
            Key::Port {
                host: None,
                id: ONE,
            },
            Key::Port {
                host: Some("compute-1.example".into()),
                id: ONE,
            },
            Key::Port {
                host: Some("@/%é".into()),
                id: ONE,
            },
            Key::SecurityGroup(ONE),
            Key::Rule {
                group: ONE,
                id: TWO,
            },
            Key::Member {
                group: ONE,
                port: TWO,
            },
            Key::AddressGroup(ONE),
            Key::Status("compute-1".into()),
        ];
        keys.extend(KINDS.map(|(kind, _)| Key::Api {
            kind,
            id: "demo project".into(),
        }));
        keys
    }

    #[test]
    fn a_key_is_read_as_it_was_written() {
        for key in every_kind() {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn what_is_written_in_another_form_is_no_key() {
        for text in [
            "",
            "/sg/v2/head",
            "/sg/v1/heads",
            "/sg/v1/ports//00000000-0000-0000-0000-000000000001",
            "/sg/v1/ports/a/00000000-0000-0000-0000-00000000000A",
            "/sg/v1/ports/a/00000000000000000000000000000001",
            "/sg/v1/ports/%61/00000000-0000-0000-0000-000000000001",
            "/sg/v1/ports/a%2/00000000-0000-0000-0000-000000000001",
            "/sg/v1/networks/a/b",
        ] {
            assert_eq!(text.parse::<Key>(), Err(BadKey(text.into())));
        }
    }

    #[test]
    fn what_belongs_together_has_one_prefix() {
        let host = || Some("@/%é".to_owned());
        let port = Key::Port {
            host: host(),
            id: ONE,
        };
        assert!(port.to_string().starts_with(&Key::ports_of("@/%é")));
        let rule = Key::Rule {
            group: ONE,
            id: TWO,
        };
        assert!(rule.to_string().starts_with(&Key::rules_of(ONE)));
        for key in [rule, Key::SecurityGroup(ONE)] {
            assert!(key.to_string().starts_with(&Key::group_with_rules(ONE)));
        }
        let member = Key::Member {
            group: ONE,
            port: TWO,
        };
        assert!(member.to_string().starts_with(&Key::members_of(ONE)));
        let status = Key::Status("a".into());
        assert!(status.to_string().starts_with(&Key::statuses()));
    }
}
