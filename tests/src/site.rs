//! The site that tests share: WEB1, a server, and CLIENT.

use crate::inventory::{Inventory, Port, group, port};

/// The server.
#[must_use]
pub fn web1() -> Port {
    port("WEB1")
        .ip("10.0.0.5")
        .ip("2001:db8::5")
        .groups(&["WEB_SERVERS"])
}

/// Who asks it.
#[must_use]
pub fn client() -> Port {
    port("CLIENT")
        .ip("10.0.0.7")
        .ip("2001:db8::7")
        .groups(&["CLIENTS"])
}

/// Both, with these rules in WEB_SERVERS beside the egress that every group has.
#[must_use]
pub fn site(rules: &[&str]) -> Inventory {
    let web = rules
        .iter()
        .fold(group("WEB_SERVERS").default_egress(), |web, rule| {
            web.rule(rule)
        });
    Inventory::new()
        .port(web1())
        .port(client())
        .group(web)
        .group(group("CLIENTS").default_egress())
}
