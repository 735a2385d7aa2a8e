//! One side: the rules that Neutron's own code writes.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};
use serde_json::Value;

use super::{Side, local};
use crate::netns::Netns;
use crate::parity::lab::Lab;
use crate::parity::oracle::Oracle;

/// Neutron's iptables rules.
#[derive(Debug)]
pub struct Iptables {
    // In the order of dropping: the oracle works in the namespace.
    oracle: Oracle,
    conntrack: OwnedFd,
    lab: Lab,
    begun: Option<Value>,
    netns: Netns,
}

impl Iptables {
    /// A lab with an oracle, nothing applied.
    #[must_use]
    pub fn new() -> Self {
        let netns = Netns::new("iptables");
        for key in ["iptables", "ip6tables", "arptables"] {
            netns.set(&format!("bridge/bridge-nf-call-{key}"), "1");
        }
        let lab = Lab::new(&netns);
        let open = || {
            let (family, flags) = (AddressFamily::Netlink, SockFlag::SOCK_CLOEXEC);
            socket(family, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)
        };
        let conntrack = netns
            .run(open)
            .unwrap_or_else(|e| panic!("cannot open a netlink socket: {e}"));
        let oracle = Oracle::start(netns.name());
        Self {
            oracle,
            conntrack,
            lab,
            begun: None,
            netns,
        }
    }

    /// Whether TCP segments must fit the windows, as they must by default.
    pub fn check_windows(&self, check: bool) {
        let liberal = if check { "0" } else { "1" };
        self.netns
            .set("netfilter/nf_conntrack_tcp_be_liberal", liberal);
    }

    /// Whether checksums must be right, as they must by default.
    pub fn check_sums(&self, check: bool) {
        let verified = if check { "1" } else { "0" };
        self.netns.set("netfilter/nf_conntrack_checksum", verified);
    }

    /// The oracle, to ask it what the rules are.
    pub fn oracle(&mut self) -> &mut Oracle {
        &mut self.oracle
    }
}

impl Default for Iptables {
    fn default() -> Self {
        Self::new()
    }
}

impl Side for Iptables {
    fn lab(&mut self) -> &mut Lab {
        &mut self.lab
    }

    fn begun(&mut self) -> &mut Option<Value> {
        &mut self.begun
    }

    fn enforce(&mut self, inventory: &Value, fresh: bool) {
        self.oracle.apply(inventory, &local(inventory), fresh);
    }

    fn forget(&mut self) {
        // `conntrack -F`: IPCTNL_MSG_CT_DELETE of NFNL_SUBSYS_CTNETLINK without a filter, acknowledged
        // (`include/uapi/linux/netfilter/nfnetlink_conntrack.h`).
        let mut order = Vec::new();
        order.extend(20_u32.to_ne_bytes());
        order.extend(0x0102_u16.to_ne_bytes());
        order.extend(0x0005_u16.to_ne_bytes());
        order.extend([0; 12]);
        let socket = self.conntrack.as_raw_fd();
        sendto(socket, &order, &NetlinkAddr::new(0, 0), MsgFlags::empty())
            .unwrap_or_else(|e| panic!("cannot ask netfilter to forget: {e}"));
        let mut answer = [0; 64];
        let length = recv(socket, &mut answer, MsgFlags::empty())
            .unwrap_or_else(|e| panic!("netfilter does not answer: {e}"));
        assert!(
            length >= 20 && answer[16..20] == [0; 4],
            "netfilter does not forget: {answer:?}"
        );
    }
}
