//! A process of ours that runs beside the test.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::netns::Netns;

/// A running process in a namespace. Killed on drop, and by the kernel if this process dies.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    keeper: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Daemon {
    /// Starts `command` inside the namespace.
    #[must_use]
    pub fn start(netns: &Netns, mut command: Command) -> Self {
        // A group of its own: Ctrl-C is for us, who then end it in order.
        command.process_group(0);
        die_with_parent(&mut command);
        let shown = format!("{command:?}");
        let mut spawn = move || command.spawn();
        // The parent that a death signal watches is the thread that started the process, so
        // that thread stays until the process has ended.
        let (send_child, child) = mpsc::channel();
        let (keep, kept) = mpsc::channel::<()>();
        let thread = netns.spawn(move || {
            let _ = send_child.send(spawn());
            let _ = kept.recv();
        });
        let child = child
            .recv()
            .unwrap_or_else(|_| panic!("`{shown}` was not started"));
        let child = child.unwrap_or_else(|e| panic!("cannot start `{shown}`: {e}"));
        Self {
            child,
            keeper: Some((keep, thread)),
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .unwrap_or_else(|e| panic!("cannot wait for {}: {e}", self.pid()))
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub fn terminate(mut self, timeout: Duration) -> ExitStatus {
        if self.ended().is_none() {
            // Not yet waited for, so the pid is still its own.
            let pid = Pid::from_raw(self.pid().cast_signed());
            kill(pid, Signal::SIGTERM).unwrap_or_else(|e| panic!("cannot signal {pid}: {e}"));
        }
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            let pid = self.pid();
            assert!(
                Instant::now() < deadline,
                "process {pid} did not stop within {timeout:?}"
            );
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some((keep, thread)) = self.keeper.take() {
            drop(keep);
            let _ = thread.join();
        }
    }
}

fn die_with_parent(command: &mut Command) {
    let ask = || set_pdeathsig(Signal::SIGKILL).map_err(std::io::Error::from);
    // SAFETY: `prctl` is a bare system call, safe between fork and exec.
    unsafe { command.pre_exec(ask) };
}
