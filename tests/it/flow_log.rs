//! Logs of the daemon as VPC flow log records, version 2.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use sg_tests::crowd::wait_until;
use sg_tests::inventory::{Inventory, Port};
use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};
use sg_tests::traffic::{Connection, ask_udp};
use sg_tests::vm::RawVm;

use crate::events::PATIENCE;
use crate::leak::{Leak, forged};
use crate::site::{HTTP, Site, client, site, web1};

/// Longer than the windows of these tests, and a reading.
const WINDOW: Duration = Duration::from_millis(3500);

/// A record by its fields.
#[derive(Debug)]
struct Record(Vec<String>);

impl Record {
    fn port(&self) -> &str {
        &self.0[2]
    }

    /// Source, destination, their ports, and the protocol.
    fn flow(&self) -> String {
        self.0[3..8].join(" ")
    }

    fn number(&self, field: usize) -> u64 {
        self.0[field]
            .parse()
            .unwrap_or_else(|e| panic!("{self:?}: {e}"))
    }

    /// `ACCEPT`, `REJECT`, `NODATA` or `SKIPDATA`.
    fn says(&self) -> &str {
        match self.0[12].as_str() {
            "-" => &self.0[13],
            action => action,
        }
    }
}

/// A flow log of a node.
struct FlowLog(PathBuf);

impl FlowLog {
    fn at(node: &Node, name: &str) -> Self {
        Self(node.directory().join(name))
    }

    fn table(&self, more: &str) -> String {
        let to = self.0.display();
        format!("[[log]]\nto = '{to}'\nform = 'flow-log'\ninterval = 2\n{more}\n")
    }

    fn records(&self) -> Vec<Record> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let records = text.lines().map(|line| {
            let fields: Vec<_> = line.split(' ').map(str::to_owned).collect();
            assert_eq!((fields.len(), &*fields[0]), (14, "2"), "{line}");
            Record(fields)
        });
        records.collect()
    }

    /// Packets and bytes of all records of a flow.
    fn sum(&self, says: &str, flow: &str) -> (u64, u64) {
        let records = self.records().into_iter();
        let records = records.filter(|one| one.says() == says && one.flow() == flow);
        records.fold((0, 0), |(packets, bytes), one| {
            (packets + one.number(8), bytes + one.number(9))
        })
    }

    fn all_say(&self) -> BTreeSet<String> {
        let records = self.records().into_iter();
        records.map(|one| one.says().to_owned()).collect()
    }
}

fn id(port: &Port) -> String {
    port.id().to_string()
}

fn start(node: &mut Node, inventory: &Inventory, logs: &[String]) {
    node.write(inventory);
    node.start_with_settings(&logs.concat());
}

#[test]
fn what_passes_is_recorded_by_windows_with_all_its_packets_and_what_is_refused_beside_it() {
    let mut site_ = Site::new("flow-log");
    let [all, accepts, drops] =
        ["all", "accepts", "drops"].map(|name| FlowLog::at(&site_.node, name));
    let told = site_.node.directory().join("told");
    let logs = [
        all.table("ports = ['WEB1']"),
        accepts.table("ports = ['WEB1']\nwhat = 'accept'"),
        drops.table("ports = ['WEB1']\nwhat = 'drop'"),
        format!(
            "[[log]]\nto = '{}'\nform = 'json'\nwhat = 'drop'\n",
            told.display()
        ),
    ];
    start(&mut site_.node, &site(&[HTTP]), &logs);

    let mut open = Connection::open(site_.client.netns(), site_.web.v4(), 80).unwrap();
    for _ in 0..3 {
        assert_eq!(open.ask(), Answered);
        sleep(WINDOW);
    }
    assert_eq!(site_.ask(443), Silence);
    drop(open);
    wait_until(PATIENCE, "the refused packets are not recorded", || {
        drops.all_say().contains("REJECT")
    });
    sleep(2 * WINDOW);

    let port = id(&web1());
    let accepted = all.records();
    let to_web: Vec<_> = accepted
        .iter()
        .filter(|one| one.says() == "ACCEPT")
        .collect();
    assert!(to_web.iter().all(|one| one.port() == port), "{to_web:?}");
    let flows: BTreeSet<_> = to_web.iter().map(|one| one.flow()).collect();
    let to = flows.iter().find(|flow| flow.ends_with(" 80 6"));
    let to = to.unwrap_or_else(|| panic!("{flows:?}"));
    let words: Vec<_> = to.split(' ').collect();
    let from = format!("{} {} {} {} 6", words[1], words[0], words[3], words[2]);
    for (direction, flow) in [("ingress", to.as_str()), ("egress", &from)] {
        let counted = ["new", "established"].map(|reason| {
            site_.node.query("counters WEB1")[0][direction][reason]["packets"]
                .as_u64()
                .unwrap_or(0)
        });
        let (packets, bytes) = all.sum("ACCEPT", flow);
        assert_eq!(
            packets,
            counted.iter().sum::<u64>(),
            "{direction}: {to_web:?}"
        );
        assert!(bytes >= 54 * packets, "{direction}");
        assert_eq!(accepts.sum("ACCEPT", flow), (packets, bytes), "{direction}");
    }
    let windows: BTreeSet<_> = to_web
        .iter()
        .map(|one| (one.number(10), one.number(11)))
        .collect();
    assert!(
        windows.len() >= 3,
        "each question in a window of its own: {windows:?}"
    );
    let told = fs::read_to_string(&told).unwrap();
    let told = told
        .lines()
        .filter(|line| line.contains("\"destination_port\":443"));
    let rejected = drops.records().into_iter();
    let rejected = rejected.filter(|one| one.says() == "REJECT" && one.flow().ends_with(" 443 6"));
    let rejected: u64 = rejected.map(|one| one.number(8)).sum();
    assert_eq!(rejected, told.count() as u64);
    assert!(rejected > 0);
    let says = |log: &FlowLog| log.all_say().into_iter().collect::<Vec<_>>();
    assert_eq!(says(&all), ["ACCEPT", "NODATA", "REJECT"]);
    assert_eq!(says(&accepts), ["ACCEPT", "NODATA"]);
    assert_eq!(says(&drops), ["NODATA", "REJECT"]);
}

#[test]
fn a_datagram_without_an_answer_is_recorded_though_its_connection_is_never_established() {
    let mut site_ = Site::new("flow-log-udp");
    let log = FlowLog::at(&site_.node, "log");
    let dns = "ingress IPv4 udp 53 from 0.0.0.0/0";
    start(
        &mut site_.node,
        &site(&[dns]),
        &[log.table("groups = ['WEB_SERVERS']")],
    );
    let _ = ask_udp(site_.client.netns(), site_.web.v4(), 53);
    wait_until(PATIENCE, "it is not recorded", || {
        let records = log.records();
        records
            .iter()
            .any(|one| one.says() == "ACCEPT" && one.flow().ends_with(" 53 17"))
    });
}

#[test]
fn where_something_was_not_told_the_record_says_so_and_of_no_other_port() {
    let mut leak = Leak::before_the_daemon("flow-log-flood");
    let _other = RawVm::new(&leak.node, &client());
    let log = FlowLog::at(&leak.node, "log");
    start(&mut leak.node, &site(&[]), &[log.table("")]);
    for _ in 0..2_000 {
        leak.web.send(&forged());
    }
    wait_until(PATIENCE, "it does not say so", || {
        log.all_say().contains("SKIPDATA")
    });
    sleep(WINDOW);
    let (web, client) = (id(&web1()), id(&client()));
    let records = log.records();
    let of = |port: &str| -> BTreeSet<&str> {
        let records = records.iter().filter(|one| one.port() == port);
        records.map(Record::says).collect()
    };
    assert!(
        of(&web).contains("REJECT") && of(&web).contains("NODATA"),
        "{records:?}"
    );
    assert_eq!(of(&client), BTreeSet::from(["NODATA"]));
}
