//! From an answer to what is written: by compare-and-swap, and against the world as the store has it.

mod write;

use std::sync::Arc;
use std::time::Duration;

use sg_store::{Key, Outcome, Revision, Store};
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::api::{Answer, Request, answer};
use crate::error::Result;
use crate::node::Local;
use crate::resource::seed;
use crate::world::{Context, Draft, Misplaced, World};
use write::{unavailable, write};

/// How often a request is computed anew because others have written first.
const TRIES: usize = 64;

/// How long a commit may take to come back from the store.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a store is waited for at the start that does not answer, or has no leader.
const FIRST: Duration = Duration::from_secs(10);

/// How long is waited before the store is read again after it failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Answers requests in front of a store. Its clones are the same.
#[derive(Clone, Debug)]
pub struct Desk {
    store: Store,
    worlds: watch::Receiver<Arc<World>>,
    local: Option<Local>,
    /// Held by the one of this server's requests that writes: they need not get in each other's way.
    turn: Arc<Mutex<()>>,
}

impl Desk {
    /// Reads the store, makes it ready if it is new, and follows it from now on. One that starts, or has no leader
    /// yet, is waited for.
    ///
    /// # Errors
    ///
    /// The store cannot be read or written.
    pub async fn open(store: Store) -> sg_store::Result<Self> {
        let deadline = Instant::now() + FIRST;
        let world = loop {
            match begin(&store).await {
                Err(error) if error.may_pass() && Instant::now() < deadline => {
                    tracing::warn!("the store: {error}; it is asked again");
                    sleep(PAUSE).await;
                }
                begun => break begun?,
            }
        };
        let (told, worlds) = watch::channel(Arc::new(world));
        tokio::spawn(follow(store.clone(), told));
        Ok(Self {
            store,
            worlds,
            local: None,
            turn: Arc::default(),
        })
    }

    /// The same, with what is known of the node that it runs on.
    pub fn on(self, local: Local) -> Self {
        let local = Some(local);
        Self { local, ..self }
    }

    /// The world as it is.
    pub fn world(&self) -> Arc<World> {
        let world = self.worlds.borrow().clone();
        let local = self.local.as_ref().and_then(|local| local.borrow().clone());
        let Some((host, status)) = local else {
            return world;
        };
        let mut world = World::clone(&world);
        world.nodes.insert_mut(host, status);
        Arc::new(world)
    }

    /// Answers a request. What it changes is written, and part of this world, when the answer comes.
    ///
    /// # Errors
    ///
    /// It is refused, and nothing is written; or the store cannot be written to.
    pub async fn answer(&self, context: &Context, request: &Request) -> Result<Answer> {
        let (draft, answered) = self.draft(context, request)?;
        if draft.is_empty() {
            return Ok(answered);
        }
        let _turn = self.turn.lock().await;
        for _ in 0..TRIES {
            let (draft, answered) = self.draft(context, request)?;
            if draft.is_empty() {
                return Ok(answered);
            }
            let (conditions, writes) = draft.commit(Uuid::new_v4());
            match write(&self.store, &conditions, &writes).await? {
                Outcome::Written(revision) => {
                    self.seen(revision).await?;
                    return Ok(answered);
                }
                Outcome::Conflict => self.seen(draft.revision() + 1).await?,
            }
        }
        Err(unavailable())
    }

    /// What comes of a request in the world as it is.
    fn draft(&self, context: &Context, request: &Request) -> Result<(Draft, Answer)> {
        let mut draft = Draft::new(&self.world(), context.clone());
        let answered = answer(&mut draft, request)?;
        Ok((draft, answered))
    }

    /// Waits until this world is of a revision, or of a later one.
    async fn seen(&self, revision: Revision) -> Result<()> {
        let mut worlds = self.worlds.clone();
        let seen = worlds.wait_for(|world| world.revision >= revision);
        match timeout(PATIENCE, seen).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(unavailable()),
        }
    }
}

async fn begin(store: &Store) -> sg_store::Result<World> {
    prepare(store).await?;
    read(store).await
}

/// A new store begins with the rules that new groups get.
async fn prepare(store: &Store) -> sg_store::Result<()> {
    store.prepare().await?;
    loop {
        let world = read(store).await?;
        if world.written(&Key::Head) != 0 {
            return Ok(());
        }
        let mut draft = Draft::new(&world, Context::now());
        seed(&mut draft);
        let (conditions, writes) = draft.commit(Uuid::new_v4());
        if let Outcome::Written(_) = store.commit(conditions, writes).await? {
            return Ok(());
        }
    }
}

async fn read(store: &Store) -> sg_store::Result<World> {
    let snapshot = store.read(&World::ranges(), None).await?;
    let (world, misplaced) = World::of(snapshot);
    tell(&misplaced);
    Ok(world)
}

fn tell(misplaced: &[Misplaced]) {
    for Misplaced { key, why } in misplaced {
        tracing::error!("{key}: {why}: it is left out");
    }
}

/// Has the world follow the store for as long as somebody looks at it.
async fn follow(store: Store, told: watch::Sender<Arc<World>>) {
    while !told.is_closed() {
        if let Err(error) = follow_once(&store, &told).await {
            tracing::warn!("the store: {error}; all is read anew");
            sleep(PAUSE).await;
            // What came meanwhile may be told no more, and what is there may be another store.
            match read(&store).await {
                Ok(world) => drop(told.send_replace(Arc::new(world))),
                Err(error) => tracing::warn!("the store: {error}"),
            }
        }
    }
}

async fn follow_once(store: &Store, told: &watch::Sender<Arc<World>>) -> sg_store::Result<()> {
    let behind = told.borrow().revision;
    let mut changes = store.watch(World::ranges(), behind).await?;
    loop {
        let batch = tokio::select! {
            batch = changes.next() => batch?,
            () = told.closed() => return Ok(()),
        };
        let mut world = World::clone(&told.borrow());
        tell(&world.follow(batch.revision, batch.changes));
        told.send_replace(Arc::new(world));
    }
}
