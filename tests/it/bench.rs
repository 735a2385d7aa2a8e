//! The benchmark at its smallest: that it measures what it says. How long anything takes is no matter here.

use sg_common::hook::Hook;
use sg_tests::bench::path::{Grounds, Way};
use sg_tests::bench::rules::Size;
use sg_tests::bench::side::{Side, Who, Workshop};
use sg_tests::bench::talk::{Protocol, Talk};

/// Sides with two rules for one port.
fn grounds(who: &[Who]) -> Grounds {
    let workshop = Workshop {
        base: None,
        flows: 1_024,
    };
    let size = Size { rules: 2, ports: 1 };
    let sides = who.iter().map(|who| Side::new(*who, size, &workshop));
    Grounds::new(sides.collect())
}

#[test]
fn the_benchmark_counts_every_packet_of_the_filter_and_of_its_reference() {
    let mut grounds = grounds(&[Who::Empty, Who::Ours]);
    for talk in [Talk::Established, Talk::Refused, Talk::New] {
        for hook in Hook::ALL {
            let way = Way {
                protocol: Protocol::Tcp,
                talk,
                hook,
                flows: 8,
            };
            let cells = grounds.measure(way, &[0, 1], 1);
            let cells = cells.unwrap_or_else(|why| panic!("{way:?}: {why}"));
            let who: Vec<_> = cells.iter().map(|cell| cell.who.as_str()).collect();
            assert_eq!(who, ["empty program", "ours, tc"]);
        }
    }
}

#[test]
fn the_benchmark_takes_no_sample_of_packets_that_do_not_come_out() {
    let mut grounds = grounds(&[Who::Empty, Who::Drop]);
    let way = Way {
        protocol: Protocol::Udp,
        talk: Talk::New,
        hook: Hook::ToVm,
        flows: 1,
    };
    let why = grounds.measure(way, &[1], 1).unwrap_err();
    assert!(why.starts_with("tc drop: no sample is whole"), "{why}");
}
