//! The terminal: what is read goes into the state, keys too, and the state onto the screen.

use std::{convert::Infallible, io, thread, time::Duration};

use crossterm::event::{Event, EventStream, KeyEventKind};
use futures_util::StreamExt;
use ratatui::DefaultTerminal;
use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{draw::Screen, state::State};
use crate::{
    api::Client,
    error::{Error, Result},
    view::SampleView,
};

/// How long an answer is waited for until it is said that there is none.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was read, or why it could not be.
type Answer = Result<SampleView>;

/// Shows the state until a key or a signal ends it. However it ends, the terminal is as before.
pub async fn run(client: &Client, state: State) -> Result<()> {
    let (pace, paces) = watch::channel(state.pace);
    let (send, answers) = mpsc::unbounded_channel();
    let signals = Signals::new().map_err(failed)?;
    let terminal = ratatui::try_init().inspect_err(|_| ratatui::restore());
    let terminal = Restored(terminal.map_err(failed)?);
    let reading = read(client, paces, send);
    let showing = show(terminal, state, answers, pace, signals);
    select! {
        never = reading => match never {},
        ended = showing => ended.map_err(failed),
    }
}

/// Asks again and again, at a pace that may change.
async fn read(
    client: &Client,
    mut pace: watch::Receiver<Duration>,
    answers: mpsc::UnboundedSender<Answer>,
) -> Infallible {
    // One sample was taken before there was a screen.
    let mut begun = Instant::now();
    loop {
        loop {
            let next = begun + *pace.borrow_and_update();
            select! {
                () = sleep_until(next) => break,
                _ = pace.changed() => {}
            }
        }
        begun = Instant::now();
        let answer = timeout(PATIENCE, client.sample()).await;
        // Whoever shows them ends this, too.
        let _ = answers.send(answer.unwrap_or_else(|_| Err(silent())));
    }
}

async fn show(
    mut terminal: Restored,
    mut state: State,
    mut answers: mpsc::UnboundedReceiver<Answer>,
    pace: watch::Sender<Duration>,
    mut signals: Signals,
) -> io::Result<()> {
    let mut screen = Screen::new();
    let mut events = EventStream::new();
    loop {
        terminal.0.draw(|frame| screen.draw(frame, &state))?;
        select! {
            Some(answer) = answers.recv() => state.take(answer),
            event = events.next() => match event.transpose()? {
                Some(Event::Key(key)) if key.kind != KeyEventKind::Release => {
                    if state.press(key, screen.page()) {
                        return Ok(());
                    }
                    pace.send_if_modified(|pace| std::mem::replace(pace, state.pace) != state.pace);
                }
                // Of another size, for one thing: it is drawn anew.
                Some(_) => {}
                None => return Ok(()),
            },
            () = signals.any() => return Ok(()),
        }
    }
}

/// A terminal that is as before when this is dropped. If there is a panic, [`ratatui::try_init`] has seen to it before
/// that was told.
struct Restored(DefaultTerminal);

impl Drop for Restored {
    fn drop(&mut self) {
        if !thread::panicking() {
            ratatui::restore();
        }
    }
}

/// What ends a program.
struct Signals([Signal; 3]);

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn any(&mut self) {
        let [terminate, interrupt, hangup] = &mut self.0;
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

fn silent() -> Error {
    Error::System {
        action: "asking the daemon",
        source: io::Error::other(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn failed(source: io::Error) -> Error {
    Error::System {
        action: "showing it on the terminal",
        source,
    }
}
