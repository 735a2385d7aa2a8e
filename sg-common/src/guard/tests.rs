//! What the guard refuses and what it leaves. That the filter would say the same, and that nothing is left of it,
//! is asserted of every frame in every test of the filter (`World::judge`).

use crate::hook::Direction;
use crate::layout::port::flags;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, icmp, tcp, udp, udp_of};
use crate::testing::world::{Service, World};
use crate::wire::addr::Family;

fn forged() -> Packet {
    udp("10.0.9.9:1000", "192.0.2.1:2000")
}

fn opening() -> Packet {
    tcp("10.0.0.5:40000", "192.0.2.1:80").flags("S")
}

fn flooding(world: World) -> World {
    world.memory.floods.set(true);
    world
}

#[test]
fn what_a_vm_may_never_send_is_refused_whether_it_floods_or_not() {
    let refused = [
        (forged(), DropReason::SpoofedAddress),
        (udp("10.0.0.5:67", "192.0.2.1:68"), DropReason::DhcpServer),
        (
            icmp("2001:db8::5", "ff02::1", 134, 0, 0),
            DropReason::RouterAdvertisement,
        ),
    ];
    for (packet, reason) in refused {
        for floods in [false, true] {
            let world = World::new().permit_egress();
            world.memory.floods.set(floods);
            assert_eq!(world.guard(&packet), Err(reason), "{floods}");
        }
    }
}

#[test]
fn what_no_rule_permits_is_refused_only_of_a_port_that_floods() {
    let world = World::new();
    assert_eq!(world.guard(&opening()), Ok(()));
    let world = flooding(world);
    assert_eq!(world.guard(&opening()), Err(DropReason::NoRule));
    let permitted = flooding(World::new().permit_egress());
    assert_eq!(permitted.guard(&opening()), Ok(()));
}

#[test]
fn an_answer_is_left_to_the_filter_also_of_a_port_that_floods() {
    let web = Service::Ports(6, 80, 80);
    let mut world = flooding(World::new().permit(Direction::Ingress, Family::V4, web));
    let request = tcp("192.0.2.1:40000", "10.0.0.5:80").flags("S");
    let answer = tcp("10.0.0.5:80", "192.0.2.1:40000").flags("SA");
    assert_eq!(world.receive(&request), Ok(Accept::New));
    world.memory.floods.set(true);
    assert_eq!(world.guard(&answer), Ok(()));
    assert_eq!(world.send(&answer), Ok(Accept::Established));
}

#[test]
fn a_later_fragment_is_left_whose_first_may_still_be_under_way_to_the_filter() {
    let world = flooding(World::new().permit_egress());
    let datagram = udp_of("10.0.0.5:53", "192.0.2.1:4000", 3000);
    assert_eq!(world.guard(&datagram.fragment(1480..2960, 7)), Ok(()));
    let tiny = datagram.fragment(0..4, 7);
    assert_eq!(world.guard(&tiny), Err(DropReason::FragmentTiny));
}

#[test]
fn a_port_that_is_not_filtered_is_not_guarded() {
    let mut world = flooding(World::new());
    world.port().flags |= flags::UNFILTERED;
    assert_eq!(world.guard(&forged()), Ok(()));
}

#[test]
fn what_the_guard_refuses_is_told_if_somebody_asked_for_drops() {
    use crate::guard::guard;
    use crate::layout::events::{Action, Asked};
    use crate::layout::settings::switch;
    use crate::scratch::Run;
    use crate::testing::world::VM_MAC;

    for actions in [&[][..], &[Action::Drop]] {
        let mut world = World::new().permit_egress();
        let mut asked = Asked::NOTHING;
        for action in actions {
            asked.interval[*action as usize] = 1;
        }
        world.memory.asked.insert(1, asked);
        world.memory.settings.switch(switch::EVENTS, true);
        world.port().uuid = [7; 16];
        let (frame, mut run) = (forged().frame(VM_MAC), Run::EMPTY);
        let refused = guard(7, &frame[..], &world.memory, &mut run);
        assert_eq!(refused, Err(DropReason::SpoofedAddress));
        let events = world.memory.events.take();
        assert_eq!(events.len(), actions.len());
        for event in events {
            assert_eq!(event.verdict(), Some(Err(DropReason::SpoofedAddress)));
            assert_eq!((event.slot, event.uuid), (1, [7; 16]));
            assert_eq!(event.frame(), frame);
        }
    }
}
