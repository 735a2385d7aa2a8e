//! What joins the hosts: a bridge for `br-int`, and the server's network stack on it.

use std::fmt;
use std::sync::Arc;

use crate::cable::Cable;
use crate::mac::Mac;
use crate::netns::Netns;
use crate::tap::Tap;

/// The server's address.
pub const SERVER: &str = "10.77.0.1";
/// Its IPv6 address.
pub const SERVER6: &str = "2001:db8:77::1";
/// Its address in [`VLAN`].
const SERVER_IN_VLAN: &str = "10.78.0.1";
/// The VLAN of the subport.
pub const VLAN: u16 = 100;

/// The server's MAC.
const SERVER_MAC: Mac = Mac([0x02, 0, 0, 0, 0x77, 0x01]);

/// The fabric and the server's stack.
///
/// The server is behind a cable, as a guest would be: whatever offloads there are, its frames come checksummed
/// and no longer than the MTU, so that a frame looks the same wherever it is recorded.
pub struct Fabric {
    // Before the namespaces: the cable holds taps in them.
    _cable: Cable,
    server: Netns,
    netns: Netns,
}

impl Fabric {
    /// One without hosts.
    #[must_use]
    pub fn new() -> Self {
        let netns = Netns::new("fabric");
        netns.set("ipv6/conf/all/disable_ipv6", "1");
        netns.set("ipv6/conf/default/disable_ipv6", "1");
        for key in ["iptables", "ip6tables", "arptables"] {
            netns.set(&format!("bridge/bridge-nf-call-{key}"), "0");
        }
        bridge(&netns, "br-int", "");
        let trunk = Tap::new(&netns, "tap-server", None);
        netns.ip("link set tap-server master br-int");
        let server = Netns::new("server");
        server.set("ipv6/conf/all/accept_dad", "0");
        server.set("ipv6/conf/default/accept_dad", "0");
        // It is the router: it asks for none.
        server.set("ipv6/conf/default/router_solicitations", "0");
        let untagged = Tap::new(&server, "eth0", Some(SERVER_MAC));
        server.ip(&format!("address add {SERVER}/24 dev eth0"));
        server.ip(&format!("address add {SERVER6}/64 dev eth0"));
        let tagged = Tap::new(&server, "eth1", Some(SERVER_MAC));
        server.set("ipv6/conf/eth1/disable_ipv6", "1");
        server.ip(&format!("address add {SERVER_IN_VLAN}/24 dev eth1"));
        let ends = vec![(None, untagged), (Some(VLAN), tagged)];
        Self {
            _cable: Cable::new(Arc::new(trunk), ends),
            server,
            netns,
        }
    }

    /// The server's network stack.
    #[must_use]
    pub fn server(&self) -> &Netns {
        &self.server
    }

    /// Its own namespace, with the bridge.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Lays a wire from an interface of a host to one of the bridge.
    pub fn connect(&self, host: &Netns, there: &str, here: &str) {
        let netns = self.netns.name();
        host.ip(&format!(
            "link add {there} type veth peer name {here} netns {netns}"
        ));
        self.netns.ip(&format!("link set {here} master br-int up"));
    }
}

impl fmt::Debug for Fabric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fabric")
    }
}

/// A bridge that forwards everything, also LLDP and the like, which bridges otherwise keep to themselves.
pub fn bridge(netns: &Netns, name: &str, options: &str) {
    netns.ip(&format!(
        "link add {name} type bridge mcast_snooping 0 stp_state 0 forward_delay 0 group_fwd_mask 0xfff8 {options}"
    ));
    netns.ip(&format!("link set {name} up"));
}
