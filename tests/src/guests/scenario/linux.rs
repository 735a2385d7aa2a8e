//! Debian's kernel and what it does by itself.

use std::net::IpAddr;

use super::{BOOT, NEXT, PAGE, Scenario, by_default, vm1_of_ipv4};
use crate::guests::linux;
use crate::guests::server::Offer;
use crate::guests::stage::Stage;
use crate::traffic::Connection;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "linux-dhcp",
    about: "Linux has its address by DHCP on a port of IPv4 alone, talks to the server, and then lies",
    excuses: &[],
    play: dhcp,
}];

fn dhcp(stage: &mut Stage) {
    const SCRIPT: &str = "
ip link set eth0 up
udhcpc -i eth0 -n -q -t 20 -s /udhcpc
wget -q -O - http://10.77.0.1/page
ping -c 3 10.77.0.1 && echo PINGS
echo READY
read go </dev/console
set_address 10.77.0.99/24
ping -c 3 -W 1 -I 10.77.0.99 10.77.0.1 && echo PINGS FROM ANOTHER ADDRESS
";
    let (inventory, port) = by_default(vm1_of_ipv4());
    let offer = Offer::new().dhcp(&port).file(PAGE.0, PAGE.1);
    stage.plug(&inventory, &[port]);
    stage.serve(&offer);
    let guest = stage.boot(&linux::hardware(SCRIPT, stage.directory()));
    let machine = &guest.machine;
    stage.achieved("has its lease", machine.says("LEASE 10.77.0.50", BOOT));
    stage.achieved(
        "reads a page by HTTP",
        machine.says("THE SERVER'S PAGE", NEXT),
    );
    stage.achieved(
        "pings",
        machine.says("PINGS", NEXT) && machine.says("READY", NEXT),
    );
    stage.fact("is reached at port 22", is_reached(stage, 22), false);
    machine.tell("go");
    let ended = machine.says("SCRIPT ENDS", NEXT);
    let lied = !ended || machine.said().contains("PINGS FROM ANOTHER ADDRESS");
    stage.fact("pings from another address", lied, false);
    stage.retire(guest);
}

/// Whether the server's SYN gets any answer from the guest, be it a refusal.
fn is_reached(stage: &Stage, port: u16) -> bool {
    let address: IpAddr = stage.port().addresses()[0];
    let opened = Connection::open(stage.fabric().server(), address, port);
    match opened {
        Ok(_) => true,
        Err(e) => e.kind() == std::io::ErrorKind::ConnectionRefused,
    }
}
