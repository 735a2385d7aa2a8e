//! Two machines that talk all the time through both of their filters, whatever is done to the node.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use crate::inventory::Inventory;
use crate::node::Node;
use crate::site::{client, site, web1};
use crate::streams::{Delivery, Ends, PATIENCE, Pair, Pinger, Stream, Traffic, datagrams};
use crate::vm::Vm;

/// What WEB1 lets in: connections, questions, pings, and a stream.
const RULES: [&str; 4] = [
    "ingress IPv4 tcp 22 from 0.0.0.0/0",
    "ingress IPv4 udp 53 from 0.0.0.0/0",
    "ingress IPv4 udp 7000 from 0.0.0.0/0",
    "ingress IPv4 icmp from 0.0.0.0/0",
];

/// Where neither machine lets anything in.
pub const REFUSED: u16 = 9999;

/// The machines.
pub struct Steady {
    /// WEB1, 10.0.0.5.
    pub web: Vm,
    /// CLIENT, 10.0.0.7.
    pub client: Vm,
}

/// What became of the traffic.
pub struct Outcome {
    /// Connections, questions and pings, and what is refused.
    pub traffic: Traffic,
    /// The stream.
    pub stream: Delivery,
    /// A connection on which nobody has spoken since the beginning.
    pub idle: Pair,
}

/// Both machines and their groups, with these rules of WEB1's besides what the traffic needs.
#[must_use]
pub fn inventory(more: &[&str]) -> Inventory {
    site(&[&RULES, more].concat())
}

impl Steady {
    /// On a node, whose daemon need not run yet.
    #[must_use]
    pub fn new(node: &Node) -> Self {
        let [web, client] = [web1(), client()].map(|port| {
            let vm = Vm::new(node, &port);
            // What waits for a thread of this process, on a busy machine, is not to be lost for want of room.
            let long = |interface: &str| format!("link set {interface} txqueuelen 50000");
            node.netns().ip(&long(&port.interface()));
            vm.netns().ip(&long("eth0"));
            vm
        });
        Self { web, client }
    }

    /// Has traffic go on while something is done to the node, and for a moment before and after.
    pub fn during(&self, work: impl FnOnce()) -> Outcome {
        let (inside, outside) = (self.web.netns(), self.client.netns());
        let (busy, idle) = (
            Pair::open(outside, inside, "10.0.0.5:22"),
            Pair::open(outside, inside, "10.0.0.5:22"),
        );
        let (server, asker) = (
            datagrams(inside, "10.0.0.5:53"),
            datagrams(outside, "10.0.0.7:5000"),
        );
        for end in [&server, &asker] {
            end.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let pinger = Pinger::new(outside, PATIENCE);
        let stream = Stream::new(
            datagrams(outside, "10.0.0.7:7000"),
            datagrams(inside, "10.0.0.5:7000"),
        );
        let forbidden = [
            (outside, "10.0.0.7:0", inside, format!("10.0.0.5:{REFUSED}")),
            (inside, "10.0.0.5:0", outside, format!("10.0.0.7:{REFUSED}")),
        ];
        let forbidden = forbidden.map(|(from, source, to, destination)| {
            (datagrams(from, source), datagrams(to, &destination))
        });
        let traffic = Traffic::default();
        let stream = thread::scope(|scope| {
            let ends = Ends(&traffic);
            let (traffic, stream) = (&traffic, &stream);
            let stream = scope.spawn(move || stream.run(traffic));
            scope.spawn(move || traffic.busy(busy));
            scope.spawn(|| traffic.asks(&asker, &server));
            scope.spawn(|| traffic.pings(&pinger, [10, 0, 0, 5]));
            traffic.answers(5, "before");
            let ways = forbidden.each_ref().map(|(from, to)| (from, to));
            scope.spawn(move || traffic.refused(ways));
            work();
            traffic.answers(5, "after");
            drop(ends);
            stream.join().unwrap()
        });
        let outcome = Outcome {
            traffic,
            stream,
            idle,
        };
        outcome.tell();
        outcome
    }
}

impl Outcome {
    /// One number each.
    #[must_use]
    pub fn counts(of: &[AtomicU64; 3]) -> [u64; 3] {
        of.each_ref().map(|count| count.load(Relaxed))
    }

    /// Prints it.
    pub fn tell(&self) {
        let Self {
            traffic, stream, ..
        } = self;
        eprintln!(
            "{stream:?}; TCP, UDP, pings: {:?} answered, {:?} lost, TCP waited {} ms; {} of {} refused passed",
            Self::counts(&traffic.answered),
            Self::counts(&traffic.lost),
            traffic.longest.load(Relaxed),
            traffic.passed.load(Relaxed),
            traffic.sent.load(Relaxed),
        );
    }

    /// What was lost, and what has passed that is refused, in sentences.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let Self {
            traffic, stream, ..
        } = self;
        let (sent, came) = (stream.sent, stream.came);
        let lost = Self::counts(&traffic.lost);
        let (tried, passed) = (traffic.sent.load(Relaxed), traffic.passed.load(Relaxed));
        let gaps = [
            (
                came != sent,
                format!("{came} of {sent} datagrams of the stream have come"),
            ),
            (
                lost != [0; 3],
                format!("exchanges over TCP and UDP and pings that were lost: {lost:?}"),
            ),
            (
                passed > 0,
                format!("{passed} of {tried} refused datagrams have passed"),
            ),
            (tried == 0, "nothing was refused".to_owned()),
        ];
        let gaps = gaps.into_iter().filter(|(is_so, _)| *is_so);
        gaps.map(|(_, what)| what).collect()
    }

    /// Nothing was lost, and nothing that is refused has passed; what was idle goes on, whoever speaks first.
    pub fn expect_no_gap(mut self) {
        self.idle
            .server_first("an idle connection, the server first");
        assert_eq!(self.gaps(), Vec::<String>::new());
    }
}
