//! Frames that are cut short.

use std::time::Duration;

use sg_tests::packet::{Packet, arp_request, tcp, udp};
use sg_tests::traffic::Outcome::Answered;
use sg_tests::vm::RawVm;

use crate::site::{HTTP, Site, client, site};

#[test]
fn a_frame_cut_short_anywhere_in_its_headers_does_not_pass() {
    let mut site_ = Site::new("short");
    // Whoever is flooded sees what passes.
    let watcher = RawVm::on(&site_.node, "watcher");
    site_.node.start(&site(&[HTTP]));
    let mac = |packet: Packet| packet.from_mac(client().mac_address());
    let whole = [
        mac(tcp("10.0.0.7:40000", "10.0.0.99:80").syn()),
        mac(tcp("[2001:db8::7]:40000", "[2001:db8::99]:80").syn()),
        mac(udp("10.0.0.7:40000", "10.0.0.99:53").payload(b"0123456789")),
        mac(arp_request("10.0.0.7", "10.0.0.99")),
    ];
    for packet in &whole {
        let frame = packet.bytes();
        site_.client.send(&frame);
        let seen = watcher.find(Duration::from_secs(2), |seen| seen == frame);
        assert!(seen.is_some(), "the whole frame passes: {packet}");

        for length in 1..frame.len().min(60) {
            // The tap itself takes no frame without an Ethernet header.
            let _ = site_.client.offer(&frame[..length]);
            let _ = site_.web.offer(&vec![0xff; length]);
        }
        let passed = watcher.find(Duration::from_millis(300), |seen| {
            seen.len() < frame.len() && frame.starts_with(seen) || seen.iter().all(|b| *b == 0xff)
        });
        assert!(
            passed.is_none(),
            "{} bytes of {packet}",
            passed.unwrap().len()
        );
    }
    assert_eq!(site_.ask(80), Answered);
    assert!(site_.count("egress", "spoofed_mac") > 0, "frames of ones");
}
