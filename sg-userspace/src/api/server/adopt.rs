//! The route by which ports take over the connections of the kernel's own tracker.
//!
//! It is the daemon that asks the kernel: it has the capability for it, and works in the network namespace
//! whose taps it filters. Who asks the daemon need have neither.

use std::{sync::Arc, time::Instant};

use axum::{Json, body::Bytes, extract::State};

use super::Daemon;
use crate::{
    agent::beside,
    ctnetlink::{self, Dump},
    error::{Error, Result},
    flows::kernel::KernelFlows,
    view::{AdoptReport, AdoptRequest, AdoptedPort},
};

/// Reads what there is once, and hands it to one port after the other; the agent is free in between.
pub async fn adopt(State(daemon): State<Daemon>, body: Bytes) -> Result<Json<AdoptReport>> {
    let AdoptRequest { port, zone } = serde_json::from_slice(&body)
        .map_err(|error| Error::Usage(format!("the request is not understood: {error}")))?;
    let names_port = port.is_some();
    let ports = match port {
        Some(port) => vec![port],
        None => daemon.shared.agent().await.adopters(),
    };
    let told = Instant::now();
    let (kernel, unreadable) = beside(|| {
        let Dump { flows, unreadable } = ctnetlink::dump()?;
        Ok((Arc::new(KernelFlows::new(flows)), unreadable))
    })
    .await?;
    let mut report = AdoptReport {
        zones: kernel.zones(),
        unreadable,
        ports: Vec::new(),
    };
    for port in ports {
        let named = port.clone();
        let adoption = daemon
            .shared
            .change(|change| async move { change.adoption(&named).await });
        let adoption = adoption.await;
        let adopted = match adoption {
            Ok(adoption) => {
                let kernel = kernel.clone();
                beside(move || adoption.run(&kernel, zone, told)).await?
            }
            // One that takes none keeps none of the others from theirs.
            Err(error @ (Error::NoSlot(_) | Error::NoSuchPort(_))) if !names_port => AdoptedPort {
                port,
                incomplete: true,
                ..AdoptedPort::default()
            }
            .noting(error.to_string()),
            Err(error) => return Err(error),
        };
        tracing::info!(
            port = %adopted.port,
            zone = adopted.zone,
            adopted = adopted.adopted,
            existing = adopted.existing,
            refused = adopted.refused.len(),
            "took over connections of nf_conntrack"
        );
        report.ports.push(adopted);
    }
    Ok(Json(report))
}
