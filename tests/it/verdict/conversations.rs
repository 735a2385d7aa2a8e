//! Several packets, one after the other: answers need no rule, and a change is felt at once.

use sg_common::reason::Accept::{Established, Fragment, New, Related};
use sg_common::reason::DropReason::{
    FragmentUnknown, InvalidIcmp, InvalidTcpReset, InvalidTcpState, NoRule, Revoked,
};
use sg_tests::packet::{icmp_echo, icmp_echo_reply, icmp_error, tcp, udp};
use sg_tests::verdict::{check, web};

const PEER: &str = "198.51.100.7:40000";
const WEB: &str = "10.0.0.5:80";

#[test]
fn answers_of_a_tcp_connection_need_no_rule() {
    check(&[
        web(&["ingress IPv4 tcp 80"])
            .in_order()
            .to_vm(tcp(PEER, WEB).syn(), New)
            .from_vm(tcp(WEB, PEER).syn_ack(), Established)
            .to_vm(tcp(PEER, WEB).ack(), Established)
            .from_vm(tcp(WEB, PEER).ack(), Established)
            .from_vm(tcp(WEB, "198.51.100.7:40001").ack(), NoRule),
        web(&["egress IPv4 tcp 80"])
            .in_order()
            .from_vm(tcp("10.0.0.5:40000", "198.51.100.7:80").syn(), New)
            .to_vm(
                tcp("198.51.100.7:80", "10.0.0.5:40000").syn_ack(),
                Established,
            )
            .to_vm(
                tcp("198.51.100.7:80", "10.0.0.5:40001").syn_ack(),
                InvalidTcpState,
            ),
    ]);
}

#[test]
fn a_reset_out_of_sequence_is_refused() {
    check(&[web(&["ingress IPv4 tcp 80"])
        .in_order()
        .to_vm(tcp(PEER, WEB).syn().sequence(1000, 0), New)
        .from_vm(tcp(WEB, PEER).syn_ack().sequence(5000, 1001), Established)
        .to_vm(tcp(PEER, WEB).ack().sequence(1001, 5001), Established)
        .from_vm(tcp(WEB, PEER).ack().sequence(5001, 1001), Established)
        .from_vm(tcp(WEB, PEER).rst().sequence(4000, 0), InvalidTcpReset)
        .from_vm(tcp(WEB, PEER).rst().sequence(5001, 0), Established)]);
}

#[test]
fn answers_of_udp_and_icmp_need_no_rule() {
    check(&[
        web(&["ingress IPv4 udp 80"])
            .in_order()
            .to_vm(udp(PEER, WEB), New)
            .from_vm(udp(WEB, PEER), Established)
            .from_vm(udp(WEB, "198.51.100.8:40000"), NoRule),
        web(&["ingress IPv4 icmp 8"])
            .in_order()
            .to_vm(icmp_echo("198.51.100.7", "10.0.0.5"), New)
            .from_vm(icmp_echo_reply("10.0.0.5", "198.51.100.7"), Established)
            .from_vm(icmp_echo_reply("10.0.0.5", "198.51.100.8"), InvalidIcmp),
    ]);
}

#[test]
fn an_icmp_error_belongs_to_the_connection_that_it_quotes() {
    let out = || udp("10.0.0.5:5000", "198.51.100.7:53");
    check(&[web(&["egress IPv4 udp 53"])
        .in_order()
        .from_vm(out(), New)
        .to_vm(icmp_error("203.0.113.1", 3, 4, &out()), Related)
        .to_vm(
            icmp_error(
                "203.0.113.1",
                3,
                3,
                &udp("10.0.0.5:5001", "198.51.100.7:53"),
            ),
            InvalidIcmp,
        )]);
}

#[test]
fn a_removed_rule_cuts_its_connections_until_it_comes_back() {
    let http = || web(&["ingress IPv4 tcp 80"]);
    check(&[http()
        .in_order()
        .to_vm(tcp(PEER, WEB).syn(), New)
        .from_vm(tcp(WEB, PEER).syn_ack(), Established)
        .to_vm(tcp(PEER, WEB).ack(), Established)
        .now(web(&["ingress IPv4 tcp 443"]))
        .from_vm(tcp(WEB, PEER).ack(), Revoked)
        .to_vm(tcp(PEER, WEB).ack(), Revoked)
        .now(http())
        .to_vm(tcp(PEER, WEB).ack(), Established)]);
}

#[test]
fn later_fragments_follow_the_first() {
    let whole = || udp(PEER, WEB).payload(&[7; 64]);
    check(&[web(&["ingress IPv4 udp 80"])
        .in_order()
        .to_vm(whole().fragment(42, 32, 72), FragmentUnknown)
        .to_vm(whole().fragment(42, 0, 32), New)
        .to_vm(whole().fragment(42, 32, 72), Fragment)
        .to_vm(whole().fragment(43, 32, 72), FragmentUnknown)]);
}
