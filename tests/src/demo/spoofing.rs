//! The step about what a machine must not send.

use std::time::Duration;

use sg_common::reason::DropReason;

use super::report::Report;
use super::scene::Scene;
use crate::mac::Mac;
use crate::packet::{
    Packet, arp_request, dhcp_offer, neighbour_advertisement, router_advertisement, udp,
};

/// How long a frame may take across the bridge.
const SOON: Duration = Duration::from_secs(2);

/// Sends each forged frame from WEB1's network card and looks for it at the uplink.
pub(super) fn forged_frames(scene: &Scene, report: &mut Report) {
    report.say("Sent past WEB1's own stack, broadcast; the uplink of the bridge watches.");
    let honest = honest("an honest frame");
    scene.web1.send(&honest.bytes());
    let seen = scene.uplink.find(SOON, |frame| frame == honest.bytes());
    let seen = if seen.is_some() {
        "on the bridge"
    } else {
        "not on the bridge"
    };
    report.check("an honest frame of WEB1", "on the bridge", seen);

    for (what, frame, reason) in forgeries() {
        let expected = format!("dropped as {}", reason.as_str());
        report.check(what, expected, fate(scene, what, &frame, reason));
    }
}

fn forgeries() -> [(&'static str, Packet, DropReason); 7] {
    let other = "10.0.0.66:9";
    let own_mac = "fa:16:3e:00:00:05";
    let link_local = "fe80::f816:3eff:fe00:5";
    [
        (
            "the address of another machine",
            udp(other, "255.255.255.255:9").from_mac(own_mac),
            DropReason::SpoofedAddress,
        ),
        (
            "the IPv6 address of another machine",
            udp("[2001:db8::66]:9", "[ff02::1]:9").from_mac(own_mac),
            DropReason::SpoofedAddress,
        ),
        (
            "the MAC of another machine",
            udp("10.0.0.5:9", "255.255.255.255:9").from_mac("fa:16:3e:00:00:66"),
            DropReason::SpoofedMac,
        ),
        (
            "ARP for the address of another machine",
            arp_request("10.0.0.66", "10.0.0.7").from_mac(own_mac),
            DropReason::SpoofedArp,
        ),
        (
            "a neighbor advertisement for another machine",
            neighbour_advertisement(link_local, "2001:db8::66"),
            DropReason::SpoofedNeighbor,
        ),
        (
            "a DHCP offer",
            dhcp_offer("10.0.0.5"),
            DropReason::DhcpServer,
        ),
        (
            "a router advertisement",
            router_advertisement(link_local),
            DropReason::RouterAdvertisement,
        ),
    ]
}

/// What became of a frame. An honest frame follows it: once that is seen at the uplink, the one
/// before it has been dropped, without waiting and hoping.
fn fate(scene: &Scene, what: &str, frame: &Packet, reason: DropReason) -> String {
    let (forged, follower) = (frame.bytes(), honest(&format!("after {what}")).bytes());
    let before = dropped(scene, reason);
    scene.web1.send(&forged);
    scene.web1.send(&follower);
    match scene
        .uplink
        .find(SOON, |seen| seen == forged || seen == follower)
    {
        None => "lost, and an honest frame after it".to_owned(),
        Some(seen) if seen == forged => "on the bridge".to_owned(),
        Some(_) => match dropped(scene, reason) - before {
            1 => format!("dropped as {}", reason.as_str()),
            count => format!("dropped, but {} was counted {count} times", reason.as_str()),
        },
    }
}

/// A broadcast that WEB1 may send, told from others by its content.
fn honest(content: &str) -> Packet {
    udp("10.0.0.5:9", "255.255.255.255:9")
        .to_mac(Mac::BROADCAST)
        .payload(content.as_bytes())
}

/// How many packets from WEB1 were dropped for this reason so far.
fn dropped(scene: &Scene, reason: DropReason) -> u64 {
    let counters = scene.node.query("counters WEB1");
    let count = counters[0]["egress"][reason.as_str()]["packets"].as_u64();
    count.unwrap_or_else(|| panic!("no counter {} in {counters}", reason.as_str()))
}
