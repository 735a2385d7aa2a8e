//! A program in a terminal, and what a person would see there.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use vt100::Parser;

use crate::daemon::Daemon;
use crate::node::{Node, program};

/// How long it may take until something is seen.
const PATIENCE: Duration = Duration::from_secs(20);

/// `sgctl` in a terminal. It is killed when dropped.
pub struct Terminal {
    process: Daemon,
    keyboard: File,
    screen: Arc<Mutex<Parser>>,
}

impl Terminal {
    /// Starts `sgctl` with these words, for the daemon of a node, in a terminal of so many rows and columns.
    #[must_use]
    pub fn start(node: &Node, words: &str, rows: u16, columns: u16) -> Self {
        let pty = openpty(&size(rows, columns), None);
        let pty = pty.unwrap_or_else(|e| panic!("cannot make a terminal: {e}"));
        let keyboard = File::from(pty.master);
        let end = || {
            let copy = pty.slave.try_clone();
            copy.unwrap_or_else(|e| panic!("cannot share a terminal: {e}"))
        };
        let mut command = Command::new(program("sgctl"));
        command.arg("--socket").arg(node.socket());
        command.args(words.split_whitespace());
        command.stdin(end()).stdout(end()).stderr(end());
        let process = Daemon::start(node.netns(), command);
        let screen = Parser::new(count(rows), count(columns), 0);
        let terminal = Self {
            process,
            screen: Arc::new(Mutex::new(screen)),
            keyboard,
        };
        terminal.follow();
        terminal
    }

    /// Shows what the program writes, until it has ended.
    fn follow(&self) {
        let mut output = self.keyboard();
        let screen = self.screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
                screen.process(&bytes[..length]);
            }
        });
    }

    fn keyboard(&self) -> File {
        let copy = self.keyboard.try_clone();
        copy.unwrap_or_else(|e| panic!("cannot share a terminal: {e}"))
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Parser) -> T) -> T {
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        look(&mut screen)
    }

    /// What is on the screen.
    #[must_use]
    pub fn text(&self) -> String {
        self.seen(|parser| parser.screen().contents())
    }

    /// Types.
    pub fn type_in(&mut self, keys: &str) {
        let typed = self.keyboard.write_all(keys.as_bytes());
        typed.unwrap_or_else(|e| panic!("cannot type {keys:?}: {e}"));
    }

    /// Gives it another size, and tells the program.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.seen(|parser| parser.screen_mut().set_size(count(rows), count(columns)));
        let mut stty = Command::new("stty");
        stty.args(["rows", &rows.to_string(), "cols", &columns.to_string()]);
        let done = stty.stdin(self.keyboard()).status();
        let done = done.unwrap_or_else(|e| panic!("cannot run stty: {e}"));
        assert!(done.success(), "cannot resize a terminal");
        self.signal(Signal::SIGWINCH);
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.pid().cast_signed());
        kill(pid, signal).unwrap_or_else(|e| panic!("cannot signal {pid}: {e}"));
    }

    /// Waits until something is seen.
    ///
    /// # Panics
    /// If it is not; with what is on the screen.
    pub fn wait_for(&self, what: &str, mut is_seen: impl FnMut(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_seen(&self.text()) {
            assert!(Instant::now() < deadline, "{what}:\n{}", self.text());
            sleep(Duration::from_millis(20));
        }
    }

    /// How it ends, which has to be soon.
    ///
    /// # Panics
    /// If it goes on.
    pub fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.ended() {
                return status;
            }
            assert!(Instant::now() < deadline, "it goes on:\n{}", self.text());
            sleep(Duration::from_millis(20));
        }
    }

    /// Whether it is as a shell wants it: lines are edited and echoed, the cursor is seen, and so is what was there
    /// before the program.
    #[must_use]
    pub fn is_as_before(&self) -> bool {
        let modes = tcgetattr(&self.keyboard);
        let modes = modes.unwrap_or_else(|e| panic!("cannot ask a terminal: {e}"));
        let cooked = LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG;
        let is_free = self.seen(|parser| {
            let screen = parser.screen();
            !screen.alternate_screen() && !screen.hide_cursor()
        });
        modes.local_flags.contains(cooked) && is_free
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn count(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).unwrap_or_else(|| panic!("a terminal has rows and columns"))
}
