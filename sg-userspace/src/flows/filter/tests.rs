use clap::Parser;
use sg_common::{
    hook::Hook,
    layout::flow::Whose,
    wire::addr::{Family, from_ip},
};

use super::*;

#[derive(Parser)]
struct Words {
    #[command(flatten)]
    filter: FlowFilter,
}

fn filter(words: &str) -> FlowFilter {
    let words = std::iter::once("list").chain(words.split_whitespace());
    Words::parse_from(words).filter
}

/// A connection that 198.51.100.7:40000 has opened to 10.0.0.5:80, established and assured.
fn web() -> (FlowKey, Flow) {
    let address = |text: &str| from_ip(&text.parse().unwrap());
    let key = FlowKey::new(
        Whose::new(1, 6, Family::V4, false),
        [address("10.0.0.5"), address("198.51.100.7")],
        [80, 40000],
    );
    let mut flow = Flow::new(Hook::ToVm, 1, 0);
    flow.change(|word| {
        word.set_seen_reply(true);
        word.set_assured(true);
    });
    (key, flow)
}

fn meets(words: &str) -> bool {
    let (key, flow) = web();
    filter(words).matches(&key, &flow, "ESTABLISHED")
}

#[test]
fn addresses_and_ports_are_those_of_the_first_packet() {
    assert!(meets(
        "-s 198.51.100.7 -d 10.0.0.5 --sport 40000 --dport 80"
    ));
    assert!(meets("--orig-src 198.51.100.0/24 --orig-dst 10.0.0.0/8"));
    for other in [
        "-s 10.0.0.5",
        "-d 198.51.100.7",
        "--sport 80",
        "--dport 40000",
    ] {
        assert!(!meets(other), "{other}");
    }
}

#[test]
fn a_connection_must_meet_all_filters() {
    assert!(meets("-p tcp --state established -f ipv4 -u assured"));
    for other in [
        "-p udp",
        "-p 17 --dport 80",
        "--state SYN_SENT",
        "-f ipv6",
        "--status UNREPLIED",
        "-u revoked",
        "-p tcp --dport 443",
    ] {
        assert!(!meets(other), "{other}");
    }
    assert!(meets("") && filter("").is_everything());
    assert!(!filter("--port WEB1").is_everything());
}

#[test]
fn protocols_without_ports_meet_no_filter_of_ports() {
    let (web, flow) = web();
    let whose = Whose::new(1, 50, Family::V4, false);
    let key = FlowKey::new(whose, [web.local, web.remote], [0, 0]);
    assert!(filter("-p esp").matches(&key, &flow, ""));
    assert!(!filter("--dport 0").matches(&key, &flow, ""));
}

#[test]
fn what_is_no_filter_is_refused() {
    for nonsense in [
        "-s nowhere",
        "-p nothing",
        "--dport 65536",
        "-f ipx",
        "-p 0",
    ] {
        let words = std::iter::once("list").chain(nonsense.split_whitespace());
        assert!(Words::try_parse_from(words).is_err(), "{nonsense}");
    }
}

#[test]
fn a_filter_travels_as_a_query_and_a_misspelt_one_is_no_filter() {
    let all = filter(
        "--port WEB1 -s 10.0.0.0/8 -d ::1 -p tcp --sport 1 --dport 2 --state X -f ipv6 -u revoked",
    );
    let query = serde_urlencoded::to_string(&all).unwrap();
    assert_eq!(serde_urlencoded::from_str(&query), Ok(all), "{query}");
    assert!(serde_urlencoded::from_str::<FlowFilter>("soruce=10.0.0.1").is_err());
}
