//! Linux with a VLAN interface, which is a trunk's subport.

use std::process::{Command, Stdio};

use serde_json::json;

use super::{BOOT, NEXT, Scenario, default_group, vm1};
use crate::daemon::Daemon;
use crate::guests::fabric::VLAN;
use crate::guests::passage::Way;
use crate::guests::stage::Stage;
use crate::guests::{Side, busybox, linux};
use crate::inventory::{Inventory, group, port};

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "linux-vlan",
    about: "Linux sends super-packets in a VLAN, to a port that the subport's group permits and to one it does not",
    excuses: &[],
    play: vlan,
}];

/// A frame that a network card would still have to cut: longer than the MTU with Ethernet's header and a tag.
const SUPER: usize = 1518;

fn vlan(stage: &mut Stage) {
    const SCRIPT: &str = "
ip link set eth0 up
ip link add link eth0 name eth0.100 type vlan id 100
ip link set eth0.100 address fa:16:3e:00:01:50 up
set_address 10.78.0.50/24 eth0.100
dd if=/dev/zero bs=64k count=64 | nc -w 60 10.78.0.1 5001 && echo SENT
echo | nc -w 10 10.78.0.1 5002 && echo SENT TO 5002
";
    let subport = port("SUBPORT")
        .mac("fa:16:3e:00:01:50")
        .ip("10.78.0.50")
        .groups(&["SENDERS"]);
    let trunk = json!({ "sub_ports": [{
        "port_id": subport.id(), "segmentation_type": "vlan", "segmentation_id": VLAN,
    }] });
    let parent = vm1().groups(&["default"]).with("trunk_details", trunk);
    let inventory = Inventory::new()
        .group(default_group())
        .group(group("SENDERS").rule("egress IPv4 tcp 5001"))
        .port(parent.clone())
        .port(subport.clone());
    stage.plug(&inventory, &[parent, subport]);
    let _listeners = [5001, 5002].map(|port| listen(stage, port));
    let guest = stage.boot(&linux::hardware(SCRIPT, stage.directory()));
    stage.achieved("runs", guest.machine.says("SCRIPT ENDS", BOOT + NEXT));
    let said = guest.machine.said();
    stage.achieved("sends 4 MiB to 5001", said.contains("SENT\r\n"));
    let unfiltered = stage.side() == Side::Iptables;
    stage.fact("sends to 5002", said.contains("SENT TO 5002"), unfiltered);
    stage.retire(guest);
    const SEGMENTS: &str = "in a VLAN: TCP segment of port 5001 from its address";
    let longest = stage.longest(Way::FromVm, SEGMENTS);
    stage.achieved("sends super-packets", longest > SUPER);
}

/// Something that takes what comes to a port of the server.
fn listen(stage: &Stage, port: u16) -> Daemon {
    let mut command = Command::new(busybox());
    command
        .args(["nc", "-l", "-p", &port.to_string()])
        // Open until the end: it closes the connection when there is no more to send.
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    Daemon::start(stage.fabric().server(), command)
}
