//! What Neutron refuses, in its own types and words: clients map the types to exceptions and print the words.

use serde_json::Value;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {kind}: {message}")]
pub struct ApiError {
    /// The status of the answer.
    pub status: u16,
    /// The name of Neutron's exception.
    pub kind: &'static str,
    /// What it says.
    pub message: String,
}

/// The result of a request.
pub type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    /// A refusal of this status, type and text.
    pub fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }

    /// The request is not understood.
    pub fn bad(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, kind, message)
    }

    /// There is no such thing.
    pub fn missing(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(404, kind, message)
    }

    /// It does not fit what there is.
    pub fn conflict(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(409, kind, message)
    }

    /// The request is wrong before anything is looked at.
    pub fn request(message: impl Into<String>) -> Self {
        Self::bad("HTTPBadRequest", message)
    }

    /// `neutron_lib.exceptions.InvalidInput`.
    pub fn input(message: impl std::fmt::Display) -> Self {
        Self::bad(
            "InvalidInput",
            format!("Invalid input for operation: {message}."),
        )
    }

    /// `neutron_lib.exceptions.BadRequest`.
    pub fn bad_resource(resource: &str, message: impl std::fmt::Display) -> Self {
        Self::bad("BadRequest", format!("Bad {resource} request: {message}."))
    }

    /// What Neutron answers where it fails itself.
    pub fn internal() -> Self {
        Self::new(
            500,
            "HTTPInternalServerError",
            "Request Failed: internal server error while processing your request.",
        )
    }

    /// Whether it is refused for itself, in whatever world.
    pub fn is_of_the_request(&self) -> bool {
        matches!(self.status, 405 | 413 | 415) || self.kind == "MalformedRequestBody"
    }

    /// The body of the answer, letter by letter as Neutron has it: there are clients that show it.
    pub fn body(&self) -> String {
        let (kind, message) = (Value::from(self.kind), Value::from(self.message.as_str()));
        format!(r#"{{"NeutronError": {{"type": {kind}, "message": {message}, "detail": ""}}}}"#)
    }
}

/// Nothing of this id.
pub fn not_found(kind: Missing, id: &str) -> ApiError {
    match kind {
        Missing::Network => ApiError::missing(
            "NetworkNotFound",
            format!("Network {id} could not be found."),
        ),
        Missing::Subnet => {
            ApiError::missing("SubnetNotFound", format!("Subnet {id} could not be found."))
        }
        Missing::Port => {
            ApiError::missing("PortNotFound", format!("Port {id} could not be found."))
        }
        Missing::SecurityGroup => ApiError::missing(
            "SecurityGroupNotFound",
            format!("Security group {id} does not exist"),
        ),
        Missing::Rule => ApiError::missing(
            "SecurityGroupRuleNotFound",
            format!("Security group rule {id} does not exist"),
        ),
        Missing::AddressGroup => ApiError::missing(
            "AddressGroupNotFound",
            format!("Address group {id} could not be found."),
        ),
        Missing::DefaultRule => ApiError::missing(
            "DefaultSecurityGroupRuleNotFound",
            format!("Default Security Group rule {id} does not exist"),
        ),
        Missing::Log => ApiError::missing(
            "LogResourceNotFound",
            format!("Log resource {id} could not be found."),
        ),
        Missing::Agent => {
            ApiError::missing("AgentNotFound", format!("Agent {id} could not be found."))
        }
    }
}

/// What may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the API")]
pub enum Missing {
    Network,
    Subnet,
    Port,
    SecurityGroup,
    Rule,
    AddressGroup,
    DefaultRule,
    Log,
    Agent,
}
