//! What TCP costs from end to end: both stacks and the way between them, in one thread.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::clock::{self, Taken};
use super::rules::{SERVER, TCP};
use super::side::Side;
use super::stacks::{CLIENT, Stacks};
use super::statistics::Measured;
use crate::netns::Netns;

/// How long a sample is to take.
const SAMPLE: Duration = Duration::from_millis(25);

/// Bounds of the units of a sample.
const FEWEST: u32 = 8;
const MOST: u32 = 2_000;

/// How long anything may wait.
const PATIENCE: Duration = Duration::from_secs(2);

/// A unit of a stream.
const MEGABYTE: usize = 1 << 20;

/// Who opens connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The VM.
    Vm,
    /// Who is not the VM.
    Far,
}

/// What is done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Connect, ask, answer, close.
    Whole,
    /// Ask and answer on one that is open.
    Ask,
    /// Send as much as goes through, a megabyte at a time.
    Send,
}

/// A side of a row.
pub struct Contestant<'a> {
    /// The side.
    pub side: &'a Side<Stacks>,
    /// What it is compared with, if not with itself.
    pub reference: &'a Side<Stacks>,
    /// Who opens connections.
    pub client: Client,
    /// What is done.
    pub task: Task,
    /// How often in the next sample, here and in the reference.
    pub counts: [u32; 2],
}

impl<'a> Contestant<'a> {
    /// Compares a side with itself without its filter, or with another one if that is no filter to be swapped.
    #[must_use]
    pub fn new(
        side: &'a Side<Stacks>,
        other: &'a Side<Stacks>,
        client: Client,
        task: Task,
    ) -> Self {
        Self {
            side,
            reference: if side.swaps() { side } else { other },
            client,
            task,
            counts: [FEWEST; 2],
        }
    }

    fn take(&mut self, reference: bool) -> Option<f64> {
        let side = if reference { self.reference } else { self.side };
        match reference {
            true => side.bypass(),
            false => side.engage(),
        }
        let count = &mut self.counts[usize::from(reference)];
        let Taken { cpu, waits, .. } = run(&side.wire, self.client, self.task, *count);
        let ns = cpu.as_nanos() as f64 / f64::from(*count);
        // What another thread or ksoftirqd has done is not in this thread's time.
        if waits > i64::from(*count / 50) {
            return None;
        }
        *count = ((SAMPLE.as_nanos() as f64 / ns) as u32).clamp(FEWEST, MOST);
        Some(ns)
    }
}

impl Measured for Contestant<'_> {
    fn name(&self) -> String {
        self.side.who.to_string()
    }

    fn reference(&mut self) -> Option<f64> {
        self.take(true)
    }

    fn sample(&mut self) -> Option<f64> {
        self.take(false)
    }
}

/// Does it so often, in one thread.
fn run(stacks: &Stacks, client: Client, task: Task, count: u32) -> Taken {
    let (from, to, address): (&Netns, &Netns, Ipv4Addr) = match client {
        Client::Vm => (&stacks.vm, &stacks.far, CLIENT.into()),
        Client::Far => (&stacks.far, &stacks.vm, SERVER),
    };
    let address = SocketAddr::new(address.into(), TCP);
    let listener = to.run(|| TcpListener::bind(address));
    let listener = listener.unwrap_or_else(|e| panic!("cannot listen at {address}: {e}"));
    from.run(|| match task {
        Task::Whole => clock::time(|| (0..count).for_each(|_| whole(&listener, address))).1,
        Task::Ask => {
            let mut ends = open(&listener, address);
            ask(&mut ends);
            clock::time(|| (0..count).for_each(|_| ask(&mut ends))).1
        }
        Task::Send => {
            let mut ends = open(&listener, address);
            for end in &ends {
                end.set_nonblocking(true).unwrap_or_else(failed);
            }
            send(&mut ends);
            clock::time(|| (0..count).for_each(|_| send(&mut ends))).1
        }
    })
}

fn open(listener: &TcpListener, address: SocketAddr) -> [TcpStream; 2] {
    let client = TcpStream::connect_timeout(&address, PATIENCE).unwrap_or_else(failed);
    let (server, _) = listener.accept().unwrap_or_else(failed);
    for end in [&client, &server] {
        end.set_nodelay(true).unwrap_or_else(failed);
        end.set_read_timeout(Some(PATIENCE)).unwrap_or_else(failed);
        end.set_write_timeout(Some(PATIENCE)).unwrap_or_else(failed);
    }
    [client, server]
}

fn ask([client, server]: &mut [TcpStream; 2]) {
    let mut question = [7; 64];
    client.write_all(&question).unwrap_or_else(failed);
    server.read_exact(&mut question).unwrap_or_else(failed);
    server.write_all(&question).unwrap_or_else(failed);
    client.read_exact(&mut question).unwrap_or_else(failed);
}

fn whole(listener: &TcpListener, address: SocketAddr) {
    let mut ends = open(listener, address);
    ask(&mut ends);
    let [client, mut server] = ends;
    drop(client);
    let end = server.read(&mut [0; 1]).unwrap_or_else(failed);
    assert_eq!(end, 0, "a closed connection still has something to say");
}

/// A megabyte, written and read in turns.
fn send([client, server]: &mut [TcpStream; 2]) {
    const CHUNK: usize = 1 << 16;
    let (chunk, mut room) = (vec![0; CHUNK], vec![0; CHUNK]);
    let (mut written, mut read) = (0, 0);
    while read < MEGABYTE {
        let wanted = CHUNK.min(MEGABYTE - written);
        written += moved(client.write(&chunk[..wanted]));
        read += moved(server.read(&mut room));
    }
}

fn moved(result: std::io::Result<usize>) -> usize {
    match result {
        Ok(length) => length,
        Err(e) if e.kind() == ErrorKind::WouldBlock => 0,
        Err(e) => panic!("a connection breaks: {e}"),
    }
}

fn failed<T>(error: std::io::Error) -> T {
    panic!("TCP between two stacks fails: {error}")
}
