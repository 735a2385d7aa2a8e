use expect_test::expect;
use serde_json::json;

use super::*;
use crate::{
    agent::tests::{LINK, agent, counted, inventory, trunk::trunk},
    netlink::LinkEvent,
};

#[test]
fn a_port_is_shown_as_a_packet_meets_it() {
    let (mut agent, kernel) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({}))).unwrap();
    kernel.kernel().counts.insert(1, counted());
    let text = text(&agent.port("WEB1", &[]).unwrap());
    expect![[r#"
        port       WEB1
        id         11111111-0000-4000-8000-000000000005
        interface  tapweb1 (index 7)
        MAC        fa:16:3e:00:00:05
        addresses  10.0.0.5, 2001:db8::5, 10.0.9.0/24 via fa:16:3e:00:00:99
        groups     WEB_SERVERS
        state      enforcing
        embryos4   0 of 128 entries
        from_vm    program 1112 from_vm, tag 3a42d422d61daf28; tcx link 448, pinned at /sys/fs/bpf/sg/v3/links/7-from_vm
        to_vm      program 1113 to_vm, tag 3a42d422d61daf28; tcx link 449, pinned at /sys/fs/bpf/sg/v3/links/7-to_vm

        from_vm (egress)
        #   PACKETS  BYTES  VERDICT  WHAT
        1   0        0      drop     frames that are cut short or contradict themselves
        2   0        0      drop     VLAN tags that belong to no subport
        3   0        0      drop     a source MAC that is none of these: fa:16:3e:00:00:05, fa:16:3e:00:00:99
        4   0        0      accept   VLAN tags that belong to no subport, if the settings let them pass
        5   0        0      drop     IP, ARP or an ethertype behind LLC
        6   0        0      drop     neither IP nor ARP, unless the settings let it pass
        7   0        0      accept   neither IP nor ARP
        8   0        0      drop     ARP with a sender that is none of these: 10.0.0.5, 10.0.9.0/24 via fa:16:3e:00:00:99
        9   0        0      accept   other ARP
        10  0        0      drop     fragments that hide their transport header, or belong to nothing
        11  0        0      drop     a source address of a family that the port has none of
        12  0        0      drop     0.0.0.0 or :: as source, but for DHCP and the detection of an address
        13  0        0      drop     a link-local source address that is none of the port's
        14  1        60     drop     any other source address that is none of these: 10.0.0.5, 2001:db8::5, 10.0.9.0/24 via fa:16:3e:00:00:99, fe80::f816:3eff:fe00:5
        15  0        0      drop     neighbor advertisements for an address that is none of these: 2001:db8::5, fe80::f816:3eff:fe00:5
        16  0        0      drop     DHCP and DHCPv6 server
        17  0        0      drop     router advertisements
        18  50       3000   accept   established and related connections
        19  0        0      drop     connections that the rules no longer permit
        20  0        0      accept   DHCP and DHCPv6 client
        21  0        0      accept   other ICMPv6
        22  0        0      accept   rules of the security groups
                                       IPv4 any protocol to anyone (WEB_SERVERS, 0 flows, last hit never)
                                       IPv6 any protocol to anyone (WEB_SERVERS, 0 flows, last hit never)
        23  0        0      drop     packets that fit no connection
        24  0        0      drop     everything else

        to_vm (ingress)
        #   PACKETS  BYTES  VERDICT  WHAT
        1   0        0      drop     frames that are cut short or contradict themselves
        2   0        0      drop     VLAN tags that belong to no subport
        3   0        0      accept   VLAN tags that belong to no subport, if the settings let them pass
        4   0        0      drop     IP, ARP or an ethertype behind LLC
        5   0        0      drop     neither IP nor ARP, unless the settings let it pass
        6   0        0      accept   neither IP nor ARP
        7   0        0      accept   ARP
        8   0        0      drop     fragments that hide their transport header, or belong to nothing
        9   40       2400   accept   established and related connections
        10  0        0      drop     connections that the rules no longer permit
        11  0        0      accept   ICMPv6 that IPv6 needs: MLD queries, neighbor discovery, router advertisements
        12  0        0      accept   answers of DHCP and DHCPv6 servers
        13  2        120    accept   rules of the security groups
                                       IPv4 tcp 80 from anyone (WEB_SERVERS, 0 flows, last hit never)
                                       IPv4 tcp 443 from anyone (WEB_SERVERS, 0 flows, last hit never)
                                       IPv4 icmp from 10.0.0.0/8 (WEB_SERVERS, 0 flows, last hit never)
                                       IPv4 any protocol from group WEB_SERVERS (WEB_SERVERS, 0 flows, last hit never)
        14  0        0      drop     packets that fit no connection
        15  3        180    drop     everything else
    "#]].assert_eq(&text);
}

#[test]
fn a_subport_says_in_which_vlan_it_is() {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&trunk(json!(100))).unwrap();
    let text = text(&agent.port("CLIENT", &[]).unwrap());
    let line = "\ninterface  tapweb1 (index 7), VLAN 100\n";
    assert!(text.contains(line), "{text}");
}

#[test]
fn a_closed_port_says_why() {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    agent.apply(&inventory(json!({"mac_address": 5}))).unwrap();
    let text = text(&agent.port("WEB1", &[]).unwrap());
    expect![[r#"
        port       WEB1
        id         11111111-0000-4000-8000-000000000005
        interface  tapweb1 (index 7)
        MAC        -
        addresses  -
        groups     -
        state      closed: mac_address is not a string
        from_vm    program 1112 from_vm, tag 3a42d422d61daf28; tcx link 448, pinned at /sys/fs/bpf/sg/v3/links/7-from_vm
        to_vm      program 1113 to_vm, tag 3a42d422d61daf28; tcx link 449, pinned at /sys/fs/bpf/sg/v3/links/7-to_vm

        from_vm (egress)
        #  PACKETS  BYTES  VERDICT  WHAT
        1  0        0      drop     no port is applied to this interface: nothing passes

        to_vm (ingress)
        #  PACKETS  BYTES  VERDICT  WHAT
        1  0        0      drop     no port is applied to this interface: nothing passes
    "#]]
    .assert_eq(&text);
}
