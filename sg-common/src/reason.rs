//! Why a packet passed or fell: two closed lists, named once, used by counters, command line and metrics.

/// Declares a closed list: an enum with a name and a sentence for each entry.
macro_rules! closed_list {
    ($(#[$meta:meta])* pub enum $list:ident { $($entry:ident $name:literal $sentence:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $list { $(#[doc = $sentence] $entry,)* }

        impl $list {
            /// Every entry, in the order of the numbers.
            pub const ALL: &'static [$list] = &[$($list::$entry,)*];

            /// The name that programs see, in snake case.
            pub const fn as_str(self) -> &'static str {
                match self { $($list::$entry => $name,)* }
            }

            /// A sentence for people.
            pub const fn describe(self) -> &'static str {
                match self { $($list::$entry => $sentence,)* }
            }
        }
    };
}

closed_list! {
    /// Why a packet was accepted.
    pub enum Accept {
        Established "established" "It belongs to a tracked connection.",
        Related "related" "It is an ICMP error about a tracked connection.",
        New "new" "A rule permits it; its connection is tracked from now on.",
        Stateless "stateless" "A rule of a stateless group permits it.",
        InvalidPermitted "invalid_permitted" "It fits no connection, but a rule permits it.",
        Dhcp "dhcp" "DHCP between the VM and its servers is always permitted.",
        Icmpv6 "icmpv6" "ICMPv6 that IPv6 needs to work is always permitted.",
        Arp "arp" "ARP with a sender that belongs to the port.",
        Ethertype "ethertype" "Neither IP nor ARP, from a MAC of the port.",
        Fragment "fragment" "A later fragment of a datagram that was accepted.",
        Unfiltered "unfiltered" "Port security is off, or the port is trusted.",
        Tagged "tagged" "Its VLAN tag belongs to no trunk subport; the settings let it pass.",
        Audit "audit" "No rule permits it; it passes because the port is in audit.",
    }
}

closed_list! {
    /// Why a packet was dropped. A reason means one thing, wherever in the code a packet shows it.
    pub enum DropReason {
        NoPort "no_port" "No port is applied to this interface; it stays closed until one is.",
        Vlan "vlan" "The frame has a VLAN tag that belongs to no trunk subport of this interface.",
        Encapsulated "encapsulated" "An ethertype, IP or ARP behind an LLC header (RFC 1042), where Ethernet needs none.",
        RefusedEthertype "refused_ethertype" "Neither IP nor ARP, and the settings do not let its ethertype pass.",
        MalformedEthernet "malformed_ethernet" "The frame is shorter than its Ethernet or VLAN header.",
        MalformedArp "malformed_arp" "The ARP packet is not one for IPv4 over Ethernet, or cut short.",
        MalformedIpv4 "malformed_ipv4" "The IPv4 header is cut short or contradicts itself.",
        MalformedIpv6 "malformed_ipv6" "The IPv6 header or an extension header is cut short.",
        ExtensionHeaders "extension_headers" "More IPv6 extension headers than the filter follows.",
        SpoofedMac "spoofed_mac" "The source MAC is neither the port's nor one of its allowed pairs'.",
        OtherFamilySource "other_family_source" "The port has no address of the family of its source.",
        UnspecifiedSource "unspecified_source" "The source is 0.0.0.0 or ::, and it is neither DHCP nor the detection of an address.",
        LinkLocalSource "link_local_source" "The source is link-local, but not an address that goes with this MAC at the port.",
        SpoofedAddress "spoofed_address" "The source address is not the port's, nor an allowed pair with this MAC.",
        SpoofedArp "spoofed_arp" "The ARP sender is not an address of the port with this MAC.",
        SpoofedNeighbor "spoofed_neighbor" "The neighbor advertisement is for an address that is not the port's.",
        DhcpServer "dhcp_server" "A VM must not answer as a DHCP server.",
        RouterAdvertisement "router_advertisement" "A VM must not advertise itself as an IPv6 router.",
        NoRule "no_rule" "No rule of the port's security groups permits it.",
        Revoked "revoked" "Its connection was accepted once; the rules no longer permit it.",
        InvalidTransport "invalid_transport" "The transport header is cut short or contradicts itself.",
        InvalidTcpFlags "invalid_tcp_flags" "No TCP stack sends this combination of flags.",
        InvalidTcpState "invalid_tcp_state" "The TCP segment does not fit the state of its connection.",
        InvalidTcpReset "invalid_tcp_reset" "The TCP reset is out of sequence.",
        InvalidTcpWindow "invalid_tcp_window" "The TCP segment is outside of the window, or acknowledges what was never sent.",
        InvalidSctp "invalid_sctp" "The SCTP packet does not fit the state or the verification tag of its association.",
        InvalidIcmp "invalid_icmp" "The ICMP message answers nothing that was asked.",
        FragmentUnknown "fragment_unknown" "A later fragment of a datagram whose first fragment was not accepted.",
        FragmentTiny "fragment_tiny" "The first fragment is too short to hold the transport header.",
        FragmentOverlap "fragment_overlap" "A later fragment reaches back into the headers of the first (RFC 1858, RFC 5722).",
    }
}

closed_list! {
    /// What operators should know of, beside the verdicts.
    pub enum Condition {
        FlowNotStored "flow_not_stored" "A connection was permitted but could not be stored; its answers may be refused.",
        FlowNotPromoted "flow_not_promoted" "The table of assured connections is full; this one stays evictable.",
        FlowOverQuota "flow_over_quota" "The port has its share of assured connections; this one stays evictable.",
        FragmentNotStored "fragment_not_stored" "A first fragment could not be stored; the later ones will be refused.",
        FlowDisplaced "flow_displaced" "The port's table of unproven connections was full: the one longest without a packet gave way to a newer one of the same port.",
        FragmentDisplaced "fragment_displaced" "The port's table of fragments was full: the datagram longest without one gave way to a newer one of the same port.",
        HitNotCounted "hit_not_counted" "A rule permitted something, and there was no room to note which: it may look unused.",
        FlowNotCounted "flow_not_counted" "Packets of a connection were to be counted, and there was no room for it.",
    }
}

closed_list! {
    /// How a connection ended.
    pub enum Ending {
        Closed "closed" "Both sides have closed it.",
        Reset "reset" "A side has reset it.",
        TimedOut "timed_out" "Nothing was sent for as long as its state may last.",
        Revoked "revoked" "The rules no longer permitted it, and nothing of it passed any more.",
        GaveWay "gave_way" "It was closing, and made room for others in the full table of assured connections.",
    }
}

/// What the filter says of a packet.
pub type Verdict = Result<Accept, DropReason>;

/// Counters of one direction of one port: accepts, then drops, then conditions.
pub const COUNTERS: u32 = 56;

const FIRST_DROP: u32 = Accept::ALL.len() as u32;
const FIRST_CONDITION: u32 = FIRST_DROP + DropReason::ALL.len() as u32;
const _: () = assert!(FIRST_CONDITION + Condition::ALL.len() as u32 <= COUNTERS);

/// The counter of a verdict within one direction of one port.
#[inline(always)]
pub const fn verdict_counter(verdict: &Verdict) -> u32 {
    match verdict {
        Ok(accept) => *accept as u32,
        Err(reason) => FIRST_DROP + *reason as u32,
    }
}

/// The counter of a condition within one direction of one port.
#[inline(always)]
pub const fn condition_counter(condition: Condition) -> u32 {
    FIRST_CONDITION + condition as u32
}
