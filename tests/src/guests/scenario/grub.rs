//! GRUB, which OVMF boots from the network and which boots Debian's kernel from there.

use super::ovmf::{self, Netboot};
use super::{BOOT, NEXT, Scenario, vm1, with_netboot_rule};
use crate::guests::server::Offer;
use crate::guests::stage::Stage;
use crate::guests::{grub, linux};

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "grub",
    about: "GRUB reads a file by TFTP, then boots Debian's kernel by HTTP",
    excuses: &[],
    play: boot,
}];

fn boot(stage: &mut Stage) {
    const COMMANDS: [&str; 7] = [
        "net_bootp",
        "net_ls_addr",
        "cat (tftp,10.77.0.1)/by-tftp",
        "linux (http,10.77.0.1)/vmlinuz console=ttyS0 rdinit=/init quiet",
        "initrd (http,10.77.0.1)/initrd",
        "echo GRUB BOOTS",
        "boot",
    ];
    let (inventory, port) = with_netboot_rule(vm1());
    let offer = Offer::new()
        .dhcp(&port)
        .option("dhcp-boot=grub.efi")
        .file("grub.efi", grub::image(&COMMANDS, stage.directory()))
        .file("by-tftp", "THE FILE BY TFTP\n")
        .file("vmlinuz", linux::kernel())
        .file("initrd", linux::root("echo LINUX RUNS", stage.directory()));
    stage.plug(&inventory, &[port]);
    stage.serve(&offer);
    let guest = stage.boot(&ovmf::hardware(Netboot::Ipv4, stage));
    let machine = &guest.machine;
    stage.achieved("reads by TFTP", machine.says("THE FILE BY TFTP", BOOT));
    stage.achieved("reads by HTTP", machine.says("GRUB BOOTS", BOOT));
    stage.achieved("boots Linux", machine.says("LINUX RUNS", NEXT));
    stage.retire(guest);
}
