//! From an answer to what is written: by compare-and-swap, and against the world as the store has it.

mod write;

use std::sync::Arc;
use std::time::Duration;

use sg_store::{Key, Outcome, Range, Revision, Store};
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

/// How long a commit may take to come back from the store, and a request to have its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to say whether there is something newer than what was only asked for.
const LOOK: Duration = Duration::from_secs(2);

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

    /// Answers a request. What it changes is written, and part of this world, when the answer comes. What is refused
    /// for what there is, or needs no change, is so in a world as new as the request, whoever has written it.
    ///
    /// # Errors
    ///
    /// It is refused, and nothing is written; or the store cannot be written to.
    pub async fn answer(&self, context: &Context, request: &Request) -> Result<Answer> {
        let mut turn = None;
        // What anybody had written when this was asked.
        let mut least = None;
        for _ in 0..TRIES {
            let world = self.world();
            let (draft, answered) = match draft(&world, context, request) {
                Ok((draft, answered)) if !draft.is_empty() => (draft, answered),
                settled => {
                    let settled = settled.map(|(_, answered)| answered);
                    if self
                        .is_settled(request, &settled, &world, &mut least)
                        .await?
                    {
                        return settled;
                    }
                    continue;
                }
            };
            if turn.is_none() {
                let own = timeout(PATIENCE, self.turn.lock()).await;
                turn = Some(own.map_err(|_| unavailable())?);
                // Others have written meanwhile.
                continue;
            }
            let (conditions, writes) = draft.commit(Uuid::new_v4());
            match write(&self.store, &conditions, &writes).await? {
                Outcome::Written(revision) => {
                    if self.seen(revision).await.is_err() {
                        tracing::warn!("the store is slow to tell what was written to it");
                    }
                    return Ok(answered);
                }
                Outcome::Conflict => self.seen(draft.revision() + 1).await?,
            }
        }
        Err(unavailable())
    }

    /// Whether nothing that others had written when it was asked can make it otherwise: what it is refused for, or why
    /// there is nothing to do. What is only asked for is as old as this world.
    ///
    /// # Errors
    ///
    /// The store does not say.
    async fn is_settled(
        &self,
        request: &Request,
        settled: &Result<Answer>,
        world: &World,
        least: &mut Option<Revision>,
    ) -> Result<bool> {
        let is_certain = match settled {
            Ok(_) => request.only_asks(),
            Err(refusal) => refusal.is_of_the_request(),
        };
        if is_certain {
            return Ok(true);
        }
        if least.is_none() {
            *least = self.newest(request).await;
        }
        match *least {
            Some(least) if world.written(&Key::Head) >= least => Ok(true),
            // What is known is shown.
            Some(least) if request.only_asks() => {
                let seen = timeout(LOOK, self.seen(least)).await;
                Ok(!matches!(seen, Ok(Ok(()))))
            }
            Some(least) => self.seen(least).await.map(|()| false),
            None if request.only_asks() => Ok(true),
            None => Err(unavailable()),
        }
    }

    /// When anybody has written last, if the store says so in time.
    async fn newest(&self, request: &Request) -> Option<Revision> {
        let patience = if request.only_asks() { LOOK } else { PATIENCE };
        let head = [Range::Key(Key::Head.to_string())];
        let read = timeout(patience, self.store.read(&head, None)).await;
        let entry = read.ok()?.ok()?.entries.pop()?;
        Some(entry.revision)
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

/// What comes of a request in a world.
fn draft(world: &World, context: &Context, request: &Request) -> Result<(Draft, Answer)> {
    let mut draft = Draft::new(world, context.clone());
    let answered = answer(&mut draft, request)?;
    Ok((draft, answered))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::query::Query;

    fn request(method: &str, path: &str, body: Value) -> Request {
        Request {
            method: method.into(),
            path: path.into(),
            query: Query::default(),
            body: match body.is_null() {
                true => Vec::new(),
                false => body.to_string().into(),
            },
            strange_type: None,
            base: String::new(),
        }
    }

    /// Two servers, of which one is behind until it is told.
    #[tokio::test]
    async fn what_another_server_has_written_counts_before_it_is_heard_of() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::embedded(&folder.path().join("state.redb")).unwrap();
        let ahead = Desk::open(store.clone()).await.unwrap();
        let (told, worlds) = watch::channel(ahead.world());
        let behind = Desk {
            worlds,
            ..ahead.clone()
        };
        let context = Context::now();
        let answer = async |desk: &Desk, asked: &Request| desk.answer(&context, asked).await;
        // It is asked first, and hears of what the other one did while it decides.
        let late = async |asked: &Request| {
            let hears = async {
                sleep(Duration::from_millis(50)).await;
                let mut worlds = ahead.worlds.clone();
                worlds.mark_changed();
                while worlds.changed().await.is_ok() {
                    told.send_replace(ahead.world());
                }
            };
            let answered = async { answer(&behind, asked).await };
            let answered = tokio::select! {
                answered = answered => answered,
                () = hears => unreachable!("the other server is there"),
            };
            answered.map_or_else(|error| error.status, |answered| answered.status)
        };
        let network = request("POST", "/v2.0/networks", json!({"network": {}}));
        let made = answer(&ahead, &network).await.unwrap().body.unwrap();
        let id = made["network"]["id"].as_str().unwrap();
        let tag = format!("/v2.0/networks/{id}/tags/t");
        let port = json!({"port": {"network_id": id}});
        assert_eq!(late(&request("POST", "/v2.0/ports", port)).await, 201);
        assert_eq!(late(&request("PUT", &tag, Value::Null)).await, 201);
        let untag = request("DELETE", &tag, Value::Null);
        assert_eq!(answer(&ahead, &untag).await.unwrap().status, 204);
        assert_eq!(late(&request("PUT", &tag, Value::Null)).await, 201);
        let has = request("GET", &tag, Value::Null);
        assert_eq!(answer(&ahead, &has).await.unwrap().status, 204);
        assert_eq!(
            late(&request("GET", "/v2.0/networks/none", Value::Null)).await,
            404
        );
    }

    /// An etcd that is not there.
    #[tokio::test]
    async fn without_the_store_what_was_told_is_shown_and_no_change_is_refused_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::embedded(&folder.path().join("state.redb")).unwrap();
        let desk = Desk::open(store).await.unwrap();
        let nowhere = sg_store::EtcdOptions::at("http://127.0.0.1:1");
        let away = Desk {
            store: Store::etcd(nowhere).unwrap(),
            ..desk
        };
        let there = "/v2.0/networks";
        let nothing = "/v2.0/security-groups/none";
        let tags = json!({"tags": "t"});
        for (method, path, body, status) in [
            ("GET", there, Value::Null, 200),
            ("GET", nothing, Value::Null, 404),
            ("DELETE", nothing, Value::Null, 503),
            ("POST", "/v2.0/security-groups", tags, 503),
            ("POST", "/v2.0/networks", json!({"network": {}}), 503),
        ] {
            let asked = request(method, path, body);
            let answered = away.answer(&Context::now(), &asked).await;
            let found = answered.map_or_else(|error| error.status, |answered| answered.status);
            assert_eq!(found, status, "{method} {path}");
        }
    }

    /// It is written, though this server does not hear of it.
    #[tokio::test(start_paused = true)]
    async fn what_was_written_is_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::embedded(&folder.path().join("state.redb")).unwrap();
        let desk = Desk::open(store.clone()).await.unwrap();
        let (_told, worlds) = watch::channel(desk.world());
        let deaf = Desk { worlds, ..desk };
        let network = request("POST", "/v2.0/networks", json!({"network": {}}));
        let answered = deaf.answer(&Context::now(), &network).await;
        assert_eq!(answered.unwrap().status, 201);
    }
}
