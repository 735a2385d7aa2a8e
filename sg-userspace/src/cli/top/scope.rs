//! Which ports a command line asks for.

use std::collections::BTreeSet;

use clap::Args;

use crate::{
    api::Client,
    cli::monitor::group_of,
    error::Result,
    plain::plain_answer,
    view::{PortSample, SampleView},
};

/// Which ports are shown; all of this node if none are named.
#[derive(Debug, Args)]
pub struct ScopeArgs {
    /// Only a port, by id, interface, MAC, IP address or name; may be given several times, and beside --group
    #[arg(long = "port", value_name = "PORT")]
    ports: Vec<String>,
    /// Only the ports of a security group, by its id or name; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

/// The ports that are asked for, by ids: of a group those that have it when they are shown.
#[derive(Debug, Default)]
pub struct Scope {
    is_limited: bool,
    ports: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl ScopeArgs {
    /// Asks the daemon what is meant.
    ///
    /// # Errors
    ///
    /// No port or group is called so, or several are.
    pub async fn resolve(&self, client: &Client) -> Result<Scope> {
        let mut scope = Scope {
            is_limited: !self.ports.is_empty() || !self.groups.is_empty(),
            ..Scope::default()
        };
        for reference in &self.ports {
            scope.ports.insert(client.port(reference).await?.port.id);
        }
        if !self.groups.is_empty() {
            let groups = client.groups().await?;
            for reference in &self.groups {
                let group = group_of(&groups, reference)?;
                scope.groups.insert(group.id.clone());
            }
        }
        Ok(scope)
    }
}

impl Scope {
    /// Whether only some ports are asked for.
    pub fn is_limited(&self) -> bool {
        self.is_limited
    }

    /// Those of a sample.
    pub fn of(&self, mut sample: SampleView) -> SampleView {
        sample.ports.retain(|port| self.has(port));
        sample
    }

    /// The same, with no string that others chose but as it may be shown.
    pub fn shown(&self, sample: SampleView) -> Result<SampleView> {
        let sample = self.of(sample);
        let plain = plain_answer(&sample).map_err(crate::cli::output::no_json)?;
        Ok(plain.unwrap_or(sample))
    }

    fn has(&self, port: &PortSample) -> bool {
        let mut groups = port.security_groups.iter();
        !self.is_limited
            || self.ports.contains(&port.counted.port)
            || groups.any(|group| self.groups.contains(&group.id))
    }
}
