//! Settings files and what they come to.

use std::{collections::BTreeSet, fs, io};

use serde_json::Value;
use sg_common::layout::settings::{Settings, ethertypes, switch, ticks};

use super::{
    Audit, File, FromVm, KEYS, Key, LONGEST_TIMEOUT, Wanted, Wishes, key::Kind, parse::parse,
    system, to_toml, views,
};
use crate::{exit::Exit, model::PortId};

/// Connections that the table of a node holds.
const ROOM: u32 = 262_144;
/// Words of the settings.
const WORDS: usize = size_of::<Settings>() / 4;

fn settings(text: &str) -> Settings {
    parse(text).unwrap().settings(ROOM)
}

/// What holds on such a node if nothing is set.
fn default() -> Settings {
    Settings {
        assured_per_port: ROOM / 4,
        ..Settings::DEFAULT
    }
}

fn refusal(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn printed(settings: &Settings) -> String {
    to_toml(&views(
        settings,
        &default(),
        &Wishes::default(),
        &Audit::default(),
        &[],
    ))
}

#[test]
fn an_empty_file_leaves_the_defaults() {
    assert_eq!(settings(""), default());
}

#[test]
fn a_file_sets_what_it_names() {
    let text = r#"
        invalid = "drop"
        fragments = "by_protocol"
        other_family = "pass"
        tagged = "pass"
        neighbor_advertisements = "pass"
        icmpv6 = "rules"
        arp = "pass"
        ethertypes = ["0x8035", 0x888e, "0x05FF"]
        assured_per_port = 12_345

        [tcp]
        loose = false
        be_liberal = false
        ignore_invalid_rst = true
        max_retrans = 5

        [timeouts]
        tcp_established = 86400
        sctp_shutdown_sent = 0x1e
    "#;
    let mut expected = Settings {
        switches: switch::DROP_INVALID
            | switch::FRAGMENTS_UNORDERED
            | switch::OTHER_FAMILY
            | switch::TAGGED
            | switch::ANY_NEIGHBOR
            | switch::ANY_ARP
            | switch::ICMPV6_RULES
            | switch::TCP_STRICT
            | switch::TCP_IGNORE_INVALID_RST,
        assured_per_port: 12_345,
        tcp_max_retrans: 5,
        ..Settings::DEFAULT
    };
    expected.ethertypes = [0; ethertypes::MOST];
    expected.ethertypes[..3].copy_from_slice(&[0x8035, 0x888e, ethertypes::LENGTH]);
    expected.tcp[3] = ticks(86400);
    expected.sctp[5] = ticks(30);
    assert_eq!(settings(text), expected);
}

#[test]
fn the_printed_settings_are_a_file_that_comes_to_the_same() {
    let every = "invalid = 'drop'\nassured_per_port = 7\ntcp.be_liberal = false\n\
                 ethertypes = ['0x8035', '0x05ff']\n\
                 timeouts.udp = 1\ntimeouts.tcp_established = 2073600";
    for text in ["", every, "ethertypes = 'none'", "ethertypes = []"] {
        let before = settings(text);
        assert_eq!(settings(&printed(&before)), before, "{}", printed(&before));
    }
}

#[test]
fn a_port_may_be_filtered_elsewhere_than_the_others_and_what_is_printed_says_so() {
    let port = "11111111-0000-4000-8000-000000000005";
    let wanted = parse(&format!("from_vm = 'xdp'\n[ports.{port}]\nfrom_vm = 'tc'")).unwrap();
    let id: PortId = port.parse().unwrap();
    assert_eq!(wanted.from_vm.of(Some(id)), FromVm::Tc);
    assert_eq!(wanted.from_vm.of(None), FromVm::Xdp);
    let text = to_toml(&views(
        &default(),
        &default(),
        &wanted.from_vm,
        &wanted.audit,
        &[],
    ));
    assert_eq!(parse(&text).unwrap().from_vm, wanted.from_vm, "{text}");
    assert!(
        text.contains("Default: \"auto\"\nfrom_vm = \"xdp\"\n"),
        "{text}"
    );
}

#[test]
fn every_second_is_printed_as_it_was_written() {
    for seconds in (1..=LONGEST_TIMEOUT).step_by(977).chain([LONGEST_TIMEOUT]) {
        let read = settings(&format!("timeouts.udp = {seconds}"));
        let key = Key::find("timeouts.udp").unwrap();
        assert_eq!(key.value(&read), seconds);
    }
}

#[test]
fn what_differs_from_its_default_says_so() {
    let text = printed(&settings("tagged = 'pass'"));
    assert!(
        text.contains(". Default: \"drop\"\ntagged = \"pass\"\n"),
        "{text}"
    );
    assert_eq!(text.matches("Default").count(), 1);
}

/// The words of the settings that differ: place, and which bits.
fn difference(settings: &Settings) -> Vec<(usize, u32)> {
    let words = |settings: &Settings| bytemuck::cast_slice::<_, u32>(&[*settings]).to_vec();
    let (one, other) = (words(settings), words(&default()));
    let pairs = one.into_iter().zip(other);
    let bits = pairs.map(|(one, other)| one ^ other).enumerate();
    bits.filter(|(_, bits)| *bits != 0).collect()
}

#[test]
fn every_key_sets_one_thing_and_every_thing_has_a_key() {
    let values = ["drop", "by_protocol", "pass", "none", "rules"].map(Value::from);
    let values: Vec<_> = values
        .into_iter()
        .chain([true.into(), false.into(), 77.into()])
        .collect();
    let (mut places, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for key in KEYS {
        let differences = values.iter().filter_map(|value| {
            let mut wanted = Wanted::default();
            key.set(&mut wanted, value).ok()?;
            Some(difference(&wanted.settings(ROOM)))
        });
        let differences: BTreeSet<_> = differences.filter(|words| !words.is_empty()).collect();
        assert_eq!(differences.len(), 1, "{} does one thing", key.name);
        for words in differences {
            assert_eq!(words.len(), 1, "{} sets one number", key.name);
            places.insert(words[0].0);
            assert!(seen.insert(words), "{} does what no other does", key.name);
        }
    }
    // What is never stored or entered, the rest of the list, and what is reserved.
    let sctp = std::mem::offset_of!(Settings, sctp) / 4;
    let list = std::mem::offset_of!(Settings, ethertypes) / 4;
    let without: BTreeSet<_> = (0..WORDS).filter(|place| !places.contains(place)).collect();
    let expected = [0, sctp, sctp + 9]
        .into_iter()
        .chain(list + 1..WORDS)
        .collect();
    assert_eq!(without, expected);
}

#[test]
fn an_ethertype_is_one_that_nothing_else_judges() {
    let printed = |text: &str| Key::find("ethertypes").unwrap().value(&settings(text));
    assert_eq!(printed(""), "any");
    assert_eq!(printed("ethertypes = 'none'"), "none");
    assert_eq!(printed("ethertypes = []"), "none");
    assert_eq!(
        printed("ethertypes = [0x8035]"),
        Value::from(vec!["0x8035"])
    );
    let sixteen = (0x9001..).take(ethertypes::MOST).map(|n| n.to_string());
    let sixteen = sixteen.collect::<Vec<_>>().join(", ");
    assert!(!settings(&format!("ethertypes = [{sixteen}]")).permits(0x9000));
    assert!(settings(&format!("ethertypes = [{sixteen}]")).permits(0x9010));
    for list in [
        format!("{sixteen}, 0x8035"),
        // IP, ARP and tags, lengths, none at all, and what is reserved.
        "0x0800".into(),
        "0x86dd".into(),
        "0x0806".into(),
        "0x8100".into(),
        "0x88a8".into(),
        "0x0026".into(),
        "0".into(),
        "0xffff".into(),
        "0x18035".into(),
        "-1".into(),
        "'8035'".into(),
        "'0x'".into(),
        "'rarp'".into(),
        "['0x8035']".into(),
        "true".into(),
    ] {
        let refusal = refusal(&format!("ethertypes = [{list}]"));
        assert!(
            refusal.contains("is not a value of it; write \"any\""),
            "{refusal}"
        );
    }
}

#[test]
fn a_share_is_of_the_table_of_the_node() {
    let wanted = parse("assured_per_port = \"25%\"").unwrap();
    assert_eq!(wanted.settings(262_144).assured_per_port, 65_536);
    assert_eq!(wanted.settings(3).assured_per_port, 1);
    let unlimited = settings("assured_per_port = \"unlimited\"");
    assert_eq!(unlimited.assured_per_port, u32::MAX);
}

#[test]
fn what_cannot_be_read_is_named_with_its_line_and_what_to_write() {
    let expected = [
        (
            "tagged = 'pass'\n\n[timeouts]\ntcp_estab = 5\n",
            "line 4: timeouts.tcp_estab: there is no such key (its value is 5); \
             [timeouts] has tcp_syn_sent, ",
        ),
        (
            "taged = 'pass'",
            "line 1: taged: there is no such key (its value is 'pass'); write one of invalid, ",
        ),
        (
            "\n[udp]\nloose = true",
            "line 2: udp: there is no such key (its value is ",
        ),
        (
            "invalid = 'maybe'",
            "line 1: invalid: 'maybe' is not a value of it; write \"rules\" or \"drop\"",
        ),
        (
            "tcp.loose = 1",
            "line 1: tcp.loose: 1 is not a value of it; write true or false",
        ),
        (
            "tcp.max_retrans = 256",
            "line 1: tcp.max_retrans: 256 is not a value of it; write a number from 0 to 255",
        ),
        (
            "timeouts.udp = 0",
            "line 1: timeouts.udp: 0 is not a value of it; write seconds from 1 to 2073600 (24 days)",
        ),
        (
            "timeouts.udp = 2073601",
            "line 1: timeouts.udp: 2073601 is not a value of it; write seconds ",
        ),
        (
            "timeouts.udp = -5",
            "line 1: timeouts.udp: -5 is not a value of it; write seconds ",
        ),
        (
            "timeouts.udp = [1,\n2]",
            "line 1: timeouts.udp: [1,… is not a value of it; write seconds ",
        ),
        (
            "timeouts = 'linux'",
            "line 1: timeouts: 'linux' is not a value of it; write \"system\", or a table [timeouts]",
        ),
        ("tcp = 5", "line 1: tcp: 5 is not a table; write [tcp]"),
        (
            "assured_per_port = '0%'",
            "line 1: assured_per_port: '0%' is not a value of it; write a number from 1 on, a share ",
        ),
        (
            "ethertypes = 'all'",
            "line 1: ethertypes: 'all' is not a value of it; write \"any\", \"none\", or up to 16 ",
        ),
        (
            "tagged = 'pass'\nethertypes = ['0x8035', '0x0800']",
            "line 2: ethertypes: ['0x8035', '0x0800'] is not a value of it; write \"any\", ",
        ),
        ("\ntagged = 'pass", "line 2: this is no TOML: "),
        (
            "from_vm = 'nft'",
            "line 1: from_vm: 'nft' is not a value of it; write \"tc\", \"xdp\", \"guard\" or \"auto\"",
        ),
        (
            "[ports.WEB1]\nfrom_vm = 'tc'",
            "line 1: ports.WEB1: this is no id of a port; write its UUID, ",
        ),
        (
            "[ports.11111111-0000-4000-8000-000000000005]\nfrom_vm = 5",
            "line 2: ports.11111111-0000-4000-8000-000000000005.from_vm: 5 is not a value of it; write \"tc\"",
        ),
        (
            "[ports.11111111-0000-4000-8000-000000000005]\narp = 'pass'",
            "line 2: ports.11111111-0000-4000-8000-000000000005.arp: there is no such key (its value is \
             'pass'); [ports.11111111-0000-4000-8000-000000000005] has from_vm",
        ),
        (
            "ports = 'xdp'",
            "line 1: ports: 'xdp' is not a table; write [ports.ID]",
        ),
        (
            "tagged = 'pass'\ntagged = 'drop'",
            "line 2: this is no TOML: ",
        ),
    ];
    for (text, start) in expected {
        let refusal = refusal(text);
        assert!(refusal.starts_with(start), "{text}: {refusal}");
    }
}

fn kernel(sysctl: &str) -> io::Result<String> {
    match sysctl {
        "netfilter/nf_conntrack_udp_timeout" => Ok("45\n".into()),
        "netfilter/nf_conntrack_tcp_timeout_established" => Ok("4320000\n".into()),
        "netfilter/nf_conntrack_tcp_timeout_close" => Ok("0\n".into()),
        "ipv4/ipfrag_time" => Ok("20\n".into()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

#[test]
fn the_timeouts_of_the_node_are_taken_as_far_as_they_fit() {
    let mut wanted = parse("timeouts = 'system'").unwrap();
    system::take(&mut wanted, kernel);
    let mut expected = Settings {
        udp: ticks(45),
        ..default()
    };
    expected.tcp[3] = ticks(LONGEST_TIMEOUT);
    expected.tcp[8] = ticks(1);
    expected.fragments[0] = ticks(20);
    assert_eq!(wanted.settings(ROOM), expected);
    assert_eq!(
        wanted.notes,
        [
            "net/netfilter/nf_conntrack_tcp_timeout_established is 4320000; \
             timeouts.tcp_established is 2073600, the nearest that there is",
            "net/netfilter/nf_conntrack_tcp_timeout_close is 0; \
             timeouts.tcp_close is 1, the nearest that there is",
        ]
    );
}

#[test]
fn a_node_without_nf_conntrack_has_its_defaults_and_says_so() {
    let mut wanted = parse("timeouts = 'system'").unwrap();
    system::take(&mut wanted, |_| Err(io::ErrorKind::NotFound.into()));
    assert_eq!(wanted.settings(ROOM), default());
    assert!(wanted.notes[0].contains("nf_conntrack is not loaded"));
}

#[test]
fn a_named_file_must_be_there_and_the_default_one_need_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("settings.toml");
    let error = File::new(Some(&path)).read().unwrap_err();
    assert_eq!(error.exit(), Exit::Malformed);
    let start = format!("the settings {}: No such file", path.display());
    assert!(error.to_string().starts_with(&start), "{error}");

    let absent = File::at(&path, false);
    assert_eq!(absent.read().unwrap(), Wanted::default());

    fs::write(&path, "tagged = 'maybe'").unwrap();
    let error = absent.read().unwrap_err().to_string();
    assert!(
        error.contains("settings.toml: line 1: tagged: 'maybe'"),
        "{error}"
    );
}

fn sysctl(key: &Key) -> Option<&'static str> {
    match key.kind {
        Kind::Seconds(_, sysctl) => sysctl,
        _ => None,
    }
}

#[test]
fn every_sysctl_that_this_node_has_is_where_it_is_looked_for() {
    // Only where nf_conntrack is loaded is there anything to compare with.
    let Ok(files) = fs::read_dir("/proc/sys/net/netfilter") else {
        return;
    };
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let known: BTreeSet<_> = KEYS.iter().filter_map(sysctl).collect();
    for name in names.filter(|name| name.contains("_timeout") && !name.contains("dccp")) {
        assert!(
            known.contains(format!("netfilter/{name}").as_str()),
            "{name} has no key"
        );
    }
}

#[test]
fn the_example_in_the_readme_names_the_defaults() {
    let readme = include_str!("../../../README.md");
    let (_, block) = readme.split_once("```toml\n").unwrap();
    let (example, _) = block.split_once("```").unwrap();
    assert_eq!(settings(example), default());
    assert!(example.contains("tcp_established"));
}
