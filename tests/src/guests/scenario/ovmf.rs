//! OVMF, the UEFI firmware of QEMU, which boots GRUB from the network.

use std::fs;

use super::{BOOT, Scenario, by_default, vm1, with_netboot_rule};
use crate::guests::fabric::{SERVER, SERVER6};
use crate::guests::grub;
use crate::guests::machine::Hardware;
use crate::guests::server::Offer;
use crate::guests::stage::Stage;

pub(super) const SCENARIOS: [Scenario; 3] = [
    Scenario {
        name: "ovmf-ipv4",
        about: "OVMF boots by TFTP over IPv4, with a rule for UDP from the server",
        excuses: &[],
        play: ipv4,
    },
    Scenario {
        name: "ovmf-ipv6",
        about: "OVMF boots by TFTP over IPv6, with a rule for UDP from the server",
        excuses: &[],
        play: ipv6,
    },
    Scenario {
        name: "ovmf-http",
        about: "OVMF boots by HTTP, with the default group alone",
        excuses: &[],
        play: http,
    },
];

/// How OVMF looks for something to boot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Netboot {
    /// PXE over IPv4.
    Ipv4,
    /// PXE over IPv6.
    Ipv6,
    /// HTTP.
    Http,
}

/// Where OVMF's package has it.
const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// Its variables, as they are in a new machine.
const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// A machine with OVMF that tries this alone: it would try the others for a minute each.
pub(super) fn hardware(netboot: Netboot, stage: &Stage) -> Hardware {
    let variables = stage.directory().join("variables.fd");
    fs::copy(VARIABLES, &variables).unwrap_or_else(|e| panic!("cannot copy {VARIABLES}: {e}"));
    let flash = |unit: u8, file: &str, options: &str| {
        let drive = format!("if=pflash,format=raw,unit={unit},file={file}{options}");
        ["-drive".to_owned(), drive]
    };
    let support = |family: &str, wanted: bool| {
        let wanted = if wanted { "y" } else { "n" };
        let config = format!("name=opt/org.tianocore/{family}PXESupport,string={wanted}");
        ["-fw_cfg".to_owned(), config]
    };
    let arguments = [
        flash(0, FIRMWARE, ",readonly=on"),
        flash(1, &variables.display().to_string(), ""),
        support("IPv4", netboot == Netboot::Ipv4),
        support("IPv6", netboot == Netboot::Ipv6),
    ];
    Hardware {
        card: "virtio-net-pci",
        rom: false,
        arguments: arguments.concat(),
    }
}

fn ipv4(stage: &mut Stage) {
    let (inventory, port) = with_netboot_rule(vm1());
    let offer = Offer::new().dhcp(&port).option("dhcp-boot=grub.efi");
    stage.plug(&inventory, &[port]);
    boot(stage, offer, Netboot::Ipv4);
}

fn ipv6(stage: &mut Stage) {
    const LEASE: &str = "2001:db8:77::50";
    let (inventory, port) = with_netboot_rule(vm1().ip(LEASE));
    let url = format!("tftp://[{SERVER6}]/grub.efi");
    let offer = Offer::new()
        .option(&format!("dhcp-range={LEASE},{LEASE},64,12h"))
        .option("enable-ra")
        .option(&format!("dhcp-option=option6:bootfile-url,{url}"));
    stage.plug(&inventory, &[port]);
    boot(stage, offer, Netboot::Ipv6);
}

fn http(stage: &mut Stage) {
    let (inventory, port) = by_default(vm1());
    let url = format!("dhcp-boot=http://{SERVER}/grub.efi");
    let offer = Offer::new()
        .dhcp(&port)
        .option("dhcp-option-force=60,HTTPClient")
        .option(&url);
    stage.plug(&inventory, &[port]);
    boot(stage, offer, Netboot::Http);
}

fn boot(stage: &mut Stage, offer: Offer, netboot: Netboot) {
    let image = grub::image(&["echo GRUB RUNS"], stage.directory());
    stage.serve(&offer.file("grub.efi", image));
    let guest = stage.boot(&hardware(netboot, stage));
    stage.achieved("boots", guest.machine.says("GRUB RUNS", BOOT));
    stage.retire(guest);
}
