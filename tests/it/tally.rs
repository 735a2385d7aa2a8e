//! What `sgctl` says of ports is what the kernel does with their frames.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sg_tests::capture::Capture;
use sg_tests::daemon::Daemon;
use sg_tests::inventory::Inventory;
use sg_tests::node::{LEAKY, Node};
use sg_tests::packet::udp;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::site::{HTTP, HTTPS, Site, client, site, web1};

/// The daemon looks every five seconds, and a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn a_capture_is_told_and_a_bridged_port_stays_enforcing() {
    let mut site_ = Site::new("capture");
    site_.node.start(&site(&[HTTP]));
    let interface = web1().interface();
    assert_eq!(told(&port(&site_.node, &interface)), "null");

    for capture in [
        Capture::of(site_.node.netns(), &interface),
        Capture::all(site_.node.netns()),
    ] {
        let forged = forged().bytes();
        site_.web.send(&forged);
        assert!(capture.sees(PATIENCE, &forged), "read before the filter");
        let web1 = port(&site_.node, &interface);
        assert_eq!(web1["state"], "enforcing");
        assert_eq!(web1["note"], Value::Null, "{web1}");
        assert!(told(&web1).contains(&us()), "{web1}");
        let status = site_.node.sgctl("status");
        status.expect(0);
        assert!(status.stdout.contains(&us()), "{}", status.stdout);
        wait_for_log(&site_.node, &us());
    }
    let bridge = Capture::of(site_.node.netns(), "br0");
    let forged = forged().payload(b"again").bytes();
    site_.web.send(&forged);
    assert!(!bridge.sees(Duration::from_millis(300), &forged));
    assert_eq!(told(&port(&site_.node, &interface)), "null");
}

#[test]
fn tcpdump_is_told_by_its_name() {
    let mut site_ = Site::new("tcpdump");
    site_.node.start(&site(&[HTTP]));
    let interface = web1().interface();
    let mut tcpdump = Command::new("tcpdump");
    tcpdump.args(["-ni", &interface, "-w", "/dev/null"]);
    tcpdump.stderr(Stdio::null());
    if Command::new("tcpdump").arg("--version").output().is_err() {
        eprintln!("skipped: there is no tcpdump");
        return;
    }
    let tcpdump = Daemon::start(site_.node.netns(), tcpdump);

    let named = format!("tcpdump (pid {})", tcpdump.pid());
    wait_until(&site_.node, || {
        told(&port(&site_.node, &interface)).contains(&named)
    });
    assert_eq!(port(&site_.node, &interface)["state"], "enforcing");
}

#[test]
fn a_tap_in_no_bridge_that_is_read_before_tc_is_bypassed_until_it_is_read_no_more() {
    let mut site_ = Site::new("bypassed");
    site_.node.write(&site(&[HTTP]));
    site_.node.start_with_settings("from_vm = 'tc'");
    let interface = web1().interface();
    site_
        .node
        .netns()
        .ip(&format!("link set {interface} nomaster"));
    wait_until(&site_.node, || {
        state(&site_.node, &interface) == "enforcing"
    });
    let switch = Capture::of(site_.node.netns(), &interface);

    wait_until(&site_.node, || state(&site_.node, &interface) == "bypassed");
    let forged = forged().bytes();
    site_.web.send(&forged);
    assert!(
        switch.sees(PATIENCE, &forged),
        "the filter drops it too late"
    );
    assert!(site_.count("egress", "spoofed_address") > 0);
    let status = site_.node.sgctl("status");
    status.expect(LEAKY);
    assert!(status.stdout.contains("1 bypassed"), "{}", status.stdout);
    assert!(status.stdout.contains(&us()), "{}", status.stdout);
    let list = site_.node.sgctl("list ports");
    list.expect(LEAKY);
    assert!(list.stdout.contains("bypassed"), "{}", list.stdout);
    wait_for_log(&site_.node, "bypassed");

    drop(switch);
    wait_until(&site_.node, || {
        state(&site_.node, &interface) == "enforcing"
    });
    site_.node.sgctl("status").expect(0);
}

#[test]
fn a_filter_that_was_taken_off_is_counted_as_open_at_once() {
    let mut site_ = Site::new("open");
    site_.node.start(&site(&[HTTP]));
    let interface = web1().interface();
    let ifindex = site_.node.netns().ifindex(&interface);
    let links = site_.node.map("ports");
    let links = links.parent().unwrap().with_file_name("links");

    // Until the daemon's next look, which puts it back; now and then that comes in between.
    let seen = (0..5).any(|_| {
        for hook in ["from_vm", "to_vm"] {
            let pin = links.join(format!("{ifindex}-{hook}"));
            bpftool(
                &site_.node,
                &["link", "detach", "pinned", pin.to_str().unwrap()],
            );
        }
        let open = state(&site_.node, &interface) == "open";
        if open {
            assert_eq!(site_.ask(443), Answered, "what is called open is open");
        }
        wait_until(&site_.node, || {
            state(&site_.node, &interface) == "enforcing"
        });
        open
    });
    assert!(seen, "it was never called open");
    assert_eq!(site_.ask(443), Silence);
}

#[test]
fn every_port_is_counted_in_the_state_that_its_frames_find() {
    let mut site_ = Site::new("states");
    let elsewhere = sg_tests::inventory::port("FAR").ip("10.0.0.99");
    site_.node.start(&site(&[HTTP]).port(elsewhere));
    assert_eq!(tally(&site_.node), json!({"enforcing": 2, "elsewhere": 1}));

    let closed = site(&[HTTP]).port(web1());
    site_.node.apply(&closed).expect(4);
    assert_eq!(tally(&site_.node), json!({"enforcing": 1, "closed": 2}));
    assert_eq!(site_.ask(80), Silence);

    let without = Inventory::new()
        .port(client())
        .group(sg_tests::inventory::group("CLIENTS").default_egress());
    site_.node.apply(&without).expect(0);
    assert_eq!(tally(&site_.node), json!({"enforcing": 1, "closed": 1}));
    let left = port(&site_.node, &web1().interface());
    assert_eq!(left["note"], "its port is not in the inventory");
    assert_eq!(site_.ask(80), Silence);

    site_.node.apply(&site(&[HTTP])).expect(0);
    let policies = site_.node.map("policies");
    bpftool(
        &site_.node,
        &["map", "freeze", "pinned", policies.to_str().unwrap()],
    );
    site_.node.apply(&site(&[HTTP, HTTPS])).expect(1);
    assert_eq!(tally(&site_.node), json!({"outdated": 2}));
    assert_eq!(site_.ask(443), Silence, "as the inventory before says");
    assert_eq!(site_.ask(80), Answered);
    site_.node.sgctl("status").expect(LEAKY);
}

#[test]
fn the_memory_of_all_maps_is_what_bpftool_sums_up() {
    let mut site_ = Site::new("memory");
    site_.node.start(&site(&[HTTP]));
    let shown = |words: &[&str]| -> Value {
        let output = bpftool(&site_.node, &[&["-j"], words].concat());
        serde_json::from_str(&output).unwrap()
    };
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value}"));
    let pins = site_.node.map("ports");
    let mut maps: BTreeSet<u64> = fs::read_dir(pins.parent().unwrap())
        .unwrap()
        .map(|pin| {
            let pin = pin.unwrap().path();
            number(&shown(&["map", "show", "pinned", pin.to_str().unwrap()])["id"])
        })
        .collect();
    // The filter is several programs, of which one calls the other.
    let pinned = maps.clone();
    for program in shown(&["prog", "show"]).as_array().unwrap() {
        let used = program["map_ids"].as_array().into_iter().flatten();
        let used: BTreeSet<u64> = used.map(number).collect();
        if !used.is_disjoint(&pinned) {
            maps.extend(used);
        }
    }
    // A map of maps shows which are in it.
    for id in maps.clone() {
        let map = shown(&["map", "show", "id", &id.to_string()]);
        if map["type"]
            .as_str()
            .is_some_and(|kind| kind.ends_with("of_maps"))
        {
            let inner = shown(&["map", "dump", "id", &id.to_string()]);
            let inner = inner.as_array().unwrap().iter();
            maps.extend(inner.map(inner_id));
        }
    }
    let memlock =
        |id: &u64| number(&shown(&["map", "show", "id", &id.to_string()])["bytes_memlock"]);

    let sum: u64 = maps.iter().map(memlock).sum();

    let status = site_.node.query("status");
    assert_eq!(number(&status["memory"]), sum);
    let tables = status["tables"].as_array().unwrap().iter();
    let tables: u64 = tables.map(|table| number(&table["bytes"])).sum();
    assert!(tables < sum, "{tables} of {sum}: some maps are no tables");
}

#[test]
fn show_port_names_what_bpftool_and_tc_can_be_asked_about() {
    let mut site_ = Site::new("numbers");
    site_.node.start(&site(&[HTTP]));
    for hook in port_detail(&site_.node)["hooks"].as_array().unwrap() {
        let (program, link) = (&hook["program"], &hook["link"]);
        let shown = bpftool(
            &site_.node,
            &["prog", "show", "id", &program["id"].to_string()],
        );
        for named in [&program["name"], &program["tag"], &hook["hook"]] {
            assert!(shown.contains(named.as_str().unwrap()), "{named}: {shown}");
        }
        assert_eq!(link["way"], "tcx");
        let shown = bpftool(
            &site_.node,
            &["link", "show", "id", &link["id"].to_string()],
        );
        assert!(
            shown.contains(&format!("prog {}", program["id"])),
            "{shown}"
        );
        let pinned = ["link", "show", "pinned", link["pin"].as_str().unwrap()];
        assert_eq!(bpftool(&site_.node, &pinned), shown);
    }
    let text = site_.node.sgctl("show port WEB1").stdout;
    assert_eq!(text.matches("; tcx link ").count(), 2, "{text}");
    site_.node.terminate();
    site_.node.sgd("detach").expect(0);

    site_.node.start_with(&["--attach", "clsact"]);
    for hook in port_detail(&site_.node)["hooks"].as_array().unwrap() {
        let direction = match hook["hook"].as_str() {
            Some("from_vm") => "ingress",
            _ => "egress",
        };
        let mut tc = Command::new("tc");
        tc.args(["filter", "show", "dev", &web1().interface(), direction]);
        let shown = site_.node.output(tc).expect(0).stdout.clone();
        assert!(
            shown.contains(&format!(" id {} ", hook["program"]["id"])),
            "{shown}"
        );
        let place = format!("pref {} ", hook["link"]["priority"]);
        assert!(shown.contains(&place), "{shown}");
    }
}

/// A frame that WEB1 may not send.
fn forged() -> sg_tests::packet::Packet {
    udp("10.0.9.9:1000", "10.0.0.7:2000").from_mac(web1().mac_address())
}

/// This process, as a reader is named.
fn us() -> String {
    format!("(pid {})", std::process::id())
}

fn port(node: &Node, interface: &str) -> Value {
    let ports = node.query("list ports");
    let mut ports = ports.as_array().unwrap().iter();
    let found = ports.find(|port| port["interface"] == interface);
    found
        .cloned()
        .unwrap_or_else(|| panic!("no port on {interface}"))
}

fn port_detail(node: &Node) -> Value {
    node.query("show port WEB1")
}

fn state(node: &Node, interface: &str) -> String {
    port(node, interface)["state"].as_str().unwrap().to_owned()
}

/// What is said to be wrong at the interface of a port.
fn told(port: &Value) -> String {
    port["troubles"].to_string()
}

/// The tally without its zeros, which is the list counted.
fn tally(node: &Node) -> Value {
    let mut tally = node.query("status")["ports"].clone();
    let counts = tally.as_object_mut().unwrap();
    counts.retain(|_, count| *count != 0);
    let mut listed = serde_json::Map::new();
    for port in node.query("list ports").as_array().unwrap() {
        let count = listed
            .entry(port["state"].as_str().unwrap())
            .or_insert(json!(0));
        *count = json!(count.as_u64().unwrap() + 1);
    }
    assert_eq!(Value::Object(listed), tally);
    tally
}

/// The map in an element of a map of maps: a number in the bytes of the value.
fn inner_id(element: &Value) -> u64 {
    let bytes = element["value"].as_array().unwrap().iter();
    let digits = bytes.map(|byte| byte.as_str().unwrap().trim_start_matches("0x"));
    let bytes = digits.map(|digits| u8::from_str_radix(digits, 16).unwrap());
    let bytes: Vec<u8> = bytes.collect();
    u32::from_ne_bytes(bytes.try_into().unwrap()).into()
}

fn bpftool(node: &Node, words: &[&str]) -> String {
    let mut command = Command::new("bpftool");
    command.args(words);
    node.output(command).expect(0).stdout.clone()
}

fn wait_until(node: &Node, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "not within {PATIENCE:?}:\n{}",
            node.log()
        );
        sleep(Duration::from_millis(50));
    }
}

fn wait_for_log(node: &Node, words: &str) {
    wait_until(node, || node.log().contains(words));
}
