//! Events in the forms in which they are printed.

use expect_test::expect;
use jiff::tz::{Offset, TimeZone};
use pcap_file::pcapng::{
    Block, PcapNgReader,
    blocks::{
        enhanced_packet::EnhancedPacketOption, interface_description::InterfaceDescriptionOption,
        interface_statistics::InterfaceStatisticsOption,
    },
};
use serde_json::json;

use super::*;
use crate::view::{EventAction, LostWhy, PortView};

const WEB: &str = "11111111-1111-4111-8111-111111111111";
const SUBPORT: &str = "22222222-2222-4222-8222-222222222222";
const STRANGER: &str = "33333333-3333-4333-8333-333333333333";

fn names() -> Names {
    let port = |id: &str, name: &str, vlan: Option<u16>| -> PortView {
        serde_json::from_value(json!({
            "id": id, "name": name, "interface": "tapweb1", "vlan": vlan, "addresses": [],
            "security_groups": [], "state": "enforcing",
        }))
        .unwrap()
    };
    let mut names = Names::default();
    names.take(vec![port(WEB, "WEB1", None), port(SUBPORT, "", Some(5))]);
    names
}

fn syn() -> PacketView {
    PacketView {
        time: "2026-11-29T15:02:11.403127Z".into(),
        port: WEB.into(),
        ifindex: 7,
        direction: "ingress".into(),
        action: Some(EventAction::Drop),
        reason: "no_rule".into(),
        source: Some("10.0.0.7".into()),
        destination: Some("10.0.0.5".into()),
        protocol: Some(6),
        source_port: Some(40000),
        destination_port: Some(443),
        tcp_flags: Some("SYN".into()),
        length: 74,
        frame: "fa163e000005fa163e0000070800".into(),
        ..PacketView::default()
    }
}

fn arp(vlan: Option<u16>) -> PacketView {
    PacketView {
        port: SUBPORT.into(),
        direction: "egress".into(),
        reason: "spoofed_arp".into(),
        frame: "fffffffffffffa163e0000070806".into(),
        length: 42,
        vlan,
        source: None,
        destination: None,
        protocol: None,
        source_port: None,
        destination_port: None,
        tcp_flags: None,
        ..syn()
    }
}

fn lost(count: u64, why: LostWhy) -> Line {
    Line::Lost(LostView {
        time: "2026-11-29T15:02:12Z".into(),
        lost: count,
        port: WEB.into(),
        action: EventAction::Drop,
        why,
    })
}

fn packet(view: PacketView) -> Line {
    Line::Packet(Box::new(view))
}

#[test]
fn events_are_aligned_lines_with_the_time_of_this_place() {
    let names = names();
    let zone = TimeZone::fixed(Offset::from_hours(2).unwrap());
    let columns = Columns::new(names.longest([].iter()), zone);
    let ping = PacketView {
        action: Some(EventAction::Accept),
        reason: "new".into(),
        source: Some("2001:db8::7".into()),
        destination: Some("2001:db8::5".into()),
        protocol: Some(58),
        source_port: None,
        destination_port: None,
        tcp_flags: None,
        icmp_type: Some(128),
        icmp_code: Some(0),
        ..syn()
    };
    let six = PacketView {
        source: Some("2001:db8::7".into()),
        destination: Some("2001:db8::5".into()),
        port: STRANGER.into(),
        ..syn()
    };
    let mut text = columns.header();
    for line in [
        packet(syn()),
        packet(ping),
        packet(six),
        packet(arp(Some(5))),
        lost(4711, LostWhy::Rate),
        lost(3, LostWhy::Reader),
    ] {
        text.push_str(&columns.line(&line, &names));
    }
    expect![[r#"
        TIME                     ACTION  PORT       WAY  REASON                PROTOCOL   PACKET
        2026-11-29 17:02:11.403  DROP    WEB1       in   no_rule               tcp        10.0.0.7:40000 > 10.0.0.5:443 SYN 74 bytes
        2026-11-29 17:02:11.403  ACCEPT  WEB1       in   new                   ipv6-icmp  2001:db8::7 > 2001:db8::5 type 128 code 0 74 bytes
        2026-11-29 17:02:11.403  DROP    33333333-3333-4333-8333-333333333333  in   no_rule               tcp        [2001:db8::7]:40000 > [2001:db8::5]:443 SYN 74 bytes
        2026-11-29 17:02:11.403  DROP    tapweb1.5  out  spoofed_arp           arp        fa:16:3e:00:00:07 > ff:ff:ff:ff:ff:ff VLAN 5 42 bytes
        2026-11-29 17:02:12.000  LOST    WEB1       -    -                     -          4711 refused packets were not told: there were more than --rate and --burst let through
        2026-11-29 17:02:12.000  LOST    WEB1       -    -                     -          3 refused packets were not told: they were read too slowly
    "#]]
    .assert_eq(&text);
}

#[test]
fn what_tenants_chose_moves_no_cursor() {
    let mut names = Names::default();
    names.take(vec![
        serde_json::from_value(json!({
            "id": WEB, "name": "a\u{1b}[2J", "interface": "", "addresses": [],
            "security_groups": [], "state": "enforcing",
        }))
        .unwrap(),
    ]);
    let line = Columns::new(4, TimeZone::UTC).line(&packet(syn()), &names);
    assert!(
        line.contains("a\\u{1b}[2J") && !line.contains('\u{1b}'),
        "{line}"
    );
}

#[test]
fn a_capture_says_the_interface_the_way_and_the_reason_of_each_packet_and_what_was_lost() {
    let names = names();
    let mut capture = Capture::new().unwrap();
    for line in [
        packet(syn()),
        packet(arp(Some(5))),
        lost(4, LostWhy::Rate),
        lost(3, LostWhy::Reader),
        packet(syn()),
    ] {
        capture.write(&line, &names).unwrap();
    }
    let bytes = capture.take();
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let mut seen = Vec::new();
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(interface) => {
                let name = interface.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                });
                seen.push(format!("interface {}", name.unwrap()));
            }
            Block::EnhancedPacket(packet) => {
                let options = packet.options.iter().map(|option| match option {
                    EnhancedPacketOption::Comment(comment) => comment.to_string(),
                    other => format!("{other:?}"),
                });
                seen.push(format!(
                    "{} at {:?}: {} of {} bytes, {}",
                    packet.interface_id,
                    packet.timestamp,
                    packet.data.len(),
                    packet.original_len,
                    options.collect::<Vec<_>>().join(", ")
                ));
            }
            Block::InterfaceStatistics(statistics) => {
                let dropped = statistics.options.iter().find_map(|option| match option {
                    InterfaceStatisticsOption::IsbIfDrop(dropped) => Some(*dropped),
                    _ => None,
                });
                seen.push(format!(
                    "{} at {}: {} lost",
                    statistics.interface_id,
                    statistics.timestamp,
                    dropped.unwrap()
                ));
            }
            other => panic!("{other:?}"),
        }
    }
    expect![[r#"
        interface tapweb1
        0 at 1795964531.403127s: 14 of 74 bytes, DROP no_rule at WEB1, ingress: No rule of the port's security groups permits it., Flags(2)
        interface tapweb1.5
        1 at 1795964531.403127s: 18 of 46 bytes, DROP spoofed_arp at tapweb1.5, egress: The ARP sender is not an address of the port with this MAC., Flags(1)
        0 at 1795964532000000000: 4 lost
        0 at 1795964532000000000: 7 lost
        0 at 1795964531.403127s: 14 of 74 bytes, DROP no_rule at WEB1, ingress: No rule of the port's security groups permits it., Flags(2)"#]]
    .assert_eq(&seen.join("\n"));
}

#[test]
fn a_flow_log_has_the_fields_of_version_2_in_their_order() {
    let log: String = [packet(syn()), packet(arp(None)), lost(4, LostWhy::Rate)]
        .iter()
        .filter_map(flow_log::line)
        .collect();
    expect![[r#"
        2 - 11111111-1111-4111-8111-111111111111 10.0.0.7 10.0.0.5 40000 443 6 1 74 1795964531 1795964531 REJECT OK
        2 - 11111111-1111-4111-8111-111111111111 - - - - - - - 1795964532 1795964532 - SKIPDATA
    "#]]
    .assert_eq(&log);
}
