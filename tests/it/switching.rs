//! A node of Neutron's hybrid iptables driver is switched to this filter in place, and back, under traffic.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto,
    setsockopt, socket, sockopt::ReceiveTimeout,
};
use nix::sys::time::{TimeVal, TimeValLike};
use sg_tests::hybrid::{self, Chains, Fabric};
use sg_tests::inventory::{Inventory, Port, group, port};
use sg_tests::netns::Netns;
use sg_tests::node::Node;
use sg_tests::vm::Vm;

/// Longer than any retransmission of a few lost segments.
const PATIENCE: Duration = Duration::from_secs(8);
/// Long enough for what passes to have come.
const SILENCE: Duration = Duration::from_millis(400);
/// How often each stream sends.
const BEAT: Duration = Duration::from_millis(5);

const FABRIC: &str = "10.0.0.1";
/// Where nothing may come through.
const REFUSED: u16 = 9999;

fn web() -> Port {
    port("WEB1").ip("10.0.0.5").groups(&["WEB"])
}

fn database() -> Port {
    port("DB1").ip("10.0.0.6").groups(&["DB"])
}

fn inventory() -> Inventory {
    let web_ = group("WEB")
        .rule("ingress IPv4 tcp 22")
        .rule("ingress IPv4 icmp")
        .rule("egress IPv4 udp 53")
        .rule("egress IPv4 tcp 5432");
    let db = group("DB").rule("ingress IPv4 tcp 5432");
    Inventory::new()
        .port(web())
        .port(database())
        .group(web_)
        .group(db)
}

/// The same for iptables.
fn chains<'a>(web: &'a Port, database: &'a Port) -> [Chains<'a>; 2] {
    [
        Chains {
            port: web,
            zone: 4097,
            ingress: &["-p tcp -m tcp --dport 22", "-p icmp"],
            egress: &["-p udp -m udp --dport 53", "-p tcp -m tcp --dport 5432"],
        },
        Chains {
            port: database,
            zone: 4098,
            ingress: &["-p tcp -m tcp --dport 5432"],
            egress: &[],
        },
    ]
}

/// Both ends of an open TCP connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    fn open(client: &Netns, server: &Netns, address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let listener = server.run(|| TcpListener::bind(address)).unwrap();
        let client = client.run(|| TcpStream::connect_timeout(&address, PATIENCE));
        let client = client.unwrap_or_else(|e| panic!("{address}: {e}"));
        let (server, _) = listener.accept().unwrap();
        for end in [&client, &server] {
            end.set_nodelay(true).unwrap();
            end.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut pair = Self { client, server };
        pair.client_first("the opening");
        pair.server_first("the opening");
        pair
    }

    #[track_caller]
    fn client_first(&mut self, when: &str) {
        say(&mut self.client, &mut self.server).unwrap_or_else(|e| panic!("{when}: {e}"));
    }

    #[track_caller]
    fn server_first(&mut self, when: &str) {
        say(&mut self.server, &mut self.client).unwrap_or_else(|e| panic!("{when}: {e}"));
    }

    /// Whether what the server says does not get to its client.
    fn is_cut(&mut self) -> bool {
        self.client.set_read_timeout(Some(SILENCE)).unwrap();
        say(&mut self.server, &mut self.client).is_err()
    }
}

/// One end speaks, and the other hears it.
fn say(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
    from.write_all(b"hello")?;
    to.read_exact(&mut [0; 5])
}

fn datagrams(netns: &Netns, address: &str) -> UdpSocket {
    let bound = netns.run(|| UdpSocket::bind(address));
    let bound = bound.unwrap_or_else(|e| panic!("{address}: {e}"));
    bound.set_read_timeout(Some(SILENCE)).unwrap();
    bound
}

/// One end sends a datagram, and the other gets it.
#[track_caller]
fn datagram(from: &UdpSocket, to: &UdpSocket) {
    from.send_to(b"hello", to.local_addr().unwrap()).unwrap();
    to.recv(&mut [0; 16]).expect("the datagram has come");
}

/// A socket that pings.
struct Pinger(OwnedFd);

impl Pinger {
    fn new(netns: &Netns) -> Self {
        netns.set("ipv4/ping_group_range", "0 0");
        let (family, kind) = (AddressFamily::Inet, SockType::Datagram);
        let open = || socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp);
        let pinger = netns.run(open).unwrap();
        let timeout = TimeVal::milliseconds(SILENCE.as_millis() as i64);
        setsockopt(&pinger, ReceiveTimeout, &timeout).unwrap();
        Self(pinger)
    }

    /// Whether an echo is answered.
    fn ping(&self, [a, b, c, d]: [u8; 4]) -> bool {
        let echo = [8, 0, 0, 0, 0, 0, 0, 1];
        let (socket, to) = (self.0.as_raw_fd(), SockaddrIn::new(a, b, c, d, 0));
        sendto(socket, &echo, &to, MsgFlags::empty()).unwrap();
        matches!(recv(socket, &mut [0; 64], MsgFlags::empty()), Ok(8))
    }
}

/// What goes on all the time, and what came of it.
#[derive(Default)]
struct Traffic {
    ended: AtomicBool,
    /// Exchanges over TCP and over UDP, and pings.
    answered: [AtomicU64; 3],
    lost: [AtomicU64; 3],
    /// The longest that TCP has waited for an answer, in milliseconds.
    longest: AtomicU64,
    /// Datagrams that no filter permits.
    sent: AtomicU64,
    passed: AtomicU64,
}

impl Traffic {
    fn goes_on(&self) -> bool {
        thread::sleep(BEAT);
        !self.ended.load(Relaxed)
    }

    fn note(&self, kind: usize, answered: bool) {
        let of = if answered { &self.answered } else { &self.lost };
        of[kind].fetch_add(1, Relaxed);
    }

    /// A client that never rests.
    fn busy(&self, mut pair: Pair) {
        while self.goes_on() {
            let begun = Instant::now();
            pair.client_first("a busy client");
            pair.server_first("a busy server");
            self.note(0, true);
            self.longest
                .fetch_max(begun.elapsed().as_millis() as u64, Relaxed);
        }
    }

    /// A VM that asks a server.
    fn asks(&self, vm: &UdpSocket, server: &UdpSocket) {
        let to = server.local_addr().unwrap();
        while self.goes_on() {
            vm.send_to(b"ask", to).unwrap();
            let answered = server
                .recv_from(&mut [0; 16])
                .and_then(|(_, from)| server.send_to(b"answer", from))
                .and_then(|_| vm.recv(&mut [0; 16]));
            self.note(1, answered.is_ok());
        }
    }

    fn pings(&self, pinger: &Pinger) {
        while self.goes_on() {
            self.note(2, pinger.ping([10, 0, 0, 5]));
        }
    }

    /// Sends what is refused, each way, and counts what comes.
    fn refused(&self, ways: [(&UdpSocket, &UdpSocket); 2]) {
        for (_, to) in ways {
            to.set_nonblocking(true).unwrap();
        }
        while self.goes_on() {
            for (from, to) in ways {
                from.send_to(b"let me in", to.local_addr().unwrap())
                    .unwrap();
                self.sent.fetch_add(1, Relaxed);
                while to.recv(&mut [0; 16]).is_ok() {
                    self.passed.fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// Waits until all has been answered again, and then many times without a loss.
    #[track_caller]
    fn flows(&self, when: &str) {
        // What was lost before is known to be by then.
        self.answers(1, when);
        let lost = || self.lost.each_ref().map(|count| count.load(Relaxed));
        let before = lost();
        self.answers(10, when);
        assert_eq!(before, lost(), "{when}: lost");
    }

    /// Waits until each of them has been answered so many times more.
    #[track_caller]
    fn answers(&self, times: u64, when: &str) {
        let answered = || self.answered.each_ref().map(|count| count.load(Relaxed));
        let (before, deadline) = (answered(), Instant::now() + PATIENCE);
        while answered()
            .iter()
            .zip(before)
            .any(|(now, before)| *now < before + times)
        {
            assert!(Instant::now() < deadline, "{when}: {:?}", answered());
            thread::sleep(BEAT);
        }
    }
}

#[test]
fn a_node_is_switched_and_back_and_no_connection_notices() {
    let begun = Instant::now();
    let (web, database) = (web(), database());
    let mut node = Node::new("hybrid");
    let fabric = Fabric::new("10.0.0.1/24");
    let [vm, db] = [&web, &database].map(|port| {
        let vm = Vm::new(&node, port);
        fabric.plug(node.netns(), port);
        vm
    });
    let (outside, inside) = (fabric.netns(), vm.netns());
    let forbidden = [
        (format!("{FABRIC}:0"), format!("10.0.0.5:{REFUSED}")),
        ("10.0.0.5:0".to_owned(), format!("{FABRIC}:{REFUSED}")),
    ];
    let ways = [(outside, inside), (inside, outside)];
    let forbidden: Vec<_> = ways
        .into_iter()
        .zip(&forbidden)
        .map(|((from, to), (source, destination))| {
            (datagrams(from, source), datagrams(to, destination))
        })
        .collect();
    // Without a filter it comes; otherwise its absence would prove nothing.
    for (from, to) in &forbidden {
        datagram(from, to);
    }
    let chains = chains(&web, &database);
    hybrid::enforce(node.netns(), &chains);
    // What is idle for as long as the test takes is not over.
    node.netns()
        .set("netfilter/nf_conntrack_udp_timeout", "120");

    let open = |address: &str| Pair::open(outside, inside, address);
    let (busy, mut vm_first, mut peer_first) = (
        open("10.0.0.5:22"),
        open("10.0.0.5:22"),
        open("10.0.0.5:22"),
    );
    let mut neighbours = Pair::open(inside, db.netns(), "10.0.0.6:5432");
    // Permitted once, and no longer by the rules of either filter; iptables goes by its connection.
    let chain = hybrid::ingress_chain(&web);
    hybrid::iptables(
        node.netns(),
        &format!("-I {chain} 2 -p tcp -m tcp --dport 80 -j RETURN"),
    );
    let mut unwanted = open("10.0.0.5:80");
    hybrid::iptables(node.netns(), &format!("-D {chain} 2"));
    unwanted.server_first("under iptables");
    let (resolver, asker) = (
        datagrams(outside, "10.0.0.1:53"),
        datagrams(inside, "10.0.0.5:5000"),
    );
    let (idle, pinger) = (datagrams(inside, "10.0.0.5:5001"), Pinger::new(outside));
    let (other, resolver_) = (datagrams(inside, "10.0.0.5:5002"), &resolver);
    for quiet in [&idle, &other] {
        datagram(quiet, resolver_);
        datagram(resolver_, quiet);
    }

    let traffic = Traffic::default();
    thread::scope(|scope| {
        let ends = Ends(&traffic);
        let traffic = &traffic;
        let forbidden = [&forbidden[0], &forbidden[1]].map(|(from, to)| (from, to));
        scope.spawn(move || traffic.busy(busy));
        scope.spawn(|| traffic.asks(&asker, &resolver));
        scope.spawn(|| traffic.pings(&pinger));
        scope.spawn(move || traffic.refused(forbidden));
        traffic.flows("under iptables");

        node.start(&inventory());
        let adopted = node.sgctl("-o json flows adopt");
        adopted.expect(4);
        let report: serde_json::Value = serde_json::from_str(&adopted.stdout).unwrap();
        let of = |port: &Port| {
            let mut ports = report["ports"].as_array().unwrap().iter();
            ports
                .find(|adopted| adopted["port"] == port.id().to_string().as_str())
                .unwrap()
        };
        let (of_web, of_db) = (of(&web), of(&database));
        assert_eq!(of_web["zone"], 4097, "{report}");
        assert_eq!(of_web["refused"][0]["local_port"], 80, "{report}");
        assert_eq!(
            of_web["refused"].as_array().map(Vec::len),
            Some(1),
            "{report}"
        );
        let sum = |of: &serde_json::Value| {
            of["adopted"].as_u64().unwrap() + of["existing"].as_u64().unwrap()
        };
        assert!(sum(of_web) >= 8, "{report}");
        assert_eq!(sum(of_db), 1, "{report}");
        traffic.flows("under both");
        neighbours.server_first("neighbours, under both");
        assert!(
            unwanted.is_cut(),
            "a connection that no rule permits was adopted"
        );

        hybrid::iptables(node.netns(), "-D FORWARD -j neutron-openvswi-FORWARD");
        hybrid::iptables(node.netns(), "-D INPUT -j neutron-openvswi-INPUT");
        traffic.flows("under this filter");
        vm_first.server_first("the VM speaks first");
        peer_first.client_first("its client speaks first");
        datagram(resolver_, &idle);
        let listed = node.query("flows list --port WEB1 -p tcp --dport 22");
        let listed = listed.as_array().unwrap();
        assert!(
            listed.iter().all(|flow| flow["direction"] == "ingress"),
            "{listed:?}"
        );
        assert_eq!(listed.len(), 3, "{listed:?}");

        hybrid::iptables(node.netns(), "-A FORWARD -j neutron-openvswi-FORWARD");
        hybrid::iptables(node.netns(), "-A INPUT -j neutron-openvswi-INPUT");
        traffic.flows("under both again");
        node.terminate();
        node.sgd("detach").expect(0);
        traffic.flows("under iptables again");
        vm_first.server_first("the VM speaks first again");
        peer_first.client_first("its client speaks first again");
        neighbours.client_first("neighbours, under iptables again");
        datagram(resolver_, &other);
        drop(ends);
    });
    let count = |of: &AtomicU64| of.load(Relaxed);
    let [tcp, udp, pings] = traffic.answered.each_ref().map(count);
    let [_, lost_udp, lost_pings] = traffic.lost.each_ref().map(count);
    eprintln!(
        "TCP {tcp}, longest {} ms; UDP {udp}, {lost_udp} lost; pings {pings}, {lost_pings} lost; {} refused, in {:?}",
        count(&traffic.longest),
        count(&traffic.sent),
        begun.elapsed()
    );
    assert!(count(&traffic.sent) > 100);
    assert_eq!(count(&traffic.passed), 0, "what is refused has passed");
}

/// Ends the traffic, also if the test fails: its threads are waited for.
struct Ends<'a>(&'a Traffic);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Relaxed);
    }
}
