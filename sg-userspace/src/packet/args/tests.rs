use proptest::prelude::*;

use super::*;

fn understand(words: &str) -> Result<PacketWords, WordError> {
    PacketArgs::read(words)?.parse()
}

fn transport(words: &str) -> Transport {
    match understand(words).unwrap().network {
        Network::Ipv4 { transport, .. } | Network::Ipv6 { transport, .. } => transport,
        Network::Arp { .. } => panic!("{words} is ARP"),
    }
}

fn complaint(words: &str) -> String {
    understand(words).expect_err(words).to_string()
}

#[test]
fn a_connection_begins_with_syn_unless_the_flags_are_given() {
    let ports = Ports {
        source_port: 40000,
        destination_port: 80,
    };
    assert_eq!(
        transport("tcp 198.51.100.7:40000 10.0.0.5:80"),
        Transport::Tcp {
            ports,
            flags: vec![TcpFlag::Syn]
        }
    );
    assert_eq!(
        transport("tcp 198.51.100.7:40000 10.0.0.5:80 --flags syn,ack"),
        Transport::Tcp {
            ports,
            flags: vec![TcpFlag::Syn, TcpFlag::Ack]
        }
    );
}

#[test]
fn a_client_need_not_name_its_port_but_the_server_must() {
    let ports = Ports {
        source_port: EPHEMERAL,
        destination_port: 53,
    };
    assert_eq!(
        transport("udp 2001:db8::1 [2001:db8::2]:53"),
        Transport::Udp(ports)
    );
    assert_eq!(
        complaint("udp 10.0.0.1:53 10.0.0.2"),
        "udp needs a destination port, like 10.0.0.2:80"
    );
}

#[test]
fn an_icmp_packet_is_an_echo_request_of_its_family() {
    let echo = |r#type| Transport::Icmp {
        r#type,
        code: 0,
        id: 1,
        target: None,
        about: None,
    };
    assert_eq!(transport("icmp 1.2.3.4 10.0.0.5"), echo(8));
    assert_eq!(transport("icmp fe80::1 fe80::2"), echo(128));
    assert_eq!(
        transport("icmp 1.2.3.4 10.0.0.5 --type 13 --code 4 --id 9"),
        Transport::Icmp {
            r#type: 13,
            code: 4,
            id: 9,
            target: None,
            about: None,
        }
    );
    assert_eq!(transport("1 1.2.3.4 10.0.0.5"), echo(8));
    assert_eq!(transport("58 fe80::1 fe80::2"), echo(128));
}

#[test]
fn an_icmp_error_is_about_a_packet() {
    let words = "icmp 192.0.2.1 10.0.0.5 --type 3 --code 4";
    assert_eq!(
        complaint(words),
        "ICMP type 3 is an error about another packet; say which, as it was sent: \
         --about tcp 10.0.0.5:49152 198.51.100.7:80"
    );
    let about = "--about udp 10.0.0.5:53 198.51.100.7:40000";
    let Transport::Icmp {
        about: Some(quoted),
        ..
    } = transport(&format!("{words} {about}"))
    else {
        panic!("it quotes nothing")
    };
    let Network::Ipv4 {
        source,
        transport: Transport::Udp(ports),
        ..
    } = *quoted
    else {
        panic!("it quotes {quoted:?}")
    };
    assert_eq!(
        (source.to_string().as_str(), ports.source_port),
        ("10.0.0.5", 53)
    );
    assert_eq!(
        complaint(&format!("{words} --about udp [fe80::5]:53 [fe80::7]:40000")),
        "an ICMP error is about a packet of its own family that is no ICMP error itself"
    );
    let nothing = "only an ICMP error is about another packet, and";
    assert_eq!(
        complaint(&format!("icmp 192.0.2.1 10.0.0.5 {about}")),
        format!("{nothing} type 8 is none")
    );
    assert_eq!(
        complaint(&format!("tcp 192.0.2.1 10.0.0.5:80 {about}")),
        format!("{nothing} tcp is none")
    );
}

#[test]
fn options_of_other_packets_are_refused() {
    assert_eq!(
        complaint("tcp 10.0.0.5 10.0.0.1:80 --sender-mac fa:16:3e:00:00:09"),
        "only ARP has a sender MAC address beside that of the frame: --src-mac"
    );
    assert_eq!(
        complaint("arp 10.0.0.5 10.0.0.1 --fragment later"),
        "ARP has no fragments"
    );
}

#[test]
fn any_other_protocol_goes_by_name_or_number() {
    assert_eq!(
        transport("gre 1.2.3.4 10.0.0.5"),
        Transport::Other { number: 47 }
    );
    assert_eq!(
        transport("112 1.2.3.4 10.0.0.5"),
        Transport::Other { number: 112 }
    );
    assert_eq!(
        complaint("tpc 1.2.3.4 10.0.0.5"),
        "\"tpc\" is not a protocol; name it, or give its number from 1 to 255"
    );
}

#[test]
fn words_that_make_no_packet_are_refused_with_the_reason() {
    assert_eq!(complaint("icmp 1.2.3.4:5 10.0.0.5"), "icmp has no ports");
    assert_eq!(
        complaint("tcp 1.2.3.4:5 [fe80::1]:80"),
        "1.2.3.4 and fe80::1 are of different families"
    );
    assert_eq!(
        complaint("arp fe80::1 fe80::2"),
        "ARP is for IPv4; IPv6 asks by ICMPv6: icmp fe80::1 fe80::2 --type 135"
    );
    assert!(complaint("tcp 1.2.3:5 10.0.0.5:80").starts_with("\"1.2.3:5\" is not an address"));
}

#[test]
fn a_packet_is_the_same_after_a_way_through_json() {
    for words in [
        "tcp 198.51.100.7:40000 10.0.0.5:80 --flags rst,ack --src-mac 02:00:00:00:00:09",
        "icmp fe80::1 ff02::1 --type 135",
        "arp 10.0.0.5 10.0.0.1 --operation reply --vlan 7",
        "sctp 10.0.0.5:9 10.0.0.1:9",
        "gre 10.0.0.5 10.0.0.1 --fragment lone",
        "arp 10.0.0.5 10.0.0.1 --sender-mac 02:00:00:00:00:09",
        "icmp 10.0.0.5 10.0.0.1 --type 11 --about udp 10.0.0.1:53 10.0.0.5:9",
        "icmp fe80::1 fe80::2 --type 137 --target fe80::9 --about tcp [fe80::2]:53 [fe80::7]:9",
    ] {
        let packet = understand(words).unwrap();
        let json = serde_json::to_string(&packet).unwrap();
        assert_eq!(packet, serde_json::from_str(&json).unwrap(), "{json}");
    }
}

#[test]
fn a_line_that_is_not_understood_is_said_in_one_sentence_and_prints_no_help() {
    for (line, said) in [
        ("tcp 10.0.0.5:1 10.0.0.6:80 --flags fyn", "'fyn'"),
        ("tcp 10.0.0.5:1 10.0.0.6:80 --type x", "'x'"),
        ("tcp 10.0.0.5:1 10.0.0.6:80 10.0.0.7", "'10.0.0.7'"),
        ("tcp 10.0.0.5:1", "a packet has a protocol"),
        ("--help", "'--help'"),
        ("--version", "'--version'"),
        ("", "a packet has a protocol"),
    ] {
        let complaint = complaint(line);
        assert!(complaint.contains(said), "{line}: {complaint}");
        for other in ["Usage", "error:", "\n"] {
            assert!(!complaint.contains(other), "{line}: {complaint}");
        }
    }
}

/// Lines of what is understood, in any order, and of anything.
fn line() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 14] = [
        "tcp",
        "icmp",
        "arp",
        "10.0.0.5:80",
        "10.0.0.6",
        "[2001:db8::5]:80",
        "2001:db8::6",
        "--flags",
        "syn,ack",
        "--type",
        "3",
        "--about",
        "--fragment",
        "later",
    ];
    let word =
        prop_oneof![4 => prop::sample::select(&KNOWN[..]).prop_map(String::from), 1 => ".{0,12}"];
    prop::collection::vec(word, 0..9).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn every_line_is_a_packet_or_is_said_what_is_wrong_with_it(line in line()) {
        if let Err(error) = PacketArgs::read(&line).and_then(|args| args.parse()) {
            let complaint = error.to_string();
            prop_assert!(!complaint.is_empty() && !complaint.contains("Usage"), "{complaint}");
        }
    }
}
