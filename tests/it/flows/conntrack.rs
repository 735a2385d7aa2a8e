//! `flows list -o conntrack` against `conntrack -L` itself: one parser reads both, and they say the same of
//! the same connections.

use std::collections::BTreeMap;
use std::process::Command;

use sg_tests::inventory::{Inventory, group, port};
use sg_tests::node::Node;
use sg_tests::traffic::{Connection, EchoServer, Outcome, ask_udp};
use sg_tests::vm::Vm;

/// A line of either program.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    protocol: (String, u8),
    seconds: u64,
    state: Option<String>,
    /// `key=value` before the second `src=`, and from there to the first word in no tuple.
    original: Vec<(String, String)>,
    reply: Vec<(String, String)>,
    marks: Vec<String>,
    rest: BTreeMap<String, String>,
}

/// Words that belong to a tuple, in the order in which they stand there.
const TUPLE: [&str; 9] = [
    "src", "dst", "sport", "dport", "type", "code", "id", "srckey", "dstkey",
];

fn parse(line: &str) -> Line {
    let mut words = line.split_whitespace().peekable();
    let mut word = || words.next().unwrap_or_else(|| panic!("too short: {line}"));
    let protocol = (word().to_owned(), word().parse().expect(line));
    let seconds = word().parse().expect(line);
    let state = words.next_if(|word| !word.contains('=')).map(str::to_owned);
    let mut parsed = Line {
        protocol,
        seconds,
        state,
        original: Vec::new(),
        reply: Vec::new(),
        marks: Vec::new(),
        rest: BTreeMap::new(),
    };
    let mut tuples = 0;
    for word in words {
        match word.split_once('=') {
            None => parsed.marks.push(word.to_owned()),
            Some((key, value)) => {
                tuples += u32::from(key == "src");
                let pair = (key.to_owned(), value.to_owned());
                match (TUPLE.contains(&key), tuples) {
                    (true, 1) => parsed.original.push(pair),
                    (true, _) => parsed.reply.push(pair),
                    (false, _) => {
                        parsed.rest.insert(pair.0, pair.1);
                    }
                }
            }
        }
    }
    parsed
}

#[test]
fn it_says_what_conntrack_says_of_the_same_connections() {
    let open = group("OPEN").rule("ingress IPv4").default_egress();
    let client = port("CLIENT").ip("10.0.0.7").groups(&["OPEN"]);
    let server = port("SERVER").ip("10.0.0.5").groups(&["OPEN"]);
    let inventory = Inventory::new()
        .port(client.clone())
        .port(server.clone())
        .group(open);
    let mut node = Node::new("grepped");
    let (client, server) = (Vm::new(&node, &client), Vm::new(&node, &server));
    node.start(&inventory);
    let _echo = EchoServer::start(server.netns(), 80);
    let inside = |program: &str, words: &str| {
        let mut command = Command::new(program);
        command.args(words.split(' '));
        let output = client.netns().run(|| command.output());
        let output = output.unwrap_or_else(|e| {
            panic!("cannot run {program} (`cargo xtask doctor` says what installs it): {e}")
        });
        assert!(output.status.success(), "{program} {words}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    // A rule that asks for states is what makes a namespace track its connections.
    inside(
        "iptables",
        "-A INPUT -m conntrack --ctstate INVALID -j DROP",
    );

    let mut connection = Connection::open(client.netns(), server.v4(), 80).unwrap();
    assert_eq!(connection.ask(), Outcome::Answered);
    assert_eq!(ask_udp(client.netns(), server.v4(), 80), Outcome::Answered);
    // Nobody is there: it stays unreplied, in both.
    let _ = ask_udp(client.netns(), "10.0.0.9".parse().unwrap(), 53);

    let theirs = inside("conntrack", "-L -f ipv4");
    let listed = node.sgctl("flows list --port CLIENT -f ipv4 -o conntrack");
    listed.expect(0);
    assert!(listed.stderr.contains("flow entries have been shown"));
    let ours: Vec<_> = listed.stdout.lines().map(parse).collect();
    let mut compared = 0;
    for theirs in theirs.lines().map(parse) {
        let ours = ours.iter().find(|ours| ours.original == theirs.original);
        let Some(ours) = ours else {
            // It never reached the tap: nothing answers for its address.
            assert_eq!(theirs.marks, ["[UNREPLIED]"], "{theirs:?}");
            continue;
        };
        compared += 1;
        assert_eq!(ours.protocol, theirs.protocol);
        assert_eq!(ours.state, theirs.state);
        assert_eq!(ours.reply, theirs.reply);
        assert_eq!(ours.marks, theirs.marks);
        assert!(
            ours.seconds.abs_diff(theirs.seconds) <= 3,
            "{ours:?} {theirs:?}"
        );
        for (key, value) in &theirs.rest {
            assert_eq!(ours.rest.get(key), Some(value), "{key}");
        }
    }
    assert!(compared >= 2, "{listed:?}\n{theirs}");
    let port = sg_tests::inventory::port_id("CLIENT").to_string();
    assert!(
        ours.iter()
            .all(|line| line.rest["port"] == port && line.rest.contains_key("zone"))
    );
}
