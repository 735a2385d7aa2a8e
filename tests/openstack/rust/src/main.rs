//! A server of Neutron's API, driven by the crate `openstack` 0.6.0 and its session, `osauth` 0.5.0.
//!
//!     OS_AUTH_TYPE=none OS_ENDPOINT=http://127.0.0.1:9696 openstack-client
//!
//! Each call is a line of JSON: what was called, and what it gave or how it was refused. What is
//! known beforehand is held against it here, the rest by whoever reads the lines.
//!
//! Of security groups the crate knows no more than their ids, in a port that is to be made: it has
//! no calls for groups and rules, shows no groups of a port and changes none. Those are asked for by
//! its session, in the bodies of the API. A subnet without a gateway and changed fixed IPs it does
//! not know either.

mod groups;
mod networks;
mod ports;
mod told;

use anyhow::Result;
use openstack::{Cloud, session::Session};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let session = Session::from_env().await?;
    let cloud = Cloud::from(session.clone());
    networks::run(&cloud).await?;
    let web = groups::make(&session).await?;
    ports::run(&cloud, &session, &web).await?;
    groups::remove(&session, &web).await?;
    networks::remove(&cloud).await
}
