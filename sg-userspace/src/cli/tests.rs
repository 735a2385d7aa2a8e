//! The definitions of the command lines.

use clap::CommandFactory;

use super::*;

#[test]
fn the_command_lines_are_well_defined() {
    Sgctl::command().debug_assert();
    Sgd::command().debug_assert();
}

#[test]
fn everything_that_can_be_given_is_explained() {
    fn check(command: &clap::Command) {
        assert!(
            command.get_about().is_some(),
            "{} has no help",
            command.get_name()
        );
        for argument in command
            .get_arguments()
            .filter(|argument| !argument.is_hide_set())
        {
            let explained =
                argument.get_help().is_some() || !argument.get_possible_values().is_empty();
            assert!(
                explained,
                "{} {} has no help",
                command.get_name(),
                argument.get_id()
            );
        }
        command.get_subcommands().for_each(check);
    }
    check(&Sgctl::command());
    check(&Sgd::command());
}

#[test]
fn the_help_lists_the_exit_codes() {
    expect_test::expect![[r#"
        Exit codes:
           0  done (explain: the packet is accepted)
           1  the kernel or the file system refused something
           2  the command line was not understood
           3  the input cannot be read; nothing was changed
           4  done, but something was left out, which is listed
           5  no daemon answers on the socket
           6  this host cannot run the daemon (capability, bpffs, kernel, another daemon)
           7  no such port or group, or several that may be meant; nothing was refused (explain)
           8  done, but a port is open, bypassed or outdated (status, list ports, apply)
           9  the store to follow refuses, or has another layout
          10  explain: the packet is dropped"#]]
    .assert_eq(&Exit::help());
}

#[test]
fn a_packet_goes_one_way() {
    let explain = |ways: &str| {
        let command = format!("sgctl explain --port WEB1{ways} icmp 10.0.0.6 10.0.0.5");
        Sgctl::try_parse_from(command.split(' ')).is_ok()
    };
    assert!(explain(" --ingress") && explain(" --egress"));
    assert!(!explain("") && !explain(" --ingress --egress"));
}

#[test]
fn the_socket_is_that_of_the_configuration_unless_it_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sgd.toml");
    std::fs::write(&file, "socket.path = '/run/other.sock'").unwrap();
    let socket = |words: &[&str]| {
        let line = ["sgctl", "--config", file.to_str().unwrap(), "status"];
        let line = line.iter().chain(words);
        Sgctl::try_parse_from(line).unwrap().socket()
    };
    assert_eq!(socket(&[]).unwrap().to_str(), Some("/run/other.sock"));
    let named = socket(&["--socket", "/named.sock"]).unwrap();
    assert_eq!(named.to_str(), Some("/named.sock"));
    std::fs::write(&file, "").unwrap();
    assert_eq!(socket(&[]).unwrap().to_str(), Some(DEFAULT_SOCKET));
    std::fs::remove_file(&file).unwrap();
    let error = socket(&[]).unwrap_err().to_string();
    assert!(
        error.contains("sgd.toml"),
        "a named one has to be there: {error}"
    );
}

#[test]
fn a_packet_is_explained_in_one_of_four_ways() {
    let explain = |words: &str| {
        let command = format!("sgctl explain {words}");
        Sgctl::try_parse_from(command.split(' ')).is_ok()
    };
    for words in [
        "--port WEB1 --ingress --hex 0011",
        "--port WEB1 --ingress --pcap tap.pcap --packet 2",
        "--last-drop WEB1",
        "--last-drop WEB1 --wait 1m",
    ] {
        assert!(explain(words), "{words}");
    }
    for words in [
        "--port WEB1 --ingress",
        "--port WEB1 --hex 0011",
        "--ingress --hex 0011",
        "--port WEB1 --ingress tcp 10.0.0.6:1",
        "--port WEB1 --ingress --hex 0011 tcp 10.0.0.6:1 10.0.0.5:2",
        "--port WEB1 --ingress --hex 0011 --packet 2",
        "--last-drop WEB1 --ingress",
        "--last-drop WEB1 --port WEB1",
        "--last-drop WEB1 --pcap tap.pcap",
        "--port WEB1 --ingress icmp 10.0.0.6 10.0.0.5 --wait 1s",
    ] {
        assert!(!explain(words), "{words}");
    }
}
