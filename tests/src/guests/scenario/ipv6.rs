//! Linux and the addresses it makes by itself.

use super::{BOOT, NEXT, PAGE, Scenario, by_default, vm1};
use crate::guests::linux;
use crate::guests::server::Offer;
use crate::guests::stage::Stage;

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "linux-slaac",
        about: "Linux makes its IPv6 address of its MAC, as the port has it, and reads a page over IPv6",
        excuses: &[],
        play: slaac,
    },
    Scenario {
        name: "linux-privacy",
        about: "Linux makes IPv6 addresses that nobody told Neutron of: nothing from them passes",
        excuses: &[],
        play: privacy,
    },
];

/// Waits for a global address, and reads the page over it.
const TRY: &str = r"
set_address 10.77.0.50/24
ip link set eth0 up
for second in $(seq 60); do
    ip -6 address show dev eth0 scope global | grep -v tentative | grep inet6 && break
    sleep 1
done && echo ADDRESSED
ping -c 3 10.77.0.1 && echo PINGS IPV4
ping -6 -c 3 -W 2 2001:db8:77::1 && echo PINGS IPV6
printf 'GET /page HTTP/1.0\r\n\r\n' | nc -w 10 2001:db8:77::1 80
";

fn slaac(stage: &mut Stage) {
    play(stage, TRY, true);
}

fn privacy(stage: &mut Stage) {
    // RFC 7217 for the lasting addresses, RFC 8981 for the others.
    const PRIVATE: &str = "
cd /proc/sys/net/ipv6/conf
echo 2001:db8:5ec:2e7::1 >eth0/stable_secret
echo 2 >eth0/use_tempaddr
cat eth0/addr_gen_mode
";
    play(stage, &format!("{PRIVATE}{TRY}"), false);
}

fn play(stage: &mut Stage, script: &str, passes: bool) {
    let (inventory, port) = by_default(vm1());
    // Advertised again and again: the solicitation of a guest with other addresses does not pass.
    let offer = Offer::new()
        .option("enable-ra")
        .option("dhcp-range=2001:db8:77::,ra-only")
        .option("ra-param=eth0,10,1800")
        .file(PAGE.0, PAGE.1);
    stage.plug(&inventory, &[port]);
    stage.serve(&offer);
    let guest = stage.boot(&linux::hardware(script, stage.directory()));
    let machine = &guest.machine;
    stage.achieved("has an IPv6 address", machine.says("ADDRESSED", BOOT));
    let ended = machine.says("SCRIPT ENDS", NEXT);
    let said = machine.said();
    stage.achieved("pings over IPv4", ended && said.contains("PINGS IPV4"));
    stage.fact("pings over IPv6", said.contains("PINGS IPV6"), passes);
    let read = said.contains("THE SERVER'S PAGE");
    stage.fact("reads a page over IPv6", read, passes);
    stage.retire(guest);
}
