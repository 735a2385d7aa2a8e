use proptest::prelude::{any, prop_oneof, proptest};
use proptest::sample::select;
use proptest::strategy::Strategy;
use proptest::{prop_assert, prop_assert_eq};

use super::*;
use crate::scratch::Scratch;
use crate::wire::addr::{Address, NO_MAC, from_v4};

const REQUESTS: [(Family, u8, u8); 6] = [
    (Family::V4, 8, 0),
    (Family::V4, 13, 14),
    (Family::V4, 15, 16),
    (Family::V4, 17, 18),
    (Family::V6, 128, 129),
    (Family::V6, 139, 140),
];

fn family() -> impl Strategy<Value = Family> {
    select(&Family::ALL[..])
}

fn hook() -> impl Strategy<Value = Hook> {
    select(Hook::ALL.to_vec())
}

/// A whole packet between two addresses.
fn ip(family: Family, protocol: u8, addresses: ([u8; 16], [u8; 16])) -> Ip {
    let address = |bytes: [u8; 16]| match family {
        Family::V4 => from_v4([bytes[0], bytes[1], bytes[2], bytes[3]]),
        Family::V6 => Address::new(bytes),
    };
    Ip {
        family,
        protocol,
        source: address(addresses.0),
        destination: address(addresses.1),
        ..Scratch::EMPTY.ip
    }
}

const fn between(source: u16, destination: u16) -> Transport {
    Transport {
        source,
        destination,
        cut_short: false,
    }
}

proptest! {
    #[test]
    fn a_flow_is_turned_back_into_its_opening(
        family in family(),
        protocol in prop_oneof![select(vec![6u8, 17, 33, 132, 136]), 140u8..],
        addresses in any::<([u8; 16], [u8; 16])>(),
        ports in any::<(u16, u16)>(),
        hook in hook(),
    ) {
        let transport = between(ports.0, ports.1);
        let opening = Opening::new(3, hook, &ip(family, protocol, addresses), transport);
        prop_assert_eq!(Opening::of_flow(&opening.key, hook == Hook::FromVm), opening);
    }

    #[test]
    fn a_query_is_turned_back_into_its_request(
        (family, request, _) in select(&REQUESTS[..]),
        addresses in any::<([u8; 16], [u8; 16])>(),
        (id, code) in any::<(u16, u8)>(),
        hook in hook(),
    ) {
        let protocol = if family == Family::V4 { 1 } else { 58 };
        let transport = between(id, u16::from_be_bytes([request, code]));
        let opening = Opening::new(3, hook, &ip(family, protocol, addresses), transport);
        prop_assert_eq!(Opening::of_flow(&opening.key, hook == Hook::FromVm), opening);
    }

    #[test]
    fn an_answer_has_the_key_of_its_question(
        family in family(),
        protocol in select(vec![6u8, 17, 33, 47, 132, 136]),
        addresses in any::<([u8; 16], [u8; 16])>(),
        ports in any::<(u16, u16)>(),
        hook in hook(),
    ) {
        let packet = ip(family, protocol, addresses);
        let question = Opening::new(3, hook, &packet, between(ports.0, ports.1));
        let back = Ip { source: packet.destination, destination: packet.source, ..packet };
        let answer = Opening::new(3, hook.opposite(), &back, between(ports.1, ports.0));
        prop_assert_eq!(question.key, answer.key);
    }

    #[test]
    fn a_reply_has_the_key_of_its_request_and_nothing_else_has(
        (family, request, reply) in select(&REQUESTS[..]),
        addresses in any::<([u8; 16], [u8; 16])>(),
        (id, code) in any::<(u16, u8)>(),
        other in any::<u8>(),
        hook in hook(),
    ) {
        let protocol = if family == Family::V4 { 1 } else { 58 };
        let packet = ip(family, protocol, addresses);
        let numbers = |kind| between(id, u16::from_be_bytes([kind, code]));
        let question = Opening::new(3, hook, &packet, numbers(request));
        let back = Ip { source: packet.destination, destination: packet.source, ..packet };
        let answer = |kind| Opening::new(3, hook.opposite(), &back, numbers(kind)).key;
        prop_assert_eq!(question.key, answer(reply));
        prop_assert!(other == reply || question.key != answer(other));
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        for (version, ethertype) in [(4, ethertype::IPV4), (6, ethertype::IPV6)] {
            let mut bytes = bytes.clone();
            if let Some(first) = bytes.first_mut() {
                *first = version << 4 | *first & 15;
            }
            let ethernet = Ethernet { source: NO_MAC, vlan: 0, ethertype, payload: 0 };
            let mut ip = Scratch::EMPTY.ip;
            if body(&bytes[..], &ethernet, &mut ip).is_ok() {
                let end = ip.payload as usize + ip.payload_length as usize;
                prop_assert!(end <= bytes.len(), "the payload ends at {end}");
                let _ = transport(&bytes[..], &ip);
            }
        }
    }
}
