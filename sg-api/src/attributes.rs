//! Neutron's attribute maps: what a request may say of an object, and what becomes of it.

mod convert;
mod engine;
pub mod protocols;
pub mod tables;
mod validate;

pub use convert::{Convert, convert};
pub use engine::{Attrs, Bodies, Verb, bodies, single};
pub use validate::{Validate, subnet, twice, validate, whole_list};

/// One attribute of a kind of objects.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Whether an object can be made with it.
    pub post: bool,
    /// Whether it can be changed.
    pub put: bool,
    /// What it is if nothing is said.
    pub default: Default,
    /// What is made of a value before it is looked at.
    pub convert: Convert,
    /// What a value has to be.
    pub validate: Validate,
    /// Whether an answer has it.
    pub visible: bool,
    /// Whether lists can be asked for by it.
    pub filter: bool,
    /// Whether they can be sorted by it.
    pub sort: bool,
}

/// What an attribute is if nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// It has to be said.
    Required,
    /// It stays unsaid.
    Unsaid,
    /// `null`.
    Null,
    /// This truth.
    Bool(bool),
    /// This text.
    Text(&'static str),
    /// `[]`.
    List,
}

/// An attribute that is shown, and nothing else.
pub const fn attribute(name: &'static str) -> Attribute {
    Attribute {
        name,
        post: false,
        put: false,
        default: Default::Required,
        convert: Convert::Nothing,
        validate: Validate::Anything,
        visible: true,
        filter: false,
        sort: false,
    }
}

impl Attribute {
    /// An object can be made with it.
    pub const fn post(mut self) -> Self {
        self.post = true;
        self
    }

    /// It can be changed.
    pub const fn put(mut self) -> Self {
        self.put = true;
        self
    }

    /// It need not be said.
    pub const fn default(mut self, default: Default) -> Self {
        self.default = default;
        self
    }

    /// This is made of it.
    pub const fn convert(mut self, convert: Convert) -> Self {
        self.convert = convert;
        self
    }

    /// It has to be this.
    pub const fn validate(mut self, validate: Validate) -> Self {
        self.validate = validate;
        self
    }

    /// No answer has it.
    pub const fn hidden(mut self) -> Self {
        self.visible = false;
        self
    }

    /// Lists can be asked for by it.
    pub const fn filter(mut self) -> Self {
        self.filter = true;
        self
    }

    /// Lists can be sorted by it.
    pub const fn sort(mut self) -> Self {
        self.sort = true;
        self
    }

    /// Lists can be asked for by it and sorted by it.
    pub const fn key(mut self) -> Self {
        self.filter = true;
        self.sort = true;
        self
    }
}
