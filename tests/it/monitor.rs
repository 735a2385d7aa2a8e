//! `sgctl monitor`: what the kernel tells, for people, programs and Wireshark.

use std::fs;
use std::io::{BufRead, BufReader};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketOption;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use serde_json::{Value, json};
use sg_tests::crowd::wait_until;
use sg_tests::events::asked;
use sg_tests::inventory::group;
use sg_tests::monitor::Monitor;
use sg_tests::node::Node;
use sg_tests::traffic::Outcome::{Answered, Silence};

use crate::events::PATIENCE;
use crate::leak::{Leak, forged};
use crate::site::{HTTP, HTTPS, Site, client, site, web1};

#[test]
fn a_person_sees_each_event_as_one_line_and_only_what_was_asked_for() {
    let mut site_ = Site::new("monitor");
    site_.node.start(&site(&[HTTP]));
    let all = Monitor::start(&site_.node, "--port WEB1 -p tcp");
    let words = "--group WEB_SERVERS --reason no_rule --ingress -p tcp --dport 443 -s 10.0.0.0/24";
    let mut one = Monitor::start(&site_.node, &format!("{words} --count 1 -o json"));
    let other = Monitor::start(&site_.node, "--port CLIENT --action drop -p tcp");

    assert_eq!(site_.ask(80), Answered);
    assert_eq!(site_.ask(443), Silence);

    assert_eq!(one.end().code(), Some(0));
    let lines = one.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["reason"], "no_rule");
    all.wait_for("the refused packet is not shown", || {
        all.text().contains("DROP")
    });
    let text = all.text();
    let rows: Vec<&str> = text.lines().collect();
    let column = |word: &str| rows[0].find(word).expect(word);
    for (row, words) in [
        (rows[1], ["ACCEPT", "WEB1", "in", "new", "tcp", "10.0.0.7:"]),
        (
            rows[2],
            ["DROP", "WEB1", "in", "no_rule", "tcp", "10.0.0.7:"],
        ),
    ] {
        let columns = ["ACTION", "PORT", "WAY", "REASON", "PROTOCOL", "PACKET"];
        for (heading, word) in columns.into_iter().zip(words) {
            assert!(row[column(heading)..].starts_with(word), "{word}: {text}");
        }
    }
    assert!(rows[1].contains("> 10.0.0.5:80 SYN"), "{text}");
    assert_eq!(
        other.text().lines().count(),
        1,
        "its header: {}",
        other.text()
    );
}

#[test]
fn wireshark_is_given_interface_way_and_reason_of_each_packet() {
    let mut site_ = Site::new("monitor-pcap");
    site_.node.start(&site(&[HTTP]));
    let monitor = Monitor::start(&site_.node, "-o pcap --port WEB1 --port CLIENT -p tcp");
    assert_eq!(site_.ask(443), Silence);
    let seen = || packets(&fs::read(monitor.capture()).unwrap());
    monitor.wait_for("nothing is captured", || seen().len() >= 2);
    assert_eq!(monitor.text(), "", "all of it is in the file");

    let (web, client) = (web1().interface(), client().interface());
    let opened = "ACCEPT new at CLIENT, egress: ";
    let refused =
        "DROP no_rule at WEB1, ingress: No rule of the port's security groups permits it.";
    let has = |interface: &str, comment: &str, way: u32| {
        seen().iter().any(|packet| {
            packet.interface == interface
                && packet.comment.starts_with(comment)
                && packet.way == way
        })
    };
    assert!(has(&client, opened, 1), "{:?}", seen());
    assert!(has(&web, refused, 2), "{:?}", seen());
    for packet in seen() {
        assert_eq!(packet.bytes[12..14], [8, 0], "IPv4");
        assert_eq!(packet.length as usize, packet.bytes.len(), "a SYN is whole");
    }
}

/// A packet of a capture.
#[derive(Debug)]
struct Captured {
    interface: String,
    comment: String,
    way: u32,
    length: u32,
    bytes: Vec<u8>,
}

/// The packets of pcapng that is still written.
fn packets(bytes: &[u8]) -> Vec<Captured> {
    let mut reader = PcapNgReader::new(bytes).expect("pcapng");
    let (mut names, mut packets) = (Vec::new(), Vec::new());
    while let Some(Ok(block)) = reader.next_block() {
        match block {
            Block::InterfaceDescription(interface) => {
                let name = interface.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                });
                names.push(name.expect("a name"));
            }
            Block::EnhancedPacket(packet) => {
                let mut captured = Captured {
                    interface: names[packet.interface_id as usize].clone(),
                    comment: String::new(),
                    way: 0,
                    length: packet.original_len,
                    bytes: packet.data.to_vec(),
                };
                for option in &packet.options {
                    match option {
                        EnhancedPacketOption::Comment(text) => captured.comment = text.to_string(),
                        EnhancedPacketOption::Flags(flags) => captured.way = *flags,
                        _ => {}
                    }
                }
                packets.push(captured);
            }
            _ => {}
        }
    }
    packets
}

#[test]
fn a_filter_that_nothing_can_meet_is_refused_and_says_why() {
    let mut node = Node::new("monitor-usage");
    let inventory = site(&[HTTP]).group(group("EMPTY"));
    node.start(&inventory);
    for (words, code, named) in [
        ("--port NOBODY", 7, "NOBODY"),
        ("--group NOBODY", 7, "NOBODY"),
        ("--group EMPTY", 7, "EMPTY has no ports"),
        ("--reason no_rul", 2, "no_rule"),
        ("--action accept --reason no_rule", 2, "DROP"),
        ("-p icmp --dport 80", 2, "--dport"),
        ("--ingress --egress", 2, "--egress"),
        ("--rate 0", 2, "rate: 0"),
        ("--count 0", 2, "--count"),
        ("--for ever", 2, "--for"),
        ("--address WEB1", 2, "CIDR"),
        ("-o conntrack", 2, "table or json"),
    ] {
        let output = node.sgctl(&format!("monitor {words}"));
        output.expect(code);
        assert!(output.stderr.contains(named), "{words}: {}", output.stderr);
    }
    assert!(asked(&node).is_empty());
    node.sgctl("monitor --for 100ms").expect(0);
    node.sgctl("-o pcap status").expect(2);
    node.kill();
    node.sgctl("monitor --for 100ms").expect(5);
}

#[test]
fn one_that_is_killed_leaves_nothing_and_one_whose_daemon_ends_says_so() {
    let mut leak = Leak::before_the_daemon("monitor-kill");
    leak.node.start(&site(&[]));
    let mut killed = Monitor::start(&leak.node, "--port WEB1");
    let mut left = Monitor::start(&leak.node, "--port WEB1 --action drop");
    assert_eq!(asked(&leak.node).len(), 1);

    kill(Pid::from_raw(killed.pid().cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(killed.end().code(), None, "by the signal");
    leak.web.send(&forged());
    left.wait_for("the other one is told nothing", || {
        left.text().contains("spoofed_mac")
    });

    leak.node.terminate();
    assert_eq!(left.end().code(), Some(5));
    leak.node.start_again();
    let drops = Monitor::start(&leak.node, "--port WEB1 --action drop");
    assert_eq!(asked(&leak.node).len(), 1);
    kill(Pid::from_raw(drops.pid().cast_signed()), Signal::SIGTERM).unwrap();
    wait_until(PATIENCE, "the kernel goes on telling", || {
        asked(&leak.node).is_empty()
    });
}

#[test]
fn ten_at_once_are_all_told() {
    let mut leak = Leak::before_the_daemon("monitor-ten");
    leak.node.start(&site(&[]));
    let monitors: Vec<_> = (0..10)
        .map(|number| match number % 2 {
            0 => Monitor::start(&leak.node, "--port WEB1 -o json"),
            _ => Monitor::start(&leak.node, "--reason spoofed_mac -o json"),
        })
        .collect();
    for _ in 0..5 {
        leak.web.send(&forged());
    }
    for monitor in &monitors {
        monitor.wait_for("not all are told", || monitor.lines().len() >= 5);
    }
    sleep(Duration::from_millis(300));
    for monitor in monitors {
        assert_eq!(monitor.lines().len(), 5);
    }
    wait_until(PATIENCE, "the kernel goes on telling", || {
        asked(&leak.node).is_empty()
    });
}

#[test]
fn one_that_reads_too_slowly_loses_what_it_is_told_it_has_lost_and_slows_nobody() {
    const SENT: u64 = 12_000;
    let mut leak = Leak::before_the_daemon("monitor-slow");
    leak.node.start(&site(&[]));
    let words = "--port WEB1 --action drop --rate 1000000 --burst 1000000 -o json";
    let fast = Monitor::start(&leak.node, words);
    let (reader, writer) = std::io::pipe().unwrap();
    let count = asked(&leak.node).len();
    let slow_capture = leak.node.directory().join("slow.pcapng");
    let slow = Monitor::run(&leak.node, words, Some(&slow_capture), writer);
    wait_until(PATIENCE, "the slow one did not begin", || {
        fs::metadata(&slow_capture).is_ok_and(|file| file.len() > 0)
    });
    assert_eq!(count, 1);

    for number in 0..SENT {
        leak.web.send(&forged());
        if number % 50 == 0 {
            sleep(Duration::from_millis(20));
        }
    }
    let told = |lines: &[Value]| {
        lines
            .iter()
            .filter(|line| line.get("lost").is_none())
            .count() as u64
    };
    let lost = |lines: &[Value], why: &str| -> u64 {
        let lost = lines.iter().filter(|line| line["why"] == why);
        lost.filter_map(|line| line["lost"].as_u64()).sum()
    };
    let all = fast.all(Duration::from_millis(1500));
    assert_eq!(told(&all) + lost(&all, "rate"), SENT, "by the fast one");
    assert_eq!(lost(&all, "reader"), 0);

    let mut lines = Vec::new();
    let mut reader = BufReader::new(reader).lines();
    while told(&lines) + lost(&lines, "rate") + lost(&lines, "reader") < SENT {
        let line = reader.next().expect("it goes on").unwrap();
        lines.push(serde_json::from_str::<Value>(&line).unwrap());
    }
    assert!(lost(&lines, "reader") > 0, "{} are told", told(&lines));
    assert_eq!(lines.last().unwrap()["why"], json!("reader"));
    drop(slow);
}

#[test]
fn the_last_refused_packet_of_a_port_is_explained_with_the_rule_that_is_missing() {
    let mut site_ = Site::new("last-drop");
    // Machines look for routers when they please, and are refused.
    for machine in [&site_.web, &site_.client] {
        machine.netns().set("ipv6/conf/all/disable_ipv6", "1");
    }
    site_.node.start(&site(&[HTTP]));
    let output = site_.node.sgctl("explain --last-drop WEB1 --wait 200ms");
    output.expect(7);
    assert!(output.stderr.contains("within 200ms"), "{}", output.stderr);
    wait_until(PATIENCE, "somebody waits still", || {
        asked(&site_.node).is_empty()
    });

    // The next one is waited for.
    let output = std::thread::scope(|scope| {
        let explained = scope.spawn(|| site_.node.sgctl("explain --last-drop WEB1"));
        wait_until(PATIENCE, "nothing is asked for", || {
            !asked(&site_.node).is_empty()
        });
        assert_eq!(site_.ask(443), Silence);
        explained.join().unwrap()
    });
    output.expect(10);
    for words in [
        "10.0.0.5:443 SYN",
        "no_rule",
        "near, for other ports: rule",
        "IPv4 tcp 80 from 0.0.0.0/0",
        "openstack security group rule create --ingress --ethertype IPv4 --protocol tcp --dst-port 443",
        "--remote-ip 10.0.0.7/32",
    ] {
        assert!(output.stdout.contains(words), "{words}: {}", output.stdout);
    }

    // It is kept, and what has become of it since is said.
    let kept = site_
        .node
        .sgctl("-o json explain --last-drop WEB1 --wait 200ms");
    kept.expect(10);
    let kept: Value = serde_json::from_str(&kept.stdout).unwrap();
    assert_eq!(kept["told"]["destination_port"], 443);
    site_.node.apply(&site(&[HTTP, HTTPS])).expect(0);
    let output = site_.node.sgctl("explain --last-drop WEB1 --wait 200ms");
    output.expect(0);
    assert!(
        output.stdout.contains("would pass now"),
        "{}",
        output.stdout
    );
}

#[test]
fn a_packet_of_a_capture_and_one_in_digits_are_explained() {
    let mut site_ = Site::new("explain-pcap");
    site_.node.start(&site(&[HTTP]));
    let monitor = Monitor::start(&site_.node, "--port WEB1 --action drop");
    assert_eq!(site_.ask(443), Silence);
    let seen = || packets(&fs::read(monitor.capture()).unwrap());
    monitor.wait_for("nothing is captured", || !seen().is_empty());

    let capture = monitor.capture();
    let file = capture.to_string_lossy();
    let of_file = format!("explain --port WEB1 --ingress --pcap {file}");
    let output = site_.node.sgctl(&of_file);
    output.expect(10);
    assert!(output.stdout.contains("no_rule"), "{}", output.stdout);
    let output = site_.node.sgctl(&format!("{of_file} --packet 999"));
    output.expect(3);
    assert!(output.stderr.contains("no packet 999"), "{}", output.stderr);

    let digits: String = seen()[0]
        .bytes
        .iter()
        .map(|byte| format!("{byte:02x}:"))
        .collect();
    let of_digits = format!("explain --port WEB1 --ingress --hex {digits}");
    site_.node.sgctl(&of_digits).expect(10);
    site_.node.sgctl(&format!("{of_digits}0")).expect(2);
}
