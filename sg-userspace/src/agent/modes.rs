//! Where what each VM sends is to be judged.

use super::{Agent, Mode, Reader};
use crate::{netlink::Link, settings::FromVm};

impl Agent {
    /// Where what is sent at an interface is to be judged, where these read frames before tc.
    pub(super) fn wanted_mode(&self, link: &Link, readers: &[Reader]) -> Mode {
        let mut ports = self.desired.inventory.ports_at(&link.name);
        let port = ports.find(|port| port.vlan().is_none());
        let port = port.map(|port| port.id);
        let is_carried = || readers.iter().any(|reader| reader.carries(link));
        match self.operator.from_vm.of(port) {
            FromVm::Tc => Mode::Tc,
            FromVm::Xdp => Mode::Xdp,
            FromVm::Guard => Mode::Guard,
            FromVm::Auto if is_carried() => Mode::Xdp,
            FromVm::Auto => Mode::Tc,
        }
    }
}
