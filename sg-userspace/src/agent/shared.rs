//! The agent of a daemon that is asked, told and interrupted at once.
//!
//! Who has the agent has it for moments: to ask it, to note an event, to close a tap. What takes its time is
//! done beside it, in its turn: one change after the other is read, written and answered.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, MutexGuard, Notify},
    task,
};

use super::{Agent, Work};
use crate::{
    error::{Error, Result},
    netlink::LinkEvent,
};

/// A handle on the agent; each clone is one on the same.
#[derive(Clone)]
pub struct Shared {
    agent: Arc<Mutex<Agent>>,
    turn: Arc<Mutex<()>>,
    /// Something has become due.
    due: Arc<Notify>,
    /// The tables are back from work.
    back: Arc<Notify>,
}

impl Shared {
    /// Shares an agent.
    pub fn new(agent: Agent) -> Self {
        Self {
            agent: Arc::new(Mutex::new(agent)),
            turn: Arc::default(),
            due: Arc::default(),
            back: Arc::default(),
        }
    }

    /// The agent, for a moment.
    pub async fn agent(&self) -> MutexGuard<'_, Agent> {
        self.agent.lock().await
    }

    /// The agent, if nobody has it.
    pub fn try_agent(&self) -> Option<MutexGuard<'_, Agent>> {
        self.agent.try_lock().ok()
    }

    /// Takes note of what happened to interfaces, or that this is not known.
    pub async fn tell(&self, news: Result<Vec<LinkEvent>>) -> Result<()> {
        let mut agent = self.agent().await;
        let done = match news {
            Ok(events) => agent.burst(events),
            Err(error) => {
                agent.links_unknown(&error);
                Err(error)
            }
        };
        self.due.notify_one();
        done
    }

    /// Looks after the filters, as is to be done every few seconds.
    pub async fn check(&self) -> Result<()> {
        let done = self.agent().await.check();
        self.due.notify_one();
        done
    }

    /// Does what becomes due besides changes, also while one is read. Never ends.
    pub async fn settle_when_due(&self) {
        loop {
            self.due.notified().await;
            if let Err(error) = self.settle().await {
                tracing::debug!("reported, and tried again: {error}");
            }
        }
    }

    async fn settle(&self) -> Result<()> {
        loop {
            // The agent is free again before the work begins.
            let work = self.idle().await.work();
            let Some(work) = work else {
                return Ok(());
            };
            self.finish(work).await?;
        }
    }

    /// The agent, for a moment in which nobody is at work.
    async fn idle(&self) -> MutexGuard<'_, Agent> {
        loop {
            let back = self.back.notified();
            let agent = self.agent().await;
            if agent.is_idle() {
                return agent;
            }
            drop(agent);
            back.await;
        }
    }

    async fn finish(&self, work: Work) -> Result<usize> {
        let done = beside(move || Ok(work.run())).await?;
        let finished = self.agent().await.finish(done);
        self.back.notify_waiters();
        self.due.notify_one();
        finished
    }

    /// Makes a change, when those that came before are made. Whoever asked for it may be gone before its end.
    ///
    /// # Errors
    ///
    /// Those of the change.
    pub async fn change<T, F>(&self, change: impl FnOnce(Change) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let change = change(Change(self.clone()));
        let turn = self.turn.clone();
        let made = task::spawn(async move {
            let _turn = turn.lock().await;
            change.await
        });
        made.await.unwrap_or_else(|ended| Err(unfinished(ended)))
    }
}

/// Whose turn it is to change what is in force; what it can do is in [`super::changes`].
pub struct Change(Shared);

impl Change {
    /// The agent, for a moment.
    pub async fn agent(&self) -> MutexGuard<'_, Agent> {
        self.0.agent().await
    }

    /// Has the agent take something, and writes what is then due, beside it; returns how many entries were
    /// written or removed.
    ///
    /// # Errors
    ///
    /// That of the taking; [`Error::Datapath`] when the kernel refused a part, which is tried again.
    pub async fn enforce<T>(
        &self,
        take: impl FnOnce(&mut Agent) -> Result<T>,
    ) -> Result<(T, usize)> {
        // Nobody else is to write this, nor to hold what would have to be copied.
        let mut agent = self.0.idle().await;
        let taken = take(&mut agent)?;
        let work = agent.work();
        drop(agent);
        let changes = match work {
            Some(work) => self.0.finish(work).await?,
            None => 0,
        };
        Ok((taken, changes))
    }
}

/// Does what takes its time beside the tasks that wait for events.
pub async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = task::spawn_blocking(work).await;
    done.unwrap_or_else(|ended| Err(unfinished(ended)))
}

/// What a panic means to whoever waits; it has been told on the standard error.
fn unfinished(ended: task::JoinError) -> Error {
    Error::Unfinished(format!("the work was not finished: {ended}"))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::agent, *};

    #[tokio::test]
    async fn what_ends_in_a_panic_is_not_taken_for_what_the_kernel_refused() {
        let shared = Shared::new(agent().0);
        let changed = shared.change::<(), _>(|_| async { panic!("on purpose") });
        let done = beside::<()>(|| panic!("on purpose"));
        for ended in [changed.await, done.await] {
            let error = ended.unwrap_err();
            assert!(matches!(error, Error::Unfinished(_)), "{error:?}");
        }
    }
}
