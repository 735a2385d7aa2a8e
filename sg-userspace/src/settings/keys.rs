//! Every key of a settings file: one table for reading, printing and documentation.

use sg_common::layout::settings::switch;

use super::key::{Key, Kind};

/// A key of the section `timeouts`: its name, the rest of its sysctl's name, its field in
/// [`sg_common::layout::settings::Settings`], and what it is for.
macro_rules! timeout {
    ($name:literal, $sysctl:literal, $($field:ident)+ $([$index:literal])?, $doc:literal) => {
        Key {
            name: concat!("timeouts.", $name),
            doc: $doc,
            kind: Kind::Seconds(
                |settings| &mut settings.$($field)+ $([$index])?,
                Some(concat!("netfilter/nf_conntrack_", $sysctl)),
            ),
        }
    };
}

/// Every key, in the order in which they are printed: those without a section first.
pub const KEYS: &[Key] = &[
    Key {
        name: "invalid",
        doc: "Packets that fit no connection: \"rules\" lets them meet the rules first, as iptables \
              does; \"drop\" drops them at once, as Open vSwitch does",
        kind: Kind::Words(switch::DROP_INVALID, ["rules", "drop"]),
    },
    Key {
        name: "fragments",
        doc: "A later fragment before its first: \"in_order\" drops it; \"by_protocol\" lets it pass \
              if the rules permit its whole protocol",
        kind: Kind::Words(switch::FRAGMENTS_UNORDERED, ["in_order", "by_protocol"]),
    },
    Key {
        name: "other_family",
        doc: "The source address of a family that the port has no address of: \"check\" drops it; \
              \"pass\" does not look at it, as iptables",
        kind: Kind::Words(switch::OTHER_FAMILY, ["check", "pass"]),
    },
    Key {
        name: "tagged",
        doc: "Frames with a VLAN tag that belongs to no subport: \"drop\" them; \"pass\" looks at \
              their source MAC only, as iptables, but not on the interface of a trunk",
        kind: Kind::Words(switch::TAGGED, ["drop", "pass"]),
    },
    Key {
        name: "neighbor_advertisements",
        doc: "The target of a VM's neighbor advertisement: \"check\" that it is the VM's own; \
              \"pass\" does not look at it, as iptables",
        kind: Kind::Words(switch::ANY_NEIGHBOR, ["check", "pass"]),
    },
    Key {
        name: "icmpv6",
        doc: "ICMPv6 from a VM: \"builtin\" permits all but router advertisements, as iptables does; \
              \"rules\" lets what is neither neighbor discovery nor multicast listening meet the rules, as \
              Open vSwitch does",
        kind: Kind::Words(switch::ICMPV6_RULES, ["builtin", "rules"]),
    },
    Key {
        name: "arp",
        doc: "The addresses in ARP from a VM: \"check\" that they are its own; \"pass\" looks at the \
              source MAC of the frame only",
        kind: Kind::Words(switch::ANY_ARP, ["check", "pass"]),
    },
    Key {
        name: "ethertypes",
        doc: "Frames that are neither IP nor ARP, from the MACs of the port: \"any\" passes, \"none\", \
              or those of a list like [\"0x8035\", \"0x888e\"]; \"0x05ff\" stands for all with a \
              length in its place. Without 0x8035 (RARP) switches learn late of a migration",
        kind: Kind::Ethertypes,
    },
    Key {
        name: "assured_per_port",
        doc: "Established connections that one port may have: a number, a share of the table of \
              IPv4 like \"25%\", or \"unlimited\"",
        kind: Kind::Quota,
    },
    Key {
        name: "tcp.loose",
        doc: "Connections are picked up in the middle (nf_conntrack_tcp_loose)",
        kind: Kind::Flag(switch::TCP_LOOSE, true),
    },
    Key {
        name: "tcp.be_liberal",
        doc: "Segments need not fit the windows (nf_conntrack_tcp_be_liberal)",
        kind: Kind::Flag(switch::TCP_STRICT, false),
    },
    Key {
        name: "tcp.ignore_invalid_rst",
        doc: "Resets out of sequence are not invalid (nf_conntrack_tcp_ignore_invalid_rst)",
        kind: Kind::Flag(switch::TCP_IGNORE_INVALID_RST, true),
    },
    Key {
        name: "tcp.max_retrans",
        doc: "Retransmissions after which timeouts.tcp_max_retrans holds \
              (nf_conntrack_tcp_max_retrans)",
        kind: Kind::Count(|settings| &mut settings.tcp_max_retrans, 0..=255),
    },
    timeout!(
        "tcp_syn_sent",
        "tcp_timeout_syn_sent",
        tcp[1],
        "TCP after a SYN"
    ),
    timeout!(
        "tcp_syn_recv",
        "tcp_timeout_syn_recv",
        tcp[2],
        "TCP after its answer"
    ),
    timeout!(
        "tcp_established",
        "tcp_timeout_established",
        tcp[3],
        "Established TCP"
    ),
    timeout!(
        "tcp_fin_wait",
        "tcp_timeout_fin_wait",
        tcp[4],
        "TCP after a FIN"
    ),
    timeout!(
        "tcp_close_wait",
        "tcp_timeout_close_wait",
        tcp[5],
        "TCP after its acknowledgement"
    ),
    timeout!(
        "tcp_last_ack",
        "tcp_timeout_last_ack",
        tcp[6],
        "TCP after a FIN of each side"
    ),
    timeout!(
        "tcp_time_wait",
        "tcp_timeout_time_wait",
        tcp[7],
        "TCP closed by both sides"
    ),
    timeout!(
        "tcp_close",
        "tcp_timeout_close",
        tcp[8],
        "TCP after a reset"
    ),
    Key {
        name: "timeouts.tcp_syn_sent2",
        doc: "TCP after a SYN of each side; the kernel has no sysctl for it",
        kind: Kind::Seconds(|settings| &mut settings.tcp[9], None),
    },
    timeout!(
        "tcp_max_retrans",
        "tcp_timeout_max_retrans",
        tcp_max_retrans_timeout,
        "TCP after tcp.max_retrans retransmissions"
    ),
    timeout!(
        "tcp_unacknowledged",
        "tcp_timeout_unacknowledged",
        tcp_unacknowledged,
        "TCP with data that is not acknowledged"
    ),
    timeout!("udp", "udp_timeout", udp, "UDP before an answer"),
    timeout!(
        "udp_stream",
        "udp_timeout_stream",
        udp_stream,
        "UDP that was answered and lasts"
    ),
    timeout!("icmp", "icmp_timeout", icmp, "ICMP queries"),
    timeout!("icmpv6", "icmpv6_timeout", icmpv6, "ICMPv6 queries"),
    timeout!(
        "generic",
        "generic_timeout",
        generic,
        "Every other protocol"
    ),
    timeout!("gre", "gre_timeout", gre, "GRE before an answer"),
    timeout!(
        "gre_stream",
        "gre_timeout_stream",
        gre_stream,
        "GRE that was answered"
    ),
    timeout!(
        "sctp_closed",
        "sctp_timeout_closed",
        sctp[1],
        "SCTP without an association"
    ),
    timeout!(
        "sctp_cookie_wait",
        "sctp_timeout_cookie_wait",
        sctp[2],
        "SCTP after INIT"
    ),
    timeout!(
        "sctp_cookie_echoed",
        "sctp_timeout_cookie_echoed",
        sctp[3],
        "SCTP after COOKIE ECHO"
    ),
    timeout!(
        "sctp_established",
        "sctp_timeout_established",
        sctp[4],
        "Established SCTP"
    ),
    timeout!(
        "sctp_shutdown_sent",
        "sctp_timeout_shutdown_sent",
        sctp[5],
        "SCTP after SHUTDOWN"
    ),
    timeout!(
        "sctp_shutdown_recd",
        "sctp_timeout_shutdown_recd",
        sctp[6],
        "SCTP after SHUTDOWN from the other side"
    ),
    timeout!(
        "sctp_shutdown_ack_sent",
        "sctp_timeout_shutdown_ack_sent",
        sctp[7],
        "SCTP after SHUTDOWN ACK"
    ),
    timeout!(
        "sctp_heartbeat_sent",
        "sctp_timeout_heartbeat_sent",
        sctp[8],
        "SCTP picked up at a HEARTBEAT"
    ),
    Key {
        name: "timeouts.frag4",
        doc: "Fragments of IPv4 after their first (net.ipv4.ipfrag_time)",
        kind: Kind::Seconds(
            |settings| &mut settings.fragments[0],
            Some("ipv4/ipfrag_time"),
        ),
    },
    timeout!(
        "frag6",
        "frag6_timeout",
        fragments[1],
        "Fragments of IPv6 after their first"
    ),
];
