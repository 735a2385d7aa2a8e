//! Captures of packets, in both forms: a packet is found in them, or it is said why not.

use crate::packet::packet_of;

fn check(capture: &[u8]) {
    for number in 0..4 {
        if let Ok(packet) = packet_of(capture, number) {
            assert!(number > 0, "they are counted from 1");
            assert!(packet.length as usize >= packet.bytes.len());
        }
    }
}

super::target!("captures", check);
