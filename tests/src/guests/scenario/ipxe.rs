//! iPXE, the program in the ROM of QEMU's network cards.

use super::{BOOT, Scenario, by_default, vm1, with_netboot_rule};
use crate::guests::fabric::SERVER;
use crate::guests::machine::Hardware;
use crate::guests::passage::Way;
use crate::guests::server::Offer;
use crate::guests::stage::Stage;

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "ipxe-alone",
        about: "iPXE asks by DHCP and for routers, and nobody answers",
        excuses: &[],
        play: alone,
    },
    Scenario {
        name: "ipxe-tftp",
        about: "iPXE boots by TFTP, with a rule for UDP from the server",
        excuses: &[],
        play: tftp,
    },
    Scenario {
        name: "ipxe-http",
        about: "iPXE boots by HTTP, with the default group alone",
        excuses: &[],
        play: http,
    },
];

/// What it boots: it asks for a file by HTTP, so that the server sees it too.
const SCRIPT: &str = "#!ipxe
echo SCRIPT RUNS
imgfetch http://10.77.0.1/booted && echo SCRIPT ENDS || echo SCRIPT FAILS
";

fn hardware() -> Hardware {
    Hardware {
        card: "virtio-net-pci",
        rom: true,
        arguments: ["-boot", "n"].map(str::to_owned).into(),
    }
}

fn alone(stage: &mut Stage) {
    let (inventory, port) = by_default(vm1());
    stage.plug(&inventory, &[port]);
    let guest = stage.boot(&hardware());
    let gives_up = guest.machine.says("No bootable device", BOOT);
    stage.achieved("gives up", gives_up);
    stage.retire(guest);
    let asks = stage.came_through(Way::FromVm, "DHCP request from 0.0.0.0");
    stage.achieved("asks by DHCP", asks > 0);
    const SOLICITS: &str = "router solicitation from its EUI-64 link-local address";
    let solicits = stage.came_through(Way::FromVm, SOLICITS);
    stage.achieved("asks for routers", solicits > 0);
}

fn tftp(stage: &mut Stage) {
    let (inventory, port) = with_netboot_rule(vm1());
    let offer = Offer::new().dhcp(&port).option("dhcp-boot=boot.ipxe");
    stage.plug(&inventory, &[port]);
    boot(stage, offer);
}

fn http(stage: &mut Stage) {
    let (inventory, port) = by_default(vm1());
    let url = format!("dhcp-boot=http://{SERVER}/boot.ipxe");
    let offer = Offer::new().dhcp(&port).option(&url);
    stage.plug(&inventory, &[port]);
    boot(stage, offer);
}

fn boot(stage: &mut Stage, offer: Offer) {
    stage.serve(&offer.file("boot.ipxe", SCRIPT).file("booted", "yes"));
    let guest = stage.boot(&hardware());
    stage.achieved("boots", guest.machine.says("SCRIPT ENDS", BOOT));
    stage.achieved("is served by HTTP", stage.was_asked_for("/booted"));
    stage.retire(guest);
}
