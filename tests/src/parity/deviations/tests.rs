//! What a row excuses, and what it does not.

use super::expected;
use crate::inventory::{Inventory, Port, port};
use crate::mac::Mac;
use crate::packet::{
    Packet, RFC_1042, arp_request, dccp, dhcp_discover, ether, neighbour_advertisement, udp,
};
use crate::parity::scenario::{End, Scenario, Step};

const OWN: &str = "fa:16:3e:00:00:05";
const FOREIGN: &str = "02:00:00:00:00:66";

/// The row that excuses this filter for dropping what VM1 sends.
fn row(port: Port, packet: &Packet) -> Option<u32> {
    let scenario = Scenario {
        name: String::new(),
        inventory: Inventory::new().port(port).json(),
        steps: vec![Step::send(End::VM1, packet)],
    };
    expected(&scenario, 0, End::Fabric, true)
}

fn both() -> Port {
    port("VM1").ip("10.0.0.5").ip("2001:db8::5")
}

#[test]
fn a_row_excuses_what_it_says_and_nothing_beside_it() {
    let v4 = || port("VM1").ip("10.0.0.5");
    let six = udp("[2001:db8::5]:9", "[2001:db8::6]:9");
    assert_eq!(row(v4(), &six), Some(1));
    assert_eq!(row(both(), &six), None);
    assert_eq!(row(v4().with("port_security_enabled", false), &six), None);

    let four = udp("10.0.0.5:9", "10.0.0.6:9");
    assert_eq!(row(v4(), &four), None);
    assert_eq!(row(v4(), &four.clone().vlan(7)), Some(2));

    let hidden = four.clone().llc(RFC_1042);
    assert_eq!(row(v4(), &hidden), Some(32));
    assert_eq!(row(v4(), &ether(38, OWN, &[0x42; 38])), None);
    let unfiltered = v4().with("port_security_enabled", false);
    assert_eq!(row(unfiltered, &hidden), None);

    assert_eq!(row(both(), &dhcp_discover(FOREIGN)), Some(4));
    assert_eq!(row(both(), &dhcp_discover(OWN)), None);

    assert_eq!(row(both(), &arp_request("10.0.0.5", "10.0.0.1")), None);
    let spoofed = arp_request("10.0.0.66", "10.0.0.1").from_mac(OWN);
    assert_eq!(row(both(), &spoofed), Some(7));
    assert_eq!(row(both().pair("0.0.0.0/0"), &spoofed), None);

    let own = neighbour_advertisement("2001:db8::5", "2001:db8::5");
    let other = neighbour_advertisement("2001:db8::5", "2001:db8::6").from_mac(OWN);
    assert_eq!(row(both(), &own), None);
    assert_eq!(row(both(), &other), Some(8));

    assert_eq!(row(both(), &ether(0x88cc, FOREIGN, &[0; 46])), Some(23));
    assert_eq!(row(both(), &ether(0x88cc, Mac::from(OWN), &[0; 46])), None);
}

#[test]
fn only_fragments_that_do_not_follow_each_other_are_excused() {
    let part = |start, end| {
        let whole = udp("10.0.0.5:9", "10.0.0.6:9").payload(&[0; 100]);
        whole.fragment(1, start, end).bytes()
    };
    let row = |frames: Vec<Vec<u8>>| {
        let scenario = Scenario {
            name: String::new(),
            inventory: Inventory::new().port(both()).json(),
            steps: vec![Step::frames(End::VM1, frames)],
        };
        expected(&scenario, 0, End::Fabric, true)
    };
    assert_eq!(row(vec![part(0, 64), part(64, 999)]), None);
    assert_eq!(row(vec![part(64, 999), part(0, 64)]), Some(12));
    assert_eq!(row(vec![part(0, 64)]), Some(12));
    assert_eq!(row(vec![part(0, 64), part(72, 999)]), Some(12));
}

#[test]
fn dccp_is_excused_where_its_addresses_have_spoken_over_other_ports() {
    let row = |first: &str| {
        let scenario = Scenario {
            name: String::new(),
            inventory: Inventory::new().port(both()).json(),
            steps: vec![
                Step::send(End::VM1, &dccp(first, "10.0.0.6:9")),
                Step::send(End::VM1, &dccp("10.0.0.5:8", "10.0.0.6:9")),
            ],
        };
        expected(&scenario, 1, End::Fabric, true)
    };
    assert_eq!(row("10.0.0.5:9"), Some(30));
    assert_eq!(row("10.0.0.99:8"), None);
}
