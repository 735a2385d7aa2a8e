//! U-Boot on QEMU's PC with an e1000 card.

use super::{BOOT, NEXT, Scenario, by_default, vm1, with_netboot_rule};
use crate::guests::machine::Hardware;
use crate::guests::server::Offer;
use crate::guests::stage::Stage;
use crate::inventory::{Inventory, Port};

pub(super) const SCENARIOS: [Scenario; 2] = [
    Scenario {
        name: "u-boot",
        about: "U-Boot reads a file by TFTP, with a rule for UDP from the server",
        excuses: &[],
        play: with_rule,
    },
    Scenario {
        name: "u-boot-no-rule",
        about: "U-Boot asks by TFTP with the default group alone: no answer reaches it, on either side",
        excuses: &[],
        play: without_rule,
    },
];

/// Where U-Boot's package has it.
const FIRMWARE: &str = "/usr/lib/u-boot/qemu-x86/u-boot.rom";

fn with_rule(stage: &mut Stage) {
    boot(stage, with_netboot_rule(vm1()), true);
}

fn without_rule(stage: &mut Stage) {
    boot(stage, by_default(vm1()), false);
}

fn boot(stage: &mut Stage, (inventory, port): (Inventory, Port), reads: bool) {
    let offer = Offer::new().dhcp(&port).file("by-tftp", "THE FILE\n");
    stage.plug(&inventory, &[port]);
    stage.serve(&offer);
    let guest = stage.boot(&Hardware {
        card: "e1000",
        rom: false,
        arguments: ["-bios", FIRMWARE].map(str::to_owned).into(),
    });
    let machine = &guest.machine;
    stage.achieved("starts", machine.says("Hit any key", BOOT));
    machine.tell("");
    stage.achieved("takes commands", machine.says("=> ", NEXT));
    machine.tell("setenv autoload no; dhcp");
    let leased = machine.says("DHCP client bound to address 10.77.0.50", NEXT);
    stage.achieved("has its lease", leased);
    machine.tell("ping 10.77.0.1");
    stage.achieved("pings", machine.says("host 10.77.0.1 is alive", NEXT));
    machine.tell("tftpboot 0x1000000 10.77.0.1:by-tftp");
    let read = machine.says_one_of(&["Bytes transferred = ", "Retry count exceeded"], BOOT);
    stage.fact("reads by TFTP", read == Some(0), reads);
    stage.retire(guest);
}
