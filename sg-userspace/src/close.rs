//! `sgd close`: an interface that has come while no daemon runs.

use nix::net::if_::if_nametoindex;

use crate::{
    cli::{CloseArgs, SourceArgs},
    daemon::way,
    datapath,
    error::{Error, Result},
    host::{self, HostError},
    model::{self, Inventory, Security, Step, Told},
    store::{Journal, Store},
};

/// Closes it, if it is to be filtered and nobody else does.
///
/// # Errors
///
/// It is not known what is to be filtered, or the kernel refuses.
pub fn run(args: &CloseArgs) -> Result<()> {
    // Held to the end: a daemon that starts meanwhile would attach as well.
    let _lock = match host::lock_out(&args.bpffs) {
        Ok(Some(lock)) => lock,
        Ok(None) | Err(HostError::Locked(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if !is_filtered(&stored(&args.source)?, &args.interface) {
        return Ok(());
    }
    let ifindex = if_nametoindex(args.interface.as_str()).map_err(|errno| Error::System {
        action: "looking for the interface",
        source: errno.into(),
    })?;
    datapath::shut(&args.bpffs, ifindex, way(args.attach))?;
    tracing::warn!(
        "{} has come while no sgd runs: it is closed until one does",
        args.interface
    );
    Ok(())
}

/// What the next daemon will enforce.
fn stored(source: &SourceArgs) -> Result<Inventory> {
    if let Some(path) = &source.inventory {
        return Ok(model::parse(&Store::new(path).read()?)?.inventory);
    }
    let (mut told, mut inventory) = (Told::default(), Inventory::default());
    for step in Journal::stored::<Step>(&source.state)? {
        told.take(&mut inventory, step);
    }
    Ok(inventory)
}

/// Whether a filter is to be at an interface of this name.
fn is_filtered(inventory: &Inventory, name: &str) -> bool {
    let mut ports = inventory.ports_at(name).peekable();
    let is_open = ports.peek().is_some() && ports.all(|port| port.security != Security::Filtered);
    inventory.has_interface(name) && !is_open
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ports_that_are_filtered_or_closed_have_their_interfaces_closed_and_no_others() {
        let port = |digit: u32| {
            json!({
                "id": format!("1111111{digit}-1111-4111-8111-111111111111"),
                "device": format!("tap{digit}"),
                "mac_address": format!("fa:16:3e:00:00:0{digit}"),
                "fixed_ips": [],
                "security_groups": [],
            })
        };
        let mut ports = [1, 2, 3].map(port);
        ports[1]["port_security_enabled"] = false.into();
        ports[2]["mac_address"] = "none".into();
        let document = json!({"ports": ports, "security_groups": []}).to_string();
        let inventory = model::parse(document.as_bytes()).unwrap().inventory;
        assert_eq!(inventory.closed.len(), 1, "{:?}", inventory.closed);
        let names = ["tap1", "tap2", "tap3", "eth0"];
        let filtered = names.map(|name| is_filtered(&inventory, name));
        assert_eq!(filtered, [true, false, true, false]);
    }
}
