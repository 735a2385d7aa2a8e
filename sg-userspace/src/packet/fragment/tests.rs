//! Fragments are put together again by an independent reading of the same bytes.

use std::slice;

use clap::Parser;
use etherparse::{NetSlice, SlicedPacket, defrag::IpDefragPool};

use crate::{
    model::Mac,
    packet::{Ends, PacketArgs, frames},
};

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    packet: PacketArgs,
}

fn fragments(words: &str) -> Vec<Vec<u8>> {
    let args = Words::parse_from(std::iter::once("explain").chain(words.split(' ')));
    let ends = Ends {
        source: Mac([2, 0, 0, 0, 0, 1]),
        destination: Mac([2, 0, 0, 0, 0, 2]),
    };
    frames(&args.packet.parse().unwrap(), ends)
}

/// What comes out when the fragments are put together.
fn reassembled(frames: &[Vec<u8>]) -> Option<Vec<u8>> {
    let mut pool = IpDefragPool::<(), ()>::new();
    let mut whole = None;
    for frame in frames {
        let packet = SlicedPacket::from_ethernet(frame).unwrap();
        assert!(packet.net.as_ref().is_some_and(NetSlice::is_ip));
        let done = pool.process_sliced_packet(&packet, (), ()).unwrap();
        whole = whole.or(done.map(|done| done.payload));
    }
    whole
}

#[test]
fn the_first_and_the_later_fragment_are_the_datagram() {
    for (words, header) in [
        ("udp 10.0.0.5:258 10.0.0.6:772", [1, 2, 3, 4]),
        ("udp [2001:db8::5]:258 [2001:db8::6]:772", [1, 2, 3, 4]),
        ("tcp 10.0.0.5:258 10.0.0.6:772 --vlan 7", [1, 2, 3, 4]),
    ] {
        let later = fragments(&format!("{words} --fragment later"));
        let [first, second] = later.as_slice() else {
            panic!("{} frames", later.len())
        };
        assert_eq!(
            fragments(&format!("{words} --fragment first")),
            slice::from_ref(first)
        );
        assert_eq!(
            fragments(&format!("{words} --fragment lone")),
            slice::from_ref(second)
        );
        let whole = reassembled(&later).expect(words);
        assert_eq!(whole[..4], header, "{words}");
        assert!(whole.len() > super::CUT + 8, "{words}");
        assert_eq!(reassembled(slice::from_ref(first)), None, "{words}");
    }
}
