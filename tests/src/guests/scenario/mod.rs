//! What is played: a file for each kind of guest.

mod announce;
mod grub;
mod ipv6;
mod ipxe;
mod linux;
mod migration;
mod ovmf;
mod reboot;
mod uboot;
mod vlan;

use std::time::Duration;

use super::compare::Excuse;
use super::fabric::{SERVER, SERVER6};
use super::stage::Stage;
use crate::inventory::{Group, Inventory, Port, group, port};

/// How long a guest may take to boot: an emulated processor on a busy machine is slow.
const BOOT: Duration = Duration::from_secs(600);

/// How long a guest may take for what comes next.
const NEXT: Duration = Duration::from_secs(300);

/// A page of the server: its name, and what it says.
const PAGE: (&str, &str) = ("page", "THE SERVER'S PAGE\n");

/// A guest and what it does.
#[derive(Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in a line.
    pub about: &'static str,
    /// What may fall on one side only, beside what the frame tells.
    pub excuses: &'static [Excuse],
    /// Plays it on a side.
    pub play: fn(&mut Stage),
}

/// All of them, in their order.
pub fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        ipxe::SCENARIOS.as_slice(),
        &ovmf::SCENARIOS,
        &grub::SCENARIOS,
        &uboot::SCENARIOS,
        &linux::SCENARIOS,
        &ipv6::SCENARIOS,
        &vlan::SCENARIOS,
        &reboot::SCENARIOS,
        &announce::SCENARIOS,
        &migration::SCENARIOS,
    ]
    .into_iter()
    .flatten()
}

/// The guest's port, with an IPv4 address and the IPv6 address that stateless autoconfiguration makes of its
/// MAC.
fn vm1() -> Port {
    vm1_of_ipv4().ip("2001:db8:77:0:f816:3eff:fe00:50")
}

/// The guest's port, with an IPv4 address alone.
fn vm1_of_ipv4() -> Port {
    port("VM1").mac("fa:16:3e:00:00:50").ip("10.77.0.50")
}

/// The group of every port that names none: out to everyone, in from its own members.
fn default_group() -> Group {
    group("default")
        .default_egress()
        .rule("ingress IPv4 from group default")
        .rule("ingress IPv6 from group default")
}

/// The port in the default group alone.
fn by_default(port: Port) -> (Inventory, Port) {
    let port = port.groups(&["default"]);
    let inventory = Inventory::new().group(default_group());
    (inventory.port(port.clone()), port)
}

/// The port with the rule that TFTP needs, whose server answers from a port of its own choice.
fn with_netboot_rule(port: Port) -> (Inventory, Port) {
    let port = port.groups(&["default", "netboot"]);
    let netboot = group("netboot")
        .rule(&format!("ingress IPv4 udp from {SERVER}/32"))
        .rule(&format!("ingress IPv6 udp from {SERVER6}/128"));
    let inventory = Inventory::new().group(default_group()).group(netboot);
    (inventory.port(port.clone()), port)
}
