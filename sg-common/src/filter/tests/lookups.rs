//! What a packet costs in look-ups. (Arrays are indexed, not looked into.)

use std::vec::Vec;

use crate::hook::Direction;
use crate::layout::maps::name;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, tcp};
use crate::testing::world::{Service, World};
use crate::wire::addr::Family;

const WEB: Service = Service::Ports(6, 80, 80);
const ENDS: [(&str, &str); 2] = [
    ("192.0.2.1:40000", "10.0.0.5:80"),
    ("[2001:db8:1::1]:40000", "[2001:db8::5]:80"),
];

fn looked_up(world: &World) -> Vec<&'static str> {
    world.memory.looked_up.take()
}

#[test]
fn a_packet_of_an_established_connection_looks_up_its_port_and_its_flow() {
    let families = [
        (Family::V4, name::FLOWS4, name::EMBRYOS4),
        (Family::V6, name::FLOWS6, name::EMBRYOS6),
    ];
    for ((family, flows, embryos), (client, server)) in families.into_iter().zip(ENDS) {
        let mut world = World::new().permit(Direction::Ingress, family, WEB);
        let segment = |from: &str, to: &str, flags: &str, numbers: [u32; 2]| -> Packet {
            tcp(from, to).flags(flags).numbers(numbers[0], numbers[1])
        };
        let syn = segment(client, server, "S", [100, 0]);
        assert_eq!(world.receive(&syn), Ok(Accept::New));
        looked_up(&world);

        let answer = segment(server, client, "SA", [500, 101]);
        assert_eq!(world.send(&answer), Ok(Accept::Established));
        let half_open = looked_up(&world);
        assert_eq!(half_open[..3], [name::PORTS, flows, embryos]);

        let ack = segment(client, server, "A", [101, 501]);
        assert_eq!(world.receive(&ack), Ok(Accept::Established));
        let assured = [name::PORTS, flows, embryos, embryos];
        assert_eq!(looked_up(&world), assured, "once more before it is assured");

        let data = segment(client, server, "PA", [101, 501]);
        assert_eq!(world.receive(&data), Ok(Accept::Established));
        assert_eq!(looked_up(&world), [name::PORTS, flows], "towards the VM");
        let data = segment(server, client, "PA", [501, 101]);
        let sent = world.send(&data);
        assert_eq!(sent, Ok(Accept::Established));
        assert_eq!(looked_up(&world), [name::PORTS, flows], "from the VM");
    }
}

#[test]
fn a_packet_that_is_refused_stores_nothing_and_asks_its_policy_once() {
    let mut world = World::new().permit(Direction::Ingress, Family::V4, WEB);
    looked_up(&world);
    let (client, _) = ENDS[0];
    let refused = world.receive(&tcp(client, "10.0.0.5:81").flags("S"));
    assert_eq!(refused, Err(DropReason::NoRule));
    let looked_up = looked_up(&world);
    let policies = looked_up.iter().filter(|map| **map == name::POLICIES);
    assert_eq!(policies.count(), 1, "{looked_up:?}");
    assert_eq!(looked_up[..3], [name::PORTS, name::FLOWS4, name::EMBRYOS4]);
}
