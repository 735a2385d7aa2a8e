//! What `sgd` does: `run` feeds events to the agent, `detach` takes everything off.

use std::{future::Future, net::SocketAddr, sync::Arc, thread, time::Duration};

use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
    task::JoinError,
    time::{self, MissedTickBehavior},
};

use crate::{
    agent::{About, Agent, Change, GATHERED_EVERY, Gatherer, Shared},
    api,
    cli::{
        AdoptMode, AttachMode, DetachArgs, PageMode, PrepareArgs, Progress, RunArgs, SweepMode,
        tally,
    },
    datapath::{self, EventRing, Kernel, KernelLog, Sizes, Sweeper, Way},
    error::{Error, Result},
    events::Hub,
    host,
    logs::Logs,
    netlink::Links,
    service::Service,
    settings::File,
    source::Source,
};

/// How often the filters are looked after: for so long an interface is open at most when somebody takes
/// its filter off. What has failed is tried again in the same rounds, if nothing happens before.
const CHECK: Duration = Duration::from_secs(5);

/// How long leaving the source of what is enforced may take.
const LEAVING: Duration = Duration::from_secs(3);

/// How often the kernel's log is read: what is in it is rare and not urgent.
const KERNEL_LOG: Duration = Duration::from_secs(1);

/// How long events are waited for before it is asked what was lost.
const EVENTS: Duration = Duration::from_secs(1);

/// Runs until a signal ends it. The filters stay.
///
/// # Errors
///
/// What keeps the daemon from starting. Once it is ready, errors are logged and tried again.
pub async fn run(args: &RunArgs) -> Result<()> {
    let mut service = Service::of_this_process();
    // From the beginning: unless it is watched it ends the process.
    let mut hangup = watch(SignalKind::hangup())?;
    let settings = File::new(args.config.as_deref());
    // Watched from before it is read, so that no change falls in between.
    let mut settings_changes = settings.changes();
    let wanted = settings.read()?;
    let started = wanted.startup.clone();
    // Before what is kept is opened, which mends it: another daemon may be writing to it.
    let lock = claim(args)?;
    let (mut source, kept) = Source::open(&args.source).await?;
    let (listener, _socket) = api::bind(&args.socket, args.socket_group.as_deref())?;
    let told = match args.metrics {
        Some(address) => Some(bind_metrics(address, args.page).await?),
        None => None,
    };
    let mut links = Links::watch().await?;

    let about = About {
        bpffs: args.bpffs.clone(),
        inventory: source.path().into(),
        source: source.kind(),
        host: source.host(),
        settings: settings.path().into(),
    };
    let (mut kernel, policy, log) = Kernel::open(&args.bpffs, way(args.attach), sizes(args))?;
    kernel.keep_locked(lock);
    if let Some(log) = log {
        tokio::spawn(pass_on(log));
    }
    if let Some(sweeper) = kernel.start_sweep(args.sweep == SweepMode::Auto)? {
        tracing::warn!("expired connections are removed only while this daemon runs");
        tokio::spawn(sweep(sweeper));
    }
    let (events, ring) = kernel.events();
    let hub = Hub::new(events);
    if let Some(ring) = ring {
        pass_on_events(ring, hub.clone())?;
    }
    let logs = Logs::new(hub.clone());
    let mut agent = Agent::new(Box::new(kernel), Box::new(policy), about);
    agent.log_to(logs.clone());
    agent.set(wanted)?;
    agent.adopt_at_first(args.adopt == AdoptMode::First);
    // Interfaces that were filtered before would be taken for gone as long as none is known.
    let known = loop {
        match links.next().await {
            Ok(events) => break events,
            Err(error) => agent.links_unknown(&error),
        }
    };
    // What the kernel refuses is logged by the agent, shown by `sgctl status` and tried again.
    let first = agent
        .burst(known)
        .and_then(|()| source.recall(&mut agent, kept));
    let hits = agent.hit_table();
    let shared = Shared::new(agent);
    // Whoever is answered finds what the store has told in force.
    source.begin(&shared).await;
    hub.know(Arc::new(shared.clone()));
    let metrics = api::Metrics::new(shared.clone(), hub.clone());
    let gatherer = Gatherer::open(shared.clone(), hits, args.source.usage.clone());
    let router = api::router(shared.clone(), source.door(), gatherer.clone())
        .merge(api::event_routes(hub.clone()))
        .merge(metrics.clone().routes());
    let server = tokio::spawn(api::serve(listener, router));
    if let Some((listener, has_page)) = told {
        let page = has_page.then(|| api::Page::new(shared.clone(), gatherer.clone(), hub));
        tokio::spawn(api::serve_open(listener, metrics, page));
    }
    match first {
        Ok(()) => tracing::info!(socket = %args.socket.display(), "ready"),
        Err(_) => {
            tracing::error!(socket = %args.socket.display(), "running, but not all is in force")
        }
    }

    service.ready(tally(&shared.agent().await.tally()));

    let mut end = std::pin::pin!(ended()?);
    let due = shared.clone();
    tokio::spawn(async move { due.settle_when_due().await });
    let gathering = gatherer.clone();
    tokio::spawn(async move {
        let mut gather = every(GATHERED_EVERY);
        loop {
            gather.tick().await;
            gathering.gather().await;
        }
    });
    let leave = Arc::new(Notify::new());
    let mut following = tokio::spawn(source.follow(shared.clone(), leave.clone()));
    let mut check = every(CHECK);
    let failed = loop {
        let done = tokio::select! {
            () = &mut end => break None,
            // Nobody hears changes any more; the next daemon does.
            ended = &mut following => break Some(unfollowed(ended)),
            news = links.next() => shared.tell(news).await,
            () = settings_changes.changed() => {
                let read = settings.read().map(|wanted| wanted.since(&started));
                made(shared.clone(), |change| async move { change.settings(read).await });
                Ok(())
            }
            _ = check.tick() => shared.check().await,
            _ = hangup.recv() => {
                logs.reopen();
                Ok(())
            }
            () = service.due() => {
                service.alive(tally(&shared.agent().await.tally()));
                Ok(())
            }
        };
        tell(done);
    };
    service.stopping();
    server.abort();
    if failed.is_none() {
        leave.notify_one();
        // A store may not answer.
        let _ = time::timeout(LEAVING, following).await;
    }
    logs.end();
    gatherer.gather().await;
    shared.agent().await.leave();
    tracing::info!("stopped; the filters stay in place");
    failed.map_or(Ok(()), Err)
}

/// Makes sure that this host and this process can do what is to be done, and that nobody else does it.
fn claim(args: &RunArgs) -> Result<host::Lock> {
    host::check_capabilities()?;
    host::check_preemption()?;
    host::raise_open_files(args.sizes.limits().ports);
    host::provide_bpffs(&args.bpffs)?;
    host::check_bpffs(&args.bpffs)?;
    Ok(host::lock(&args.bpffs)?)
}

/// What it means that a source is followed no more that nobody has left.
fn unfollowed(ended: std::result::Result<(), JoinError>) -> Error {
    let why = ended.map_or_else(|error| error.to_string(), |()| "it has returned".into());
    Error::Unfinished(format!(
        "what follows the changes of what is to be enforced has ended, which is a mistake in this program: {why}; \
         a new start goes on"
    ))
}

/// Where metrics are told, and whether there is a page. Before anything is touched: an address that somebody else
/// has is a mistake.
async fn bind_metrics(address: SocketAddr, page: PageMode) -> Result<(TcpListener, bool)> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.map_err(|source| Error::Listen { address, source })?;
    let address = listener.local_addr().unwrap_or(address);
    let is_private = address.ip().is_loopback();
    if !is_private {
        tracing::warn!(%address, "whoever reaches this address can read the metrics of this node");
    }
    tracing::info!(%address, "metrics are told at /metrics");
    let has_page = is_private && page == PageMode::Auto;
    match (has_page, page) {
        (true, _) => tracing::info!("the page is at http://{address}/"),
        (false, PageMode::Auto) => {
            tracing::info!("there is no page: it is for addresses of the loopback alone");
        }
        (false, PageMode::Off) => {}
    }
    Ok((listener, has_page))
}

/// Has a change made, when its turn has come; nobody waits for it.
fn made<F>(shared: Shared, change: impl FnOnce(Change) -> F + Send + 'static)
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    tokio::spawn(async move { tell(shared.change(change).await) });
}

fn tell(done: Result<()>) {
    if let Err(error) = done {
        tracing::debug!("reported, and tried again: {error}");
    }
}

/// Makes what a run needs and a service with mounts of its own cannot.
///
/// # Errors
///
/// Those of [`host::provide_bpffs`] and [`host::check_bpffs`].
pub fn prepare(args: &PrepareArgs) -> Result<()> {
    host::provide_bpffs(&args.bpffs)?;
    Ok(host::check_bpffs(&args.bpffs)?)
}

/// Has the kernel verify the programs of this version, beside those that run.
///
/// # Errors
///
/// What would keep a daemon of this version from starting.
pub fn load(args: &RunArgs) -> Result<()> {
    host::check_capabilities()?;
    host::check_preemption()?;
    host::check_bpffs(&args.bpffs)?;
    match datapath::load(&args.bpffs, sizes(args))? {
        true => tracing::info!("the programs are loaded; the next start uses them"),
        false => tracing::info!(
            "tables get other sizes at the next start, which loads the programs itself"
        ),
    }
    Ok(())
}

/// The sizes of the tables that are wanted.
fn sizes(args: &RunArgs) -> Sizes {
    Sizes {
        limits: args.sizes.limits(),
        flows: args.sizes.max_flows.unwrap_or_else(host::default_flows),
        unproven: args.sizes.max_unproven,
        fragments: args.sizes.max_fragments,
    }
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
    let mut progress = Progress::new("interfaces detached:");
    Kernel::remove(&args.bpffs, |done, all| progress.tell(done, all))?;
    drop(progress);
    tracing::info!(bpffs = %args.bpffs.display(), "detached; every port is open");
    Ok(())
}

/// How to attach; `None` leaves it to the kernel.
pub fn way(mode: AttachMode) -> Option<Way> {
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

/// Removes expired connections where the kernel does not by itself.
async fn sweep(sweeper: Sweeper) {
    loop {
        time::sleep(sweeper.step()).await;
    }
}

/// Passes on what the kernel tells one by one. A thread of its own: the others may be busy with a change, and
/// the ring is small.
fn pass_on_events(mut ring: EventRing, hub: Arc<Hub>) -> Result<()> {
    let pass_on = move || loop {
        hub.wait();
        ring.wait(EVENTS);
        ring.read(|event| hub.tell(event));
        hub.tell_lost();
        hub.tidy();
    };
    let thread = thread::Builder::new().name("events".into()).spawn(pass_on);
    thread.map(drop).map_err(|source| Error::System {
        action: "starting the thread that reads events",
        source,
    })
}

/// Passes on what the kernel programs log.
async fn pass_on(mut log: KernelLog) {
    let mut look = every(KERNEL_LOG);
    loop {
        look.tick().await;
        log.flush();
    }
}

fn watch(kind: SignalKind) -> Result<Signal> {
    signal(kind).map_err(|source| Error::System {
        action: "watching for signals",
        source,
    })
}

/// Ends with the first signal that asks for an end.
fn ended() -> Result<impl Future<Output = ()>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[tokio::test]
    async fn a_source_that_is_followed_no_more_ends_the_daemon_with_a_code() {
        let returned = tokio::spawn(async {}).await;
        let panicked = tokio::spawn(async { panic!("on purpose") }).await;
        for (ended, why) in [(returned, "returned"), (panicked, "panic")] {
            let error = unfollowed(ended);
            assert_eq!(error.exit(), Exit::Failure);
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
