//! QEMU's announcements of where a guest is, which it also makes after a migration.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{BOOT, Scenario, by_default, vm1};
use crate::guests::linux;
use crate::guests::passage::Way;
use crate::guests::stage::Stage;

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "announce-self",
    about: "QEMU announces the guest with five RARP, and Linux announces itself each time",
    excuses: &[],
    play: announce,
}];

/// How many rounds QEMU makes.
const ROUNDS: usize = 5;

fn announce(stage: &mut Stage) {
    const SCRIPT: &str = "
ip link set eth0 up
set_address 10.77.0.50/24
ping -c 1 10.77.0.1 && echo READY
";
    let (inventory, port) = by_default(vm1());
    stage.plug(&inventory, &[port]);
    let guest = stage.boot(&linux::hardware(SCRIPT, stage.directory()));
    stage.achieved("pings", guest.machine.says("READY", BOOT));
    let rounds = json!({ "initial": 50, "max": 550, "rounds": ROUNDS, "step": 100 });
    guest.machine.qmp("announce-self", &rounds);
    // The last round is 800 ms after the first by the guest's clock.
    sleep(Duration::from_secs(5));
    stage.retire(guest);
    let came = stage.came_through(Way::FromVm, "RARP");
    stage.achieved("all five RARP reach the network", came == ROUNDS);
    let own = stage.came_through(Way::FromVm, "gratuitous ARP");
    stage.achieved("Linux announces itself too", own > 0);
}
