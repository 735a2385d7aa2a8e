//! Connections, invalid packets and fragments.

use super::{Table, frames, into, out, together};
use crate::inventory::{Inventory, group, port};
use crate::packet::{
    Extension, TcpFlags, icmp, icmp_echo, icmp_echo_reply, icmp_error, protocol, tcp, udp, udplite,
};

#[rustfmt::skip]
pub(super) fn rows(t: &mut Table) {
    let vm1 = || port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"]);
    let (a, b) = ("10.0.0.5:9", "198.51.100.7:80");
    let (a6, b6) = ("[2001:db8::5]:9", "[2001:db8:ff::7]:80");
    t.under(Inventory::new().group(group("G").default_egress()).port(vm1()));
    t.row("1.2 v4 6, 1.3 v4 1", "a TCP connection of the VM", "++++++++", &[out(tcp(a, b).syn().sequence(100, 0)), into(tcp(b, a).syn_ack().sequence(500, 101)), out(tcp(a, b).ack().sequence(101, 501)), into(tcp(b, a).ack().sequence(501, 101).payload(b"data")), out(tcp(a, b).fin().sequence(101, 505)), into(tcp(b, a).fin().sequence(505, 102)), out(tcp(a, b).ack().sequence(102, 506)), into(tcp(b, a).ack().sequence(506, 102))]);
    t.row("1.2 v4 6, 1.3 v4 1", "a UDP exchange", "+++-", &[out(udp(a, b)), into(udp(b, a)), out(udp(a, b)), into(udp("198.51.100.7:81", a))]);
    t.row("1.3 v6 2, 1.2 v6 8", "over IPv6", "++", &[out(udp(a6, b6)), into(udp(b6, a6))]);
    t.row("3.4 echo", "an echo and its reply", "++-", &[out(icmp_echo("10.0.0.5", "198.51.100.7")), into(icmp_echo_reply("198.51.100.7", "10.0.0.5")), into(icmp_echo_reply("198.51.100.7", "10.0.0.5").icmp_id(2, 1))]);
    t.row("3.4 addresses", "GRE, ESP and an unknown protocol by their addresses", "++++++-", &[out(protocol(47, "10.0.0.5", "198.51.100.7").payload(&[0; 8])), into(protocol(47, "198.51.100.7", "10.0.0.5").payload(&[0; 8])), out(protocol(50, "10.0.0.5", "198.51.100.7").payload(&[0; 24])), into(protocol(50, "198.51.100.7", "10.0.0.5").payload(&[0; 24])), out(protocol(253, "10.0.0.5", "198.51.100.7").payload(&[0; 8])), into(protocol(253, "198.51.100.7", "10.0.0.5").payload(&[0; 8])), into(protocol(252, "198.51.100.7", "10.0.0.5").payload(&[0; 8]))]);
    t.row("1.3 v4 4", "unasked", "----", &[into(tcp(b, a).syn()), into(tcp(b, a).ack()), into(udp(b, a)), into(icmp_echo_reply("198.51.100.7", "10.0.0.5"))]);
    t.row("3.4 error", "an error about a known packet, from any router", "++++", &[out(udp(a, b)), into(icmp_error("198.51.100.7", 3, 3, &udp(a, b))), into(icmp_error("203.0.113.1", 3, 4, &udp(a, b))), into(icmp_error("203.0.113.1", 11, 0, &udp(a, b)))]);
    t.row("3.4 unknown error", "an error about an unknown packet", "-", &[into(icmp_error("198.51.100.7", 3, 3, &udp(a, b)))]);
    t.row("3.4 error", "packet too big and unreachable of IPv6", "+++-", &[out(udp(a6, b6)), into(icmp_error("2001:db8:fe::1", 2, 0, &udp(a6, b6))), into(icmp_error("2001:db8:fe::1", 1, 4, &udp(a6, b6))), into(icmp_error("2001:db8:fe::1", 1, 4, &udp("[2001:db8::5]:8", b6)))]);
    t.deviation("3.4 reset", "a reset in place closes, one far off does not", "+++-+", (14, "+++++"), &[out(tcp(a, b).syn().sequence(100, 0)), into(tcp(b, a).syn_ack().sequence(500, 101)), out(tcp(a, b).ack().sequence(101, 501)), into(tcp(b, a).rst().sequence(400_000_000, 0)), into(tcp(b, a).rst().sequence(501, 0))]);
    t.row("0.1, 1.2 v4 7", "no flags at all, and SYN with FIN, from the VM: a rule matches", "++", &[out(tcp(a, b)), out(tcp(a, b).flags(TcpFlags::SYN | TcpFlags::FIN))]);
    t.row("1.2 v4 7", "an unasked reply from the VM: a rule matches", "+", &[out(icmp_echo_reply("10.0.0.5", "198.51.100.7"))]);
    t.row("1.2 v4 7", "no entry comes of an invalid packet", "+-", &[out(tcp(a, b).flags(TcpFlags::SYN | TcpFlags::FIN)), into(tcp(b, a).syn_ack())]);
    t.row("0.1, 3.4 checksum", "a UDP length that is too long: a rule matches", "+-", &[frames(out(udp(a, b)), |frame| frame[39] = 200), into(udp(b, a))]);
    t.deviation("3.4 checksum", "a wrong UDP checksum makes no connection", "+-", (13, "++"), &[frames(out(udp(a, b)), |frame| frame[40] ^= 0x55), into(udp(b, a))]);

    t.under(Inventory::new().group(group("G").rule("ingress IPv4 tcp 80").rule("ingress IPv4 udp").rule("ingress IPv4 icmp 8").rule("ingress IPv6 udp 80")).port(vm1()));
    let (c, s) = ("198.51.100.7:9", "10.0.0.5:80");
    t.row("1.3 v4 2, 1.2 v4 5", "a TCP connection to the VM", "++++", &[into(tcp(c, s).syn().sequence(100, 0)), out(tcp(s, c).syn_ack().sequence(500, 101)), into(tcp(c, s).ack().sequence(101, 501)), out(tcp(s, c).ack().sequence(501, 101).payload(b"data"))]);
    t.row("1.2 v4 8", "from the VM nothing is permitted", "--", &[out(tcp(s, c).syn_ack()), out(udp(s, c))]);
    t.row("0.7", "a connection picked up in the middle", "++", &[into(tcp(c, s).ack().sequence(101, 501)), out(tcp(s, c).ack().sequence(501, 101))]);
    t.row("3.4 error", "the VM's own error about a packet that came in", "++-", &[into(udp(c, s)), out(icmp_error("10.0.0.5", 3, 3, &udp(c, s))), out(icmp_error("10.0.0.5", 3, 3, &udp("198.51.100.8:9", s)))]);
    t.row("3.4 error", "the same over IPv6", "++", &[into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:80")), out(icmp_error("2001:db8::5", 1, 4, &udp("[2001:db8:ff::7]:9", "[2001:db8::5]:80")))]);
    t.row("0.1, 1.3 v4 3", "a packet that a rule matches passes", "++++", &[into(tcp(c, s).flags(TcpFlags::SYN | TcpFlags::FIN)), into(tcp(c, s)), into(tcp(c, s).rst()), into(tcp(c, s).flags(TcpFlags::SYN | TcpFlags::RST))]);
    t.row("1.3 v4 3", "one that no rule matches falls", "--", &[into(tcp(c, "10.0.0.5:81").flags(TcpFlags::SYN | TcpFlags::FIN)), into(icmp("198.51.100.7", "10.0.0.5", 0, 0))]);

    let part = |id: u32, from: usize, to: usize| into(udp(c, s).payload(&[7; 200]).fragment(id, from, to));
    t.row("0.10", "in order", "+", &[together(vec![part(1, 0, 104), part(1, 104, 999)])]);
    t.row("0.10", "three of them", "+", &[together(vec![part(2, 0, 64), part(2, 64, 128), part(2, 128, 999)])]);
    t.deviation("0.10", "the second before the first", "+", (12, "?"), &[together(vec![part(3, 104, 999), part(3, 0, 104)])]);
    t.row("0.10", "a later one alone", "-", &[part(4, 104, 999)]);
    t.deviation("0.10", "the first alone", "-", (12, "+"), &[part(5, 0, 104)]);
    let refused = |id: u32, from: usize, to: usize| into(tcp(c, "10.0.0.5:81").syn().payload(&[7; 200]).fragment(id, from, to));
    t.row("0.10", "of a datagram that no rule permits", "-", &[together(vec![refused(6, 0, 104), refused(6, 104, 999)])]);
    let six = |id: u32, from: usize, to: usize| into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:80").payload(&[7; 200]).fragment(id, from, to));
    t.row("0.10", "of IPv6", "+", &[together(vec![six(7, 0, 104), six(7, 104, 999)])]);
    t.row("0.10", "of IPv6, behind destination options", "+", &[together(vec![into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:80").payload(&[7; 200]).extension(Extension::HopByHop).fragment(8, 0, 104)), into(udp("[2001:db8:ff::7]:9", "[2001:db8::5]:80").payload(&[7; 200]).extension(Extension::HopByHop).fragment(8, 104, 999))])]);
    t.row("0.10", "a later one of IPv6 alone", "-", &[six(9, 104, 999)]);
    over_ipv6(t);
    from_vm(t);
}

/// IPv6, both ways.
#[rustfmt::skip]
fn over_ipv6(t: &mut Table) {
    let vm1 = || port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"]);
    t.under(Inventory::new().group(group("G").rule("ingress IPv6 tcp 80").rule("ingress IPv6 50").rule("egress IPv6 udplite 80").rule("egress IPv6 udp 53").rule("egress IPv4 udplite 80")).port(vm1()));
    let (c, s) = ("[2001:db8:ff::7]:9", "[2001:db8::5]:80");
    t.row("1.2 v6 7, 1.3 v6 3", "a TCP connection to the VM", "+++++-", &[into(tcp(c, s).syn().sequence(100, 0)), out(tcp(s, c).syn_ack().sequence(500, 101)), into(tcp(c, s).ack().sequence(101, 501)), out(tcp(s, c).ack().sequence(501, 101).payload(b"data")), out(tcp(s, c).fin().sequence(505, 101)), out(tcp(s, "[2001:db8:ff::7]:10").syn_ack())]);
    t.row("1.3 v6 4", "an invalid packet that no rule matches", "-", &[into(tcp(c, "[2001:db8::5]:81").flags(TcpFlags::SYN | TcpFlags::FIN))]);
    t.row("1.3 v6 4, 0.1", "an invalid packet that a rule matches", "+", &[into(tcp(c, s).flags(TcpFlags::SYN | TcpFlags::FIN))]);
    t.row("1.2 v6 9", "an invalid packet that no rule matches", "-", &[out(tcp("[2001:db8::5]:9", "[2001:db8:ff::7]:80").flags(TcpFlags::SYN | TcpFlags::FIN))]);
    t.row("1.2 v6 9, 2.2 last header", "no next header is invalid, and opens nothing", "-", &[out(protocol(59, "2001:db8::5", "2001:db8:ff::7").payload(&[0; 8]))]);
    t.row("3.4 addresses", "ESP to the VM, and back", "++", &[into(protocol(50, "2001:db8:ff::7", "2001:db8::5").payload(&[0; 24])), out(protocol(50, "2001:db8::5", "2001:db8:ff::7").payload(&[0; 24]))]);
    t.row("3.4 echo", "IPv6: the reply with its identifier alone", "+-+", &[out(icmp_echo("2001:db8::5", "2001:db8:ff::7")), into(icmp_echo_reply("2001:db8:ff::7", "2001:db8::5").icmp_id(2, 1)), into(icmp_echo_reply("2001:db8:ff::7", "2001:db8::5"))]);
    let (u6, p6) = ("[2001:db8::5]:9", "[2001:db8:ff::7]:80");
    t.deviation("3.4 checksum", "UDP-Lite of IPv6 as every host sends it makes no connection", "+-", (24, "++"), &[out(udplite(u6, p6)), into(udplite(p6, u6))]);
    t.deviation("3.4 checksum", "UDP-Lite of IPv4 as every host sends it makes no connection", "+-", (24, "++"), &[out(udplite("10.0.0.5:9", "198.51.100.7:80")), into(udplite("198.51.100.7:80", "10.0.0.5:9"))]);
    t.deviation("3.4 checksum", "a wrong UDP checksum of IPv6 makes no connection", "+-", (13, "++"), &[frames(out(udp(u6, "[2001:db8:ff::7]:53")), |frame| frame[60] ^= 0x55), into(udp("[2001:db8:ff::7]:53", u6))]);
    t.row("1.3 v6 2, 3.4 error", "an error about IPv6 to the wrong address", "+-", &[out(udp(u6, "[2001:db8:ff::7]:53")), into(icmp("2001:db8:ff::7", "2001:db8::77", 1, 4).payload(&udp(u6, "[2001:db8:ff::7]:53").bytes()[14..]))]);
}

/// What the VM sends in fragments, out of the window and with wrong checksums.
#[rustfmt::skip]
fn from_vm(t: &mut Table) {
    let vm1 = || port("VM1").ip("10.0.0.5").ip("2001:db8::5").groups(&["G"]);
    t.under(Inventory::new().group(group("G").rule("egress IPv4 udp 53").rule("egress IPv6 udp 53").rule("egress IPv4 tcp 80")).port(vm1()));
    let part = |to: &str, id: u32, from: usize, to_byte: usize| out(udp("10.0.0.5:9", to).payload(&[7; 200]).fragment(id, from, to_byte));
    t.row("0.10", "from the VM, in order", "+", &[together(vec![part("198.51.100.7:53", 21, 0, 104), part("198.51.100.7:53", 21, 104, 999)])]);
    t.row("0.10", "from the VM, of a datagram that no rule permits", "-", &[together(vec![part("198.51.100.7:54", 22, 0, 104), part("198.51.100.7:54", 22, 104, 999)])]);
    t.row("0.10", "from the VM, a later one alone", "-", &[part("198.51.100.7:53", 23, 104, 999)]);
    t.row("0.10, 1.2 v4 2", "from the VM, of a spoofed address", "-", &[together(vec![out(udp("10.0.0.66:9", "198.51.100.7:53").from_mac("fa:16:3e:00:00:05").payload(&[7; 200]).fragment(24, 0, 104)), out(udp("10.0.0.66:9", "198.51.100.7:53").from_mac("fa:16:3e:00:00:05").payload(&[7; 200]).fragment(24, 104, 999))])]);
    let six = |port: u16, id: u32, from: usize, to: usize| out(udp("[2001:db8::5]:9", &format!("[2001:db8:ff::7]:{port}")).payload(&[7; 200]).fragment(id, from, to));
    t.row("0.10", "of IPv6 from the VM", "+-", &[together(vec![six(53, 25, 0, 104), six(53, 25, 104, 999)]), together(vec![six(54, 26, 0, 104), six(54, 26, 104, 999)])]);
    t.row("0.10, 1.2 v4 4", "a DHCP offer in fragments from the VM", "-", &[together(vec![out(udp("10.0.0.5:67", "10.0.0.6:68").payload(&[7; 200]).fragment(27, 0, 104)), out(udp("10.0.0.5:67", "10.0.0.6:68").payload(&[7; 200]).fragment(27, 104, 999))])]);
    let (a, b) = ("10.0.0.5:9", "198.51.100.7:80");
    t.deviation("3.4 window", "data far outside of the window", "+++-", (14, "++++"), &[out(tcp(a, b).syn().sequence(100, 0)), into(tcp(b, a).syn_ack().sequence(500, 101)), out(tcp(a, b).ack().sequence(101, 501)), into(tcp(b, a).ack().sequence(900_000_000, 101).payload(b"stray"))]);
    t.deviation("3.4 checksum", "a wrong TCP checksum makes no connection", "+-", (13, "++"), &[frames(out(tcp(a, b).syn().sequence(100, 0)), |frame| frame[50] ^= 0x55), into(tcp(b, a).syn_ack().sequence(500, 101))]);
}
