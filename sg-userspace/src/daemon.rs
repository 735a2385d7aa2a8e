//! What `sgd` does: `run` feeds events to the agent, `detach` takes everything off.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Mutex,
    time::{self, MissedTickBehavior},
};

use crate::{
    agent::{About, Agent},
    api,
    cli::{AttachMode, DetachArgs, RunArgs},
    datapath::{Kernel, KernelLog, Sizes, Way},
    error::{Error, Result},
    host, model,
    netlink::Links,
    store::Store,
};

/// How soon something that failed is tried again, if nothing happens before.
const RETRY: Duration = Duration::from_secs(5);

/// How often the flow tables are swept.
const SWEEP: Duration = Duration::from_secs(30);

/// How often the kernel's log is read: what is in it is rare and not urgent.
const KERNEL_LOG: Duration = Duration::from_secs(1);

/// Runs until a signal ends it. The filters stay.
///
/// # Errors
///
/// What keeps the daemon from starting. Once it is ready, errors are logged and tried again.
pub async fn run(args: &RunArgs) -> Result<()> {
    let store = Store::new(&args.inventory);
    let document = store.read()?;
    // A document that is no inventory changes nothing, the programs included.
    model::parse(&document)?;
    host::check_capabilities()?;
    host::check_bpffs(&args.bpffs)?;
    let _lock = host::lock(&args.bpffs)?;
    let (listener, _socket) = api::bind(&args.socket)?;
    // Watched from before the first reading counts, so that no change falls in between.
    let mut changes = store.watch()?;
    let mut links = Links::watch().await?;

    let about = About {
        bpffs: args.bpffs.clone(),
        inventory: store.path().into(),
    };
    let sizes = Sizes {
        limits: args.sizes.limits(),
        flows: args.sizes.max_flows,
    };
    let (kernel, log) = Kernel::open(&args.bpffs, way(args.attach), sizes)?;
    if let Some(log) = log {
        tokio::spawn(pass_on(log));
    }
    let mut agent = Agent::new(Box::new(kernel), about);
    agent.links(links.next().await?)?;
    agent.apply(&document)?;
    let agent = Arc::new(Mutex::new(agent));
    let router = api::router(agent.clone(), store.clone());
    let server = tokio::spawn(async { axum::serve(listener, router).await });
    tracing::info!(socket = %args.socket.display(), "ready");

    let mut end = std::pin::pin!(ended()?);
    let (mut retry, mut sweep) = (every(RETRY), every(SWEEP));
    loop {
        let done = tokio::select! {
            () = &mut end => break,
            event = links.next() => agent.lock().await.links(event?),
            () = changes.changed() => {
                let mut agent = agent.lock().await;
                agent.file_changed(store.read())
            }
            _ = retry.tick() => agent.lock().await.retry(),
            _ = sweep.tick() => agent.lock().await.sweep(),
        };
        if let Err(error) = done {
            tracing::debug!("reported, and tried again: {error}");
        }
    }
    server.abort();
    tracing::info!("stopped; the filters stay in place");
    Ok(())
}

/// Takes all filters off, and removes what is pinned.
///
/// # Errors
///
/// A living daemon keeps its filters: [`host::HostError::Locked`].
pub fn detach(args: &DetachArgs) -> Result<()> {
    host::check_capabilities()?;
    host::check_bpffs(&args.bpffs)?;
    let _lock = host::lock(&args.bpffs)?;
    Kernel::remove(&args.bpffs)?;
    tracing::info!(bpffs = %args.bpffs.display(), "detached; every port is open");
    Ok(())
}

fn way(mode: AttachMode) -> Option<Way> {
    match mode {
        AttachMode::Auto => None,
        AttachMode::Tcx => Some(Way::Tcx),
        AttachMode::Clsact => Some(Way::Clsact),
    }
}

fn every(period: Duration) -> time::Interval {
    let mut interval = time::interval_at(time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Passes on what the kernel programs log.
async fn pass_on(mut log: KernelLog) {
    let mut look = every(KERNEL_LOG);
    loop {
        look.tick().await;
        log.flush();
    }
}

/// Ends with the first signal that asks for an end.
fn ended() -> Result<impl Future<Output = ()>> {
    let watch = |kind| {
        signal(kind).map_err(|source| Error::System {
            action: "watching for signals",
            source,
        })
    };
    let (mut terminate, mut interrupt) = (
        watch(SignalKind::terminate())?,
        watch(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
