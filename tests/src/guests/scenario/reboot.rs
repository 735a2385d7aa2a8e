//! A guest that is reset, and one whose tap is made anew.

use serde_json::json;

use super::{BOOT, Scenario, by_default, vm1};
use crate::guests::linux;
use crate::guests::server::Offer;
use crate::guests::stage::{Guest, Stage};

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "hard-reboot",
    about: "Linux is reset with its tap in place, then started anew at a new tap of the same name",
    excuses: &[],
    play: reboot,
}];

/// Every start of the guest does the same: ask for the address, ping, and lie once.
const SCRIPT: &str = "
ip link set eth0 up
udhcpc -i eth0 -n -q -t 20 -s /udhcpc
ping -c 3 10.77.0.1 && echo PINGS
set_address 10.77.0.99/24
ping -c 3 -W 1 -I 10.77.0.99 10.77.0.1 && echo LIES
";

fn reboot(stage: &mut Stage) {
    let (inventory, port) = by_default(vm1());
    let offer = Offer::new().dhcp(&port);
    stage.plug(&inventory, &[port]);
    stage.serve(&offer);
    let hardware = linux::hardware(SCRIPT, stage.directory());

    let guest = stage.boot_at(0, &hardware, "first");
    let pings = guest.pings(1);
    stage.achieved("pings", pings);
    guest.machine.qmp("system_reset", &json!({}));
    let pings = guest.pings(2);
    stage.achieved("pings after a reset", pings);
    let lies = guest.machine.said().contains("LIES");
    stage.retire(guest);

    let port = stage.port().clone();
    stage.host(0).unplug_tap(&port);
    stage.host(0).plug_tap(&port);
    stage.host(0).wait_for(&[&port]);
    let guest = stage.boot_at(0, &hardware, "second");
    let pings = guest.pings(1);
    stage.achieved("pings at a new tap", pings);
    let lies = lies || guest.machine.said().contains("LIES");
    stage.retire(guest);
    stage.fact("pings from another address, ever", lies, false);
}

impl Guest {
    /// Whether the guest has come to the end of its script for the nth time, and pinged each time.
    fn pings(&self, times: usize) -> bool {
        let ended = self.machine.says_times("SCRIPT ENDS", times, BOOT);
        ended && self.machine.said().matches("PINGS").count() == times
    }
}
