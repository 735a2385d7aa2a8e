//! The packets are read back by a parser that is not ours.

use etherparse::{NetHeaders, PacketHeaders, SlicedPacket, TransportHeader, TransportSlice};

use super::{
    DOT1AD, Extension, Packet, arp_request, dccp, dhcp_discover, icmp, icmp_echo, icmp_error,
    neighbour_solicitation, protocol, sctp, tcp, udp,
};

#[track_caller]
fn says(packet: &Packet, line: &str) {
    assert_eq!(packet.to_string(), line);
}

#[test]
fn a_packet_says_in_one_line_what_it_is() {
    says(
        &tcp("10.0.0.1:31245", "10.0.0.2:80").syn(),
        "IPv4 10.0.0.1:31245 > 10.0.0.2:80 tcp SYN, 0 bytes (fa:16:3e:00:00:01 > fa:16:3e:00:00:02)",
    );
    says(
        &udp("[2001:db8::1]:53", "[2001:db8::2]:53").payload(b"hello"),
        "IPv6 [2001:db8::1]:53 > [2001:db8::2]:53 udp, 5 bytes \
         (fa:16:3e:00:00:01 > fa:16:3e:00:00:02)",
    );
    says(
        &icmp_echo("10.0.0.1", "10.0.0.2").tag(DOT1AD, 7).vlan(42),
        "vlan 7 vlan 42 IPv4 10.0.0.1 > 10.0.0.2 icmp 8/0 (fa:16:3e:00:00:01 > fa:16:3e:00:00:02)",
    );
    says(
        &arp_request("10.0.0.1", "10.0.0.2"),
        "ARP request: sender 10.0.0.1, target 10.0.0.2 (fa:16:3e:00:00:01 > ff:ff:ff:ff:ff:ff)",
    );
    says(
        &neighbour_solicitation("::", "fe80::f816:3eff:fe00:5"),
        "IPv6 [::] > [ff02::1:ff00:5] icmpv6 135/0 (fa:16:3e:00:00:00 > 33:33:ff:00:00:05)",
    );
    says(
        &protocol(47, "10.0.0.1", "10.0.0.2").payload(&[0; 8]),
        "IPv4 10.0.0.1 > 10.0.0.2 protocol 47, 8 bytes (fa:16:3e:00:00:01 > fa:16:3e:00:00:02)",
    );
}

#[test]
fn lengths_and_checksums_are_right() {
    let packets = [
        tcp("10.0.0.1:1", "10.0.0.2:2")
            .syn()
            .tcp_options(&[2, 4, 5, 180])
            .payload(b"odd"),
        tcp("[2001:db8::1]:1", "[2001:db8::2]:2")
            .ack()
            .payload(b"even"),
        udp("10.0.0.1:1", "10.0.0.2:2")
            .options(&[1, 1, 1, 0])
            .payload(b"x"),
        udp("[2001:db8::1]:1", "[2001:db8::2]:2").extension(Extension::HopByHop),
        icmp("10.0.0.1", "10.0.0.2", 3, 4).payload(b"quoted"),
        icmp_echo("2001:db8::1", "2001:db8::2").extension(Extension::Destination),
    ];
    for packet in packets {
        assert_checksums(&packet);
    }
}

#[track_caller]
fn assert_checksums(packet: &Packet) {
    let bytes = packet.bytes();
    // Strict about lengths.
    SlicedPacket::from_ethernet(&bytes).unwrap_or_else(|e| panic!("{packet}: {e}"));
    let headers = PacketHeaders::from_ethernet_slice(&bytes).unwrap();
    let (net, payload) = (headers.net.unwrap(), headers.payload.slice());
    let mut transport = headers.transport.unwrap();
    let before = transport.clone();
    match &net {
        NetHeaders::Ipv4(header, _) => {
            assert_eq!(
                header.header_checksum,
                header.calc_header_checksum(),
                "{packet}"
            );
            transport.update_checksum_ipv4(header, payload).unwrap();
        }
        NetHeaders::Ipv6(header, _) => transport.update_checksum_ipv6(header, payload).unwrap(),
        NetHeaders::Arp(_) => unreachable!(),
    }
    assert_eq!(before, transport, "{packet}");
}

#[test]
fn fragments_together_are_the_datagram() {
    let whole = udp("10.0.0.1:1", "10.0.0.2:2").payload(&[7; 100]);
    let (first, second) = (
        whole.clone().fragment(9, 0, 64),
        whole.clone().fragment(9, 64, 999),
    );
    let body = |packet: &Packet| packet.bytes()[34..].to_vec();
    assert_eq!([body(&first), body(&second)].concat(), body(&whole));

    let header = |packet: &Packet| match PacketHeaders::from_ethernet_slice(&packet.bytes()) {
        Ok(PacketHeaders {
            net: Some(NetHeaders::Ipv4(header, _)),
            ..
        }) => header,
        other => panic!("{other:?}"),
    };
    assert!(header(&first).more_fragments);
    assert!(!header(&second).more_fragments);
    assert_eq!(header(&second).fragment_offset.value(), 8);
}

#[test]
fn extension_headers_are_chained_to_the_transport_header() {
    let packet = tcp("[2001:db8::1]:1", "[2001:db8::2]:2")
        .syn()
        .extension(Extension::HopByHop)
        .extension(Extension::Destination)
        .extension(Extension::Routing)
        .extension(Extension::Authentication)
        .fragment(1, 0, 999);
    let bytes = packet.bytes();
    let sliced = SlicedPacket::from_ethernet(&bytes).unwrap();
    assert!(
        matches!(sliced.transport, Some(TransportSlice::Tcp(_))),
        "{packet}"
    );
}

#[test]
fn an_icmp_error_quotes_the_packet_it_is_about() {
    let about = udp("10.0.0.1:1", "10.0.0.2:2").payload(&[7; 1000]);
    let error = icmp_error("10.0.0.9", 3, 1, &about).bytes();
    assert_eq!(error[42..], about.bytes()[14..14 + 548]);
    let headers = PacketHeaders::from_ethernet_slice(&error).unwrap();
    assert!(matches!(
        headers.transport,
        Some(TransportHeader::Icmpv4(_))
    ));
}

#[test]
fn protocols_without_a_parser_have_their_ports_first() {
    let ports = [0x12, 0x34, 0x00, 0x50];
    assert_eq!(sctp("10.0.0.1:4660", "10.0.0.2:80").bytes()[34..38], ports);
    assert_eq!(dccp("10.0.0.1:4660", "10.0.0.2:80").bytes()[34..38], ports);
    assert_eq!(
        dhcp_discover("fa:16:3e:00:00:05").bytes()[6..12],
        [0xfa, 0x16, 0x3e, 0, 0, 5]
    );
}
