//! Datagrams that a real kernel sends in fragments.

use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use sg_tests::inventory::Inventory;
use sg_tests::netns::Netns;
use sg_tests::node::Node;
use sg_tests::tap::Tap;
use sg_tests::vm::Vm;

use crate::site::{client, site, web1};

/// Six fragments over Ethernet.
const LARGE: [u8; 8000] = [0x5a; 8000];

const PORT: u16 = 5000;

#[test]
fn a_large_datagram_passes_in_both_families_in_order() {
    let scene = Scene::new("in-order");
    for server in [scene.web.v4(), scene.web.v6()] {
        assert!(scene.arrives(server, |_| {}), "{server}");
    }
}

#[test]
fn later_fragments_may_overtake_each_other_but_not_the_first() {
    let scene = Scene::new("shuffled");
    for server in [scene.web.v4(), scene.web.v6()] {
        assert!(
            scene.arrives(server, |fragments| fragments[1..].reverse()),
            "{server}"
        );
        // What cannot be judged yet does not pass, and this filter holds nothing back.
        let dropped = scene.dropped();
        assert!(
            !scene.arrives(server, |fragments| fragments.reverse()),
            "{server}"
        );
        assert_eq!(scene.dropped() - dropped, 5, "{server}");
    }
}

#[test]
fn a_large_datagram_that_no_rule_permits_is_dropped_whole() {
    let scene = Scene::with("refused", &site(&[]));
    for server in [scene.web.v4(), scene.web.v6()] {
        assert!(!scene.arrives(server, |_| {}), "{server}");
    }
}

/// WEB1, and a client whose frames pass through the hands of the test.
struct Scene {
    web: Vm,
    eth0: Tap,
    tap: Tap,
    netns: Netns,
    node: Node,
}

impl Scene {
    fn new(label: &str) -> Self {
        let rules = ["IPv4", "IPv6"].map(|family| format!("ingress {family} udp {PORT}"));
        Self::with(label, &site(&rules.each_ref().map(String::as_str)))
    }

    fn with(label: &str, inventory: &Inventory) -> Self {
        let mut node = Node::new(label);
        let web = Vm::new(&node, &web1());
        let netns = Netns::new("sender");
        netns.set("ipv6/conf/default/accept_dad", "0");
        let eth0 = Tap::new(&netns, "eth0", Some(client().mac_address()));
        let tap = node.tap(&client().interface());
        // Nothing answers questions about neighbors here.
        for (address, length) in client().addresses().iter().zip([24, 64]) {
            netns.ip(&format!("address add {address}/{length} dev eth0 nodad"));
        }
        for address in web1().addresses() {
            let mac = web1().mac_address();
            netns.ip(&format!(
                "neigh add {address} lladdr {mac} dev eth0 nud permanent"
            ));
        }
        node.start(inventory);
        Self {
            web,
            eth0,
            tap,
            netns,
            node,
        }
    }

    /// Whether a large datagram arrives whole when its fragments are sent on in this order.
    fn arrives(&self, server: IpAddr, order: impl Fn(&mut [Vec<u8>])) -> bool {
        let receiver = self.web.netns().run(|| UdpSocket::bind((server, PORT)));
        let receiver = receiver.expect("the server listens");
        receiver
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let any: IpAddr = match server {
            IpAddr::V4(_) => [0, 0, 0, 0].into(),
            IpAddr::V6(_) => [0_u16; 8].into(),
        };
        let sender = self.netns.run(|| UdpSocket::bind((any, 0))).unwrap();
        sender
            .send_to(&LARGE, (server, PORT))
            .expect("the client sends");
        let is_fragment = |frame: &[u8]| frame.len() > 500;
        let next = || self.eth0.find(Duration::from_millis(500), is_fragment);
        let mut fragments: Vec<_> = (0..6).map_while(|_| next()).collect();
        assert_eq!(fragments.len(), 6, "8000 bytes over Ethernet");
        order(&mut fragments);
        for fragment in &fragments {
            self.tap.send(fragment);
        }
        let mut datagram = [0; 9000];
        matches!(receiver.recv(&mut datagram), Ok(length) if datagram[..length] == LARGE)
    }

    /// Fragments of the client that came before their first.
    fn dropped(&self) -> u64 {
        let counters = self.node.query("counters CLIENT");
        let count = &counters[0]["egress"]["fragment_unknown"]["packets"];
        count.as_u64().expect("a count")
    }
}
