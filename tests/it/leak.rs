//! A leak: forged frames from a filtered machine, counted where they would come out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sg_tests::inventory::Inventory;
use sg_tests::node::Node;
use sg_tests::packet::udp;
use sg_tests::vm::RawVm;

use crate::site::{site, web1};

/// Between two forged frames.
const EVERY: Duration = Duration::from_millis(2);

/// Time for a frame to cross a bridge.
const SOON: Duration = Duration::from_secs(2);

/// WEB1 on a node, played by the test, beside a tap of no port.
pub struct Leak {
    pub web: RawVm,
    witness: RawVm,
    pub node: Node,
}

impl Leak {
    /// A node whose daemon runs, attaching in this way.
    pub fn new(label: &str, way: &str) -> Self {
        let leak = Self::before_the_daemon(label);
        leak.start(way)
    }

    /// A node whose daemon is not started yet.
    pub fn before_the_daemon(label: &str) -> Self {
        let node = Node::new(label);
        let (web, witness) = (RawVm::new(&node, &web1()), RawVm::on(&node, "tap-witness"));
        Self { web, witness, node }
    }

    /// Starts the daemon.
    pub fn start(self, way: &str) -> Self {
        self.start_as(&site(&[]), way)
    }

    /// Starts the daemon with these settings.
    pub fn start_with_settings(mut self, settings: &str) -> Self {
        self.node.write(&site(&[]));
        self.node.start_with_settings(settings);
        self
    }

    /// Starts the daemon with an inventory.
    pub fn start_as(mut self, inventory: &Inventory, way: &str) -> Self {
        let inventory = inventory.json().to_string();
        std::fs::write(self.node.inventory_path(), inventory).unwrap();
        self.node.start_with(&["--attach", way]);
        self
    }

    /// Forged frames that come out while something is done.
    pub fn during<T>(&self, work: impl FnOnce() -> T) -> (usize, T) {
        let done = while_forging(&self.web, work);
        (self.seen(&forged()), done)
    }

    /// As [`Leak::during`], for what is done to the node.
    pub fn during_with<T>(&mut self, work: impl FnOnce(&mut Node) -> T) -> (usize, T) {
        let Self { web, node, .. } = self;
        let done = while_forging(web, || work(node));
        (self.seen(&forged()), done)
    }

    /// Forged frames that come out of a hundred.
    pub fn leaks(&self) -> usize {
        self.during(|| thread::sleep(100 * EVERY)).0
    }

    /// Whether what the machine may send comes out.
    pub fn passes(&self) -> bool {
        let honest = udp("10.0.0.5:1000", "10.0.0.9:2000").bytes();
        self.web.send(&honest);
        self.witness.find(SOON, |frame| frame == honest).is_some()
    }

    /// All that comes out until it is quiet.
    pub fn arrived(&self) -> Vec<Vec<u8>> {
        const QUIET: Duration = Duration::from_millis(300);
        std::iter::from_fn(|| self.witness.recv(QUIET)).collect()
    }

    /// Sends a frame from the tap of no port.
    pub fn send_to_web(&self, frame: &[u8]) {
        self.witness.send(frame);
    }

    /// That WEB1 is filtered, and neither open nor closed.
    #[track_caller]
    pub fn expect_filtered(&self) {
        assert_eq!(self.leaks(), 0, "forged frames pass:\n{}", self.node.log());
        assert!(self.passes(), "nothing passes:\n{}", self.node.log());
    }

    fn seen(&self, wanted: &[u8]) -> usize {
        const QUIET: Duration = Duration::from_millis(100);
        let next = || self.witness.find(QUIET, |frame| frame == wanted);
        std::iter::from_fn(next).count()
    }
}

/// Sends forged frames while something is done.
fn while_forging<T>(web: &RawVm, work: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let send = || {
        while !over.load(Ordering::Relaxed) {
            // A tap that is being moved takes nothing.
            let _ = web.offer(&forged());
            thread::sleep(EVERY);
        }
    };
    let done = thread::scope(|scope| {
        scope.spawn(send);
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        over.store(true, Ordering::Relaxed);
        done
    });
    done.unwrap_or_else(|cause| std::panic::resume_unwind(cause))
}

/// What no machine of the site may send.
pub fn forged() -> Vec<u8> {
    udp("10.0.9.9:1000", "10.0.0.9:2000").bytes()
}
