//! Frames are read back by an independent reading of the same bytes.

use clap::Parser;
use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::*;
use crate::packet::PacketArgs;

const VM: Mac = Mac([0xfa, 0x16, 0x3e, 0, 0, 1]);
const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    packet: PacketArgs,
}

fn bytes(words: &str) -> Vec<u8> {
    let args = Words::parse_from(std::iter::once("explain").chain(words.split(' ')));
    let ends = Ends {
        source: VM,
        destination: ROUTER,
    };
    let mut frames = frames(&args.packet.parse().unwrap(), ends);
    assert_eq!(frames.len(), 1, "{words}");
    frames.remove(0)
}

fn destination(words: &str) -> String {
    let frame = bytes(words);
    Mac(frame[..6].try_into().unwrap()).to_string()
}

#[test]
fn a_tcp_packet_carries_the_named_addresses_ports_and_flags() {
    let frame = bytes("tcp 198.51.100.7:40000 10.0.0.5:80 --flags syn,ack");
    let packet = SlicedPacket::from_ethernet(&frame).unwrap();
    let Some(NetSlice::Ipv4(ip)) = packet.net else {
        panic!("not IPv4: {packet:?}")
    };
    assert_eq!(ip.header().source_addr().to_string(), "198.51.100.7");
    assert_eq!(ip.header().destination_addr().to_string(), "10.0.0.5");
    let Some(TransportSlice::Tcp(tcp)) = packet.transport else {
        panic!("not TCP")
    };
    assert_eq!((tcp.source_port(), tcp.destination_port()), (40000, 80));
    assert!(tcp.syn() && tcp.ack() && !tcp.rst() && !tcp.fin());
    let sum = tcp
        .to_header()
        .calc_checksum_ipv4(&ip.header().to_header(), &[])
        .unwrap();
    assert_eq!(tcp.checksum(), sum);
}

#[test]
fn an_ipv6_packet_carries_the_same_words() {
    let frame = bytes("udp [2001:db8::1]:546 [2001:db8::2]:547");
    let packet = SlicedPacket::from_ethernet(&frame).unwrap();
    let Some(NetSlice::Ipv6(ip)) = packet.net else {
        panic!("not IPv6: {packet:?}")
    };
    assert_eq!(ip.header().destination_addr().to_string(), "2001:db8::2");
    assert_eq!(ip.header().hop_limit(), TTL);
    let Some(TransportSlice::Udp(udp)) = packet.transport else {
        panic!("not UDP")
    };
    assert_eq!((udp.source_port(), udp.destination_port()), (546, 547));
}

#[test]
fn a_solicitation_names_its_target_and_comes_from_the_same_link() {
    let frame = bytes("icmp fe80::1 ff02::1:ff00:2 --type 135 --target fe80::2");
    let packet = SlicedPacket::from_ethernet(&frame).unwrap();
    let Some(NetSlice::Ipv6(ip)) = packet.net else {
        panic!("not IPv6: {packet:?}")
    };
    assert_eq!(ip.header().hop_limit(), HOP_LIMIT);
    assert_eq!(
        frame[frame.len() - 16..],
        "fe80::2".parse::<Ipv6Addr>().unwrap().octets()
    );
}

#[test]
fn an_echo_is_an_echo_of_its_family() {
    let v4 = bytes("icmp 10.0.0.1 10.0.0.2 --id 7");
    assert_eq!(v4[34..42], [8, 0, v4[36], v4[37], 0, 7, 0, 1]);
    let v6 = bytes("icmp fe80::1 fe80::2 --type 128 --code 4");
    assert_eq!(v6[54..56], [128, 4]);
}

#[test]
fn an_error_quotes_the_packet_that_it_is_about() {
    let quoted = bytes("tcp 10.0.0.5:258 198.51.100.7:772 --flags ack").split_off(14);
    let about = "--about tcp 10.0.0.5:258 198.51.100.7:772";
    let error = bytes(&format!(
        "icmp 192.0.2.1 10.0.0.5 --type 3 --code 4 {about}"
    ));
    assert_eq!(error[34..36], [3, 4]);
    assert_eq!(error[42..], quoted);

    let quoted = bytes("udp [2001:db8::5]:258 [2001:db8::7]:772").split_off(14);
    let about = "--about udp [2001:db8::5]:258 [2001:db8::7]:772";
    let error = bytes(&format!("icmp fe80::1 2001:db8::5 --type 2 {about}"));
    assert_eq!(error[62..], quoted);
    let redirect = bytes(&format!("icmp fe80::1 2001:db8::5 --type 137 {about}"));
    assert_eq!(redirect[78..94], quoted[24..40], "its destination");
    assert_eq!(redirect[94..96], [4, 7], "an option of 7 times 8 bytes");
    assert_eq!(redirect[102..], quoted);
}

#[test]
fn a_group_is_reached_by_its_group_mac() {
    assert_eq!(
        destination("udp 0.0.0.0:68 255.255.255.255:67"),
        "ff:ff:ff:ff:ff:ff"
    );
    assert_eq!(
        destination("igmp 10.0.0.5 224.129.0.22"),
        "01:00:5e:01:00:16"
    );
    assert_eq!(
        destination("icmp fe80::1 ff02::16 --type 143"),
        "33:33:00:00:00:16"
    );
    assert_eq!(destination("icmp 10.0.0.1 10.0.0.2"), ROUTER.to_string());
    assert_eq!(destination("arp 10.0.0.5 10.0.0.1"), "ff:ff:ff:ff:ff:ff");
    assert_eq!(
        destination("arp 10.0.0.5 10.0.0.1 --operation reply"),
        ROUTER.to_string()
    );
}

#[test]
fn named_macs_and_tags_are_taken_as_they_are() {
    let frame = bytes("tcp 10.0.0.5:1 10.0.0.6:2 --src-mac 02:00:00:00:00:09 --vlan 7");
    assert_eq!(frame[6..12], [2, 0, 0, 0, 0, 9]);
    assert_eq!(frame[12..18], [0x81, 0x00, 0, 7, 0x08, 0x00]);
}

#[test]
fn protocols_with_ports_have_them_where_tcp_has_them() {
    for protocol in ["tcp", "udp", "sctp", "dccp", "udplite"] {
        let frame = bytes(&format!("{protocol} 10.0.0.5:258 10.0.0.6:772"));
        assert_eq!(frame[34..38], [1, 2, 3, 4], "{protocol}");
    }
    assert_eq!(bytes("gre 10.0.0.5 10.0.0.6")[23], 47);
    // Both addresses, the protocol, the length and the ports, RFC 3828 3.1.
    let sum: u16 = !(0x0a00 + 0x0005 + 0x0a00 + 0x0006 + 136 + 8 + 0x0102 + 0x0304);
    let lite = bytes("udplite 10.0.0.5:258 10.0.0.6:772");
    assert_eq!(lite[40..42], sum.to_be_bytes());
}

#[test]
fn arp_claims_the_sender_and_asks_for_the_target() {
    let question = bytes("arp 10.0.0.5 10.0.0.1");
    assert_eq!(question[20..22], [0, 1]);
    assert_eq!(question[22..28], VM.0);
    assert_eq!(question[28..32], [10, 0, 0, 5]);
    assert_eq!(question[32..38], [0; 6]);
    assert_eq!(question[38..42], [10, 0, 0, 1]);
    let answer = bytes("arp 10.0.0.5 10.0.0.1 --operation reply");
    assert_eq!(answer[20..22], [0, 2]);
    assert_eq!(answer[32..38], ROUTER.0);
    let spoofed = bytes("arp 10.0.0.5 10.0.0.1 --sender-mac 02:00:00:00:00:09");
    assert_eq!(spoofed[6..12], VM.0);
    assert_eq!(spoofed[22..28], [2, 0, 0, 0, 0, 9]);
}
