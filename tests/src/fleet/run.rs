//! A run: fill the store, start the nodes, write and disturb, wait, compare.

use std::collections::HashMap;
use std::fs;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use sg_store::Revision;
use sg_store::testing::Cluster;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::history::History;
use super::node::{self, Record, Shared};
use super::plan::{Disturbance, plan};
use super::proxy::{Proxy, Traffic};
use super::report::{Latencies, Report};
use super::world::{Size, World, host};
use super::writer::Writer;

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much there is.
    pub size: Size,
    /// Writes a second.
    pub rate: u32,
    /// For how long is written.
    pub length: Duration,
    /// Whether etcd and the network are disturbed meanwhile.
    pub disturbed: bool,
    /// Of how many members etcd consists.
    pub members: usize,
    /// Of what is done at random.
    pub seed: u64,
}

/// How many nodes have each of their states compared.
const WATCHED: usize = 20;

/// How far behind its rate the writer may be, to make up for it.
const MADE_UP_FOR: Duration = Duration::from_millis(500);

/// How long nodes may take to come to their state: at first, and at the end.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs a fleet and compares every node with the model. Nodes and the network run beside, as those of a cloud do: who
/// writes does not wait for them.
///
/// # Errors
/// When the store cannot be filled, or a node is not where it should be: which, and since when.
pub async fn run(options: &Options, beside: &Handle) -> Result<Report> {
    let mut cluster = Cluster::start_with(options.members, &["--quota-backend-bytes=8589934592"]);
    // The writer is on the safe side of the network.
    let mut writer = Writer::new(&cluster.urls()).await?;
    let mut world = World::new(options.size, options.seed);
    let filled = writer.fill(world.fill()).await?;
    eprintln!("filled: {filled} objects");

    let before = memory("/proc/self/status");
    let traffic = Arc::new(Traffic::default());
    let mut proxies = Vec::new();
    for number in 0..options.members {
        let address = cluster.member(number).address();
        let proxy = Proxy::to(address, traffic.clone());
        proxies.push(beside.spawn(proxy).await?);
    }
    let began = Instant::now();
    let (records, tasks) = start(options, &proxies, beside);
    wait_until(&records, |record| !record.applied.is_empty()).await?;
    let started = began.elapsed();
    let listed = traffic.answered.load(Ordering::Relaxed);
    let nodes = options.size.nodes as u64;
    eprintln!(
        "{nodes} nodes have their state after {:.1} s",
        started.as_secs_f64()
    );
    let per_node = memory("/proc/self/status").saturating_sub(before) / nodes;

    let written = churn(options, &mut world, &mut writer, &mut cluster, &proxies).await?;
    let followed = traffic.answered.load(Ordering::Relaxed) - listed;
    let last = written.last().map_or(0, |(revision, _)| *revision);
    eprintln!("{} writes, the last one is revision {last}", written.len());
    let settled = Instant::now();
    let history = writer.history();
    let wrong = converge(options, &records, history, last).await;
    let settled = settled.elapsed();
    let pids = (0..options.members).filter_map(|number| cluster.member(number).pid());
    let each = pids.map(|pid| memory(&format!("/proc/{pid}/status")));
    let etcd = each.max().unwrap_or_default();
    tasks.iter().for_each(JoinHandle::abort);
    if let Some((host, record)) = wrong {
        let error = record.error.as_deref().unwrap_or("none");
        let applied = record.applied.last().map_or(0, |(to, _)| *to.end());
        let expected = history.enforced(&host, last);
        bail!(
            "{host} is not in the state of revision {last}; it came to {applied}; its last error: {error}\n{}",
            record.now().beside(&expected)
        );
    }
    let states = check_states(&records, history)?;
    let latencies = Latencies::of(&written, &records);
    let relists = records.iter().map(|(_, record)| lock(record).relists).sum();
    Ok(Report {
        options: *options,
        started,
        settled,
        writes: written.len(),
        latencies,
        states,
        relists,
        cut: traffic.cut.load(Ordering::Relaxed),
        twice: traffic.twice.load(Ordering::Relaxed),
        listed_per_node: listed / nodes,
        followed_per_node: followed / nodes,
        asked_per_node: traffic.asked.load(Ordering::Relaxed) / nodes,
        memory_of_etcd: etcd,
        memory_per_node: per_node,
    })
}

type Records = Vec<(String, Shared)>;

fn start(options: &Options, proxies: &[Proxy], beside: &Handle) -> (Records, Vec<JoinHandle<()>>) {
    let urls: Vec<String> = proxies
        .iter()
        .map(|proxy| format!("http://{}", proxy.address()))
        .collect();
    let urls = urls.join(",");
    let every = (options.size.nodes / WATCHED).max(1);
    let nodes = (0..options.size.nodes).map(|number| {
        let (host, record) = (host(number), Shared::default());
        let running = node::run(
            urls.clone(),
            host.clone(),
            number % every == 0,
            record.clone(),
        );
        let task = beside.spawn(async move {
            if let Err(error) = running.await {
                eprintln!("a node cannot run: {error}");
            }
        });
        ((host, record), task)
    });
    nodes.unzip()
}

/// Writes at the rate while the plan is carried out beside; returns which revision was begun to be written when.
async fn churn(
    options: &Options,
    world: &mut World,
    writer: &mut Writer,
    cluster: &mut Cluster,
    proxies: &[Proxy],
) -> Result<Vec<(Revision, Instant)>> {
    let began = Instant::now();
    let writing = async {
        let period = Duration::from_secs(1) / options.rate;
        let (mut written, mut due) = (Vec::new(), began);
        while began.elapsed() < options.length {
            let begun = Instant::now();
            let revision = writer.write(world.change()).await?;
            written.push((revision, begun));
            // What was missed while nothing could be written is not made up for, but for a moment's worth.
            let now = Instant::now();
            due = (due + period).max(now - MADE_UP_FOR);
            sleep(due.saturating_duration_since(now)).await;
        }
        Ok::<_, anyhow::Error>(written)
    };
    let disturbing = async {
        let plan = match options.disturbed {
            true => plan(options.length),
            false => Vec::new(),
        };
        for (at, what) in plan {
            sleep(at.saturating_sub(began.elapsed())).await;
            eprintln!("{:>6.1} s: {what:?}", began.elapsed().as_secs_f64());
            disturb(what, cluster, proxies).await?;
        }
        Ok::<_, anyhow::Error>(())
    };
    let (written, ()) = tokio::try_join!(writing, disturbing)?;
    Ok(written)
}

async fn disturb(what: Disturbance, cluster: &mut Cluster, proxies: &[Proxy]) -> Result<()> {
    let members = proxies.len();
    match what {
        Disturbance::Network(faults) => proxies.iter().for_each(|proxy| proxy.set(faults)),
        Disturbance::Stand(member, stands) => proxies[member % members].stand(stands),
        Disturbance::Kill(member) => {
            let member = cluster.member(member % members);
            member.kill();
            member.start();
            member.wait();
        }
        Disturbance::Freeze(member, true) => cluster.member(member % members).freeze(),
        Disturbance::Freeze(member, false) => cluster.member(member % members).thaw(),
        Disturbance::Compact => compact(&cluster.urls()).await?,
    }
    Ok(())
}

/// Has etcd forget what was before now.
async fn compact(urls: &str) -> Result<()> {
    let urls: Vec<&str> = urls.split(',').collect();
    let mut client = etcd_client::Client::connect(urls, None).await?;
    let now = client.status().await?;
    let revision = now.header().map_or(0, |header| header.revision());
    client.compact(revision, None).await?;
    Ok(())
}

/// Waits until every node enforces what the model says; the first that does not.
async fn converge(
    options: &Options,
    records: &Records,
    history: &History,
    last: Revision,
) -> Option<(String, Record)> {
    let expected: HashMap<&str, _> = records
        .iter()
        .map(|(host, _)| (host.as_str(), history.enforced(host, last)))
        .collect();
    let deadline = Instant::now() + PATIENCE.min(options.length.max(Duration::from_secs(60)));
    for (host, record) in records {
        while lock(record).now() != expected[host.as_str()] {
            if Instant::now() > deadline {
                return Some((host.clone(), std::mem::take(&mut *lock(record))));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
    None
}

/// Every state that the watched nodes were in is one that the store had, and they never went back.
fn check_states(records: &Records, history: &History) -> Result<usize> {
    let mut count = 0;
    for (host, record) in records {
        let record = lock(record);
        let mut before = 0;
        for (number, (revision, state)) in record.states.iter().enumerate() {
            let expected = history.enforced(host, *revision);
            if node::number(&expected) != *state {
                let whole = record.first.get(number);
                let differs = whole.map_or_else(String::new, |whole| whole.beside(&expected));
                bail!(
                    "{host} was in a state at revision {revision}, its {number}th, that the store never had\n{differs}"
                );
            }
            if *revision < before {
                bail!("{host} went back from revision {before} to {revision}");
            }
            before = *revision;
            count += 1;
        }
    }
    Ok(count)
}

async fn wait_until(records: &Records, is_so: impl Fn(&Record) -> bool) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    for (host, record) in records {
        while !is_so(&lock(record)) {
            if Instant::now() > deadline {
                let error = lock(record).error.clone().unwrap_or_default();
                bail!("{host} has no state after {PATIENCE:?}: {error}");
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

fn lock(record: &Mutex<Record>) -> std::sync::MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Resident memory of a process, in bytes.
fn memory(status: &str) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0) * 1024
}
