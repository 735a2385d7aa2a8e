//! Virtual machines: with a network stack of its own, or played by the test.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use crate::cable::Cable;
use crate::inventory::Port;
use crate::netns::Netns;
use crate::node::Node;
use crate::tap::Tap;

/// A virtual machine with a network stack of its own.
///
/// The stack is a namespace whose `eth0` is a tap; a thread copies frames between it and the
/// tap on the compute node, as a hypervisor's emulated network card does. To the node it is a VM:
/// what its stack does shows only as frames.
#[derive(Debug)]
pub struct Vm {
    port: Port,
    tap: Arc<Tap>,
    // Before the namespace: the cable holds a tap in it.
    cable: Option<Arc<Cable>>,
    netns: Netns,
}

impl Vm {
    /// Plugs a machine with the port's MAC and addresses (/24 and /64) into the node's bridge.
    #[must_use]
    pub fn new(node: &Node, port: &Port) -> Self {
        let [machine] = Self::trunk(node, port, []);
        machine
    }

    /// Plugs in a machine with subports, each in its VLAN: the parent first, then they. Each has a network
    /// stack of its own, as if the machine kept its VLAN interfaces in namespaces; all are on one tap.
    #[must_use]
    pub fn trunk<const SUBPORTS: usize, const ALL: usize>(
        node: &Node,
        parent: &Port,
        subports: [(&Port, u16); SUBPORTS],
    ) -> [Self; ALL] {
        let subports = subports.map(|(port, vlan)| (port, Some(vlan)));
        let ports: Vec<_> = [(parent, None)].into_iter().chain(subports).collect();
        let tap = Arc::new(node.tap(&parent.interface()));
        let (stacks, ends): (Vec<_>, Vec<_>) = ports
            .iter()
            .map(|(port, vlan)| {
                let (netns, eth0) = stack(port);
                (netns, (*vlan, eth0))
            })
            .unzip();
        let cable = Arc::new(Cable::new(Arc::clone(&tap), ends));
        let machines = stacks
            .into_iter()
            .zip(ports)
            .map(|(netns, (port, _))| Self {
                port: port.clone(),
                tap: Arc::clone(&tap),
                cable: Some(Arc::clone(&cable)),
                netns,
            });
        let machines: Vec<_> = machines.collect();
        let count = machines.len();
        <[Self; ALL]>::try_from(machines)
            .unwrap_or_else(|_| panic!("a parent and {SUBPORTS} subports are {count}, not {ALL}"))
    }

    /// Unplugs the machine, which has no subports, and plugs it in at another node, with all that goes on in its
    /// stack.
    pub fn move_to(&mut self, node: &Node) {
        self.cable = None;
        self.tap = Arc::new(node.tap(&self.port.interface()));
        let eth0 = plug(&self.netns, &self.port);
        let cable = Cable::new(Arc::clone(&self.tap), vec![(None, eth0)]);
        self.cable = Some(Arc::new(cable));
    }

    /// The name of its port.
    #[must_use]
    pub fn name(&self) -> &str {
        self.port.name()
    }

    /// Its network stack.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Its first IPv4 address.
    #[must_use]
    pub fn v4(&self) -> IpAddr {
        self.address(IpAddr::is_ipv4)
    }

    /// Its first IPv6 address.
    #[must_use]
    pub fn v6(&self) -> IpAddr {
        self.address(IpAddr::is_ipv6)
    }

    /// Sends a frame of any content past the machine's stack, as root in the machine can.
    pub fn send(&self, frame: &[u8]) {
        self.tap.send(frame);
    }

    /// As [`Vm::send`]; says whether the tap has taken the frame, which may be of any length.
    #[must_use]
    pub fn offer(&self, frame: &[u8]) -> bool {
        self.tap.offer(frame)
    }

    fn address(&self, family: impl Fn(&IpAddr) -> bool) -> IpAddr {
        let mut addresses = self.port.addresses().iter();
        *addresses
            .find(|address| family(address))
            .unwrap_or_else(|| panic!("{} has no address of that family", self.name()))
    }
}

/// A network stack with the port's MAC and addresses.
fn stack(port: &Port) -> (Netns, Tap) {
    let netns = Netns::new(&port.name().to_lowercase());
    // Duplicate address detection would keep every address unusable for a second.
    netns.set("ipv6/conf/all/accept_dad", "0");
    netns.set("ipv6/conf/default/accept_dad", "0");
    let eth0 = plug(&netns, port);
    (netns, eth0)
}

/// The interface of a network stack, with the port's MAC and addresses.
fn plug(netns: &Netns, port: &Port) -> Tap {
    let eth0 = Tap::new(netns, "eth0", Some(port.mac_address()));
    for address in port.addresses() {
        let length = if address.is_ipv4() { 24 } else { 64 };
        netns.ip(&format!("address add {address}/{length} dev eth0"));
    }
    eth0
}

/// A virtual machine played by the test: it sends and receives frames, nothing answers by itself.
#[derive(Debug)]
pub struct RawVm {
    tap: Tap,
}

impl RawVm {
    /// Plugs it into the node's bridge, behind the interface of this port.
    #[must_use]
    pub fn new(node: &Node, port: &Port) -> Self {
        Self {
            tap: node.tap(&port.interface()),
        }
    }

    /// Plugs it in behind an interface of this name.
    #[must_use]
    pub fn on(node: &Node, interface: &str) -> Self {
        Self {
            tap: node.tap(interface),
        }
    }
}

impl Deref for RawVm {
    type Target = Tap;

    fn deref(&self) -> &Tap {
        &self.tap
    }
}
