//! A live migration between two nodes, with a connection that is idle meanwhile.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{BOOT, NEXT, Scenario, vm1};
use crate::crowd::wait_until;
use crate::guests::compare::Excuse;
use crate::guests::passage::Way;
use crate::guests::stage::{Guest, Stage};
use crate::guests::{Side, linux};
use crate::inventory::{Inventory, group};

pub(super) const SCENARIOS: [Scenario; 1] = [Scenario {
    name: "migration",
    about: "Linux migrates with an idle connection to it, and is the first to speak on it afterwards",
    // The new node's conntrack knows nothing of the connection, and no rule lets the guest open it.
    excuses: &[Excuse {
        kind: "TCP segment of port 7777",
        fell: Side::Iptables,
        row: ROW,
    }],
    play: migrate,
}];

/// The row of `docs/parity.md` on connections that move.
const ROW: u32 = 36;

/// The port of the connection.
const PORT: u16 = 7777;

/// What the guest says first.
const WORDS: &str = "THE GUEST SPEAKS";

fn migrate(stage: &mut Stage) {
    const SCRIPT: &str = "
ip link set eth0 up
set_address 10.77.0.50/24
{ read go </dev/console; echo THE GUEST SPEAKS; sleep 3600; } | nc -l -p 7777 &
sleep 3
echo READY
";
    let port = vm1().groups(&["SERVERS"]);
    let group = group("SERVERS").rule(&format!("ingress IPv4 tcp {PORT}"));
    let inventory = Inventory::new().group(group).port(port.clone());
    stage.plug(&inventory, std::slice::from_ref(&port));
    let hardware = linux::hardware(SCRIPT, stage.directory());
    let old = stage.boot_at(0, &hardware, "old");
    stage.achieved("runs", old.machine.says("READY", BOOT));
    let mut connection = connect(stage);
    connection
        .write_all(b"THE SERVER SPEAKS\n")
        .unwrap_or_else(|e| panic!("cannot speak to the guest: {e}"));
    let heard = old.machine.says("THE SERVER SPEAKS", NEXT);
    stage.achieved("is connected to", heard);

    stage.plug(&inventory, &[port]);
    let socket = old.machine.socket("migration");
    let uri = format!("unix:{}", socket.display());
    let mut incoming = hardware.clone();
    incoming
        .arguments
        .extend(["-incoming".to_owned(), uri.clone()]);
    let new = stage.boot_at(1, &incoming, "new");
    hand_over(stage, &old, &uri);

    new.machine.tell("go");
    let spoke = hears(&mut connection);
    stage.fact(
        "its idle connection lives on, the guest speaking first",
        spoke,
        stage.side() == Side::Here,
    );
    stage.retire(old);
    stage.retire(new);
    let rarp = stage.came_through(Way::FromVm, "RARP");
    stage.achieved("QEMU announces it at the new node", rarp > 0);
}

fn connect(stage: &Stage) -> TcpStream {
    let address = (stage.port().addresses()[0], PORT);
    let stream = stage.fabric().server().run(|| TcpStream::connect(address));
    let stream = stream.unwrap_or_else(|e| panic!("cannot connect to the guest: {e}"));
    let limit = stream.set_read_timeout(Some(Duration::from_secs(30)));
    limit.unwrap_or_else(|e| panic!("cannot set a timeout: {e}"));
    stream
}

/// Moves the guest; the filter's connections go along while it is stopped on both nodes.
fn hand_over(stage: &Stage, old: &Guest, uri: &str) {
    let status = |wanted: &str| {
        wait_until(NEXT, &format!("the migration is {wanted}"), || {
            let status = old.machine.qmp("query-migrate", &json!({}))["status"].take();
            assert_ne!(status, "failed", "the migration fails");
            status == wanted
        });
    };
    let capability = json!({ "capability": "pause-before-switchover", "state": true });
    let capabilities = json!({ "capabilities": [capability] });
    old.machine.qmp("migrate-set-capabilities", &capabilities);
    old.machine.qmp("migrate", &json!({ "uri": uri }));
    status("pre-switchover");
    carry_flows(stage);
    let state: Value = json!({ "state": "pre-switchover" });
    old.machine.qmp("migrate-continue", &state);
    status("completed");
}

fn carry_flows(stage: &Stage) {
    let (Some(from), Some(to)) = (stage.host(0).node(), stage.host(1).node()) else {
        return;
    };
    let file = stage.directory().join("flows.json");
    let (file, id) = (file.display(), stage.port().id());
    let export = format!("flows export --port {id} -f {file}");
    from.sgctl(&export).expect(0);
    let imported = to.sgctl(&format!("flows import -f {file}"));
    let said = &imported.expect(0).stdout;
    let kept = fs::write(stage.directory().join("import.txt"), said);
    kept.unwrap_or_else(|e| panic!("cannot keep what the import said: {e}"));
}

fn hears(connection: &mut TcpStream) -> bool {
    let mut heard = Vec::new();
    let mut buffer = [0; 256];
    while let Ok(length @ 1..) = connection.read(&mut buffer) {
        heard.extend(&buffer[..length]);
        if String::from_utf8_lossy(&heard).contains(WORDS) {
            return true;
        }
    }
    false
}
