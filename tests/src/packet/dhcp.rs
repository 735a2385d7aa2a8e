//! DHCP (RFC 2131) and DHCPv6 (RFC 8415): as much of them as a filter looks at.

use super::{Packet, udp};
use crate::mac::Mac;

/// A client without an address looks for a server.
#[must_use]
pub fn dhcp_discover(client: impl Into<Mac>) -> Packet {
    let client = client.into();
    let (request, discover) = (1, 1);
    udp("0.0.0.0:68", "255.255.255.255:67")
        .from_mac(client)
        .payload(&message(request, discover, client))
}

/// A server offers an address, broadcast.
#[must_use]
pub fn dhcp_offer(server: &str) -> Packet {
    let (reply, offer) = (2, 2);
    udp(&format!("{server}:67"), "255.255.255.255:68").payload(&message(reply, offer, Mac([0; 6])))
}

/// A client looks for servers from its link-local address.
#[must_use]
pub fn dhcpv6_solicit(client: &str) -> Packet {
    udp(&format!("[{client}]:546"), "[ff02::1:2]:547").payload(&[1, 0, 0, 1])
}

/// A server answers a solicitation.
#[must_use]
pub fn dhcpv6_advertise(server: &str, client: &str) -> Packet {
    udp(&format!("[{server}]:547"), &format!("[{client}]:546")).payload(&[2, 0, 0, 1])
}

/// The fixed part of a message, and its type as the only option.
fn message(operation: u8, kind: u8, client: Mac) -> Vec<u8> {
    const MAGIC: [u8; 4] = [99, 130, 83, 99];
    let mut bytes = vec![0; 236];
    bytes[..4].copy_from_slice(&[operation, 1, 6, 0]);
    bytes[28..34].copy_from_slice(&client.0);
    bytes.extend(MAGIC);
    bytes.extend([53, 1, kind, 255]);
    bytes
}
