//! What is wrong with one object of the inventory, and what was done about it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing wrong with one object. The rest of the inventory is applied without it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// The object at fault.
    pub object: Object,
    /// The field at fault, by its name in the API.
    pub field: String,
    /// The field's value as JSON, shortened; empty when the field is absent.
    pub value: String,
    /// What is wrong with it.
    pub problem: String,
    /// What to do about it.
    pub advice: String,
    /// What was left out.
    pub effect: Effect,
    /// Where it is in the store that is followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl Fault {
    /// The same, of what is at this key of a store.
    pub(crate) fn at(self, key: Option<String>) -> Self {
        Self { key, ..self }
    }

    /// Whether anything was left out; a fault that left nothing out is a warning.
    pub fn is_warning(&self) -> bool {
        self.effect == Effect::Kept
    }
}

/// The object a fault is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Object {
    /// What kind of object it is.
    pub kind: Kind,
    /// Its `id` as written, or its place in the document (`ports[2]`) when it has none.
    pub id: String,
    /// Its `name`, or for a rule that of its group; may be empty.
    pub name: String,
}

/// The kinds of objects in an inventory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are Neutron's")]
pub enum Kind {
    Inventory,
    Port,
    SecurityGroup,
    SecurityGroupRule,
    AddressGroup,
    Members,
}

/// What was left out because of a fault: always less access, never more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The port's interface is attached and passes nothing.
    PortClosed,
    /// One allowed address pair.
    PairLeftOut,
    /// All allowed address pairs of the port.
    PairsLeftOut,
    /// One entry of the port's `security_groups`.
    ReferenceLeftOut,
    /// The rule.
    RuleLeftOut,
    /// The security group; what names it is at fault too.
    GroupLeftOut,
    /// All rules of the security group; it keeps its members.
    RulesLeftOut,
    /// One address of the address group.
    AddressLeftOut,
    /// All addresses of the address group.
    AddressesLeftOut,
    /// The address group; what names it is at fault too.
    AddressGroupLeftOut,
    /// One entry of the trunk's `sub_ports`; frames in its VLAN are dropped.
    SubportLeftOut,
    /// All of the trunk's `sub_ports`; frames in any VLAN are dropped.
    SubportsLeftOut,
    /// The field alone: no field of such an object narrows what it permits.
    FieldLeftOut,
    /// Nothing: a warning.
    Kept,
}

/// A fault before it is known which object it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub field: String,
    pub value: String,
    pub problem: String,
    pub advice: String,
}

impl Problem {
    pub fn new(
        field: &str,
        value: impl fmt::Display,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            field: field.to_owned(),
            value: shorten(value.to_string()),
            problem: problem.into(),
            advice: advice.into(),
        }
    }

    /// The same, of a field inside another one.
    pub fn within(mut self, outer: &str) -> Self {
        self.field = format!("{outer}.{}", self.field);
        self
    }

    pub fn of(self, object: &Object, effect: Effect) -> Fault {
        let Self {
            field,
            value,
            problem,
            advice,
        } = self;
        Fault {
            object: object.clone(),
            field,
            value,
            problem,
            advice,
            effect,
            key: None,
        }
    }
}

/// Long enough to recognise a value by, short enough for one line.
const SHOWN_VALUE: usize = 80;

fn shorten(mut text: String) -> String {
    if let Some((cut, _)) = text.char_indices().nth(SHOWN_VALUE) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if let Some(key) = &self.key {
            write!(f, ", {key}")?;
        }
        write!(f, ": {}", self.field)?;
        if !self.value.is_empty() {
            write!(f, " {}", self.value)?;
        }
        write!(f, " {}; {}; {}", self.problem, self.effect, self.advice)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.name.as_str()) {
            (Kind::Inventory, _) => write!(f, "{}", self.kind),
            (kind, "") => write!(f, "{kind} {}", self.id),
            (Kind::SecurityGroupRule, group) => write!(f, "{} {} of {group}", self.kind, self.id),
            (kind, name) => write!(f, "{kind} {name} ({})", self.id),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inventory => "inventory",
            Self::Port => "port",
            Self::SecurityGroup => "security group",
            Self::SecurityGroupRule => "security group rule",
            Self::AddressGroup => "address group",
            Self::Members => "members of",
        })
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PortClosed => "the port is closed",
            Self::PairLeftOut => "the address pair is left out",
            Self::PairsLeftOut => "the port's address pairs are left out",
            Self::ReferenceLeftOut => "the reference is left out",
            Self::RuleLeftOut => "the rule is left out",
            Self::GroupLeftOut => "the security group is left out",
            Self::RulesLeftOut => "the security group is left without rules",
            Self::AddressLeftOut => "the address is left out",
            Self::AddressesLeftOut => "the address group is left empty",
            Self::AddressGroupLeftOut => "the address group is left out",
            Self::SubportLeftOut => "the subport is left out",
            Self::SubportsLeftOut => "the trunk's subports are left out",
            Self::FieldLeftOut => "the field is left out",
            Self::Kept => "it is kept",
        })
    }
}
