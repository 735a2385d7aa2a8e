//! The screen, as text.

use std::time::Duration;

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
    style::Color,
};

use super::{
    super::{
        draw::Screen,
        order::{Column, Order},
        scope::Scope,
        state::State,
    },
    port, sample,
};
use crate::{
    error::Error,
    view::{AssuredView, PortSample, PortState},
};

const PACKETS: Order = Order {
    column: Column::Packets,
    is_reversed: false,
};

fn state(samples: impl IntoIterator<Item = Vec<PortSample>>) -> State {
    let mut state = State::new(Scope::default(), PACKETS, None, Duration::from_secs(1));
    for (second, ports) in (1..).zip(samples) {
        state.take(Ok(sample(second, ports)));
    }
    state
}

/// A web server that refuses, a client, and a port that is open.
fn site() -> State {
    let mut open = port("open", &[], &[]);
    open.state = PortState::Open;
    open.connections = None;
    let web = |packets, refused, spoofed| {
        port(
            "web",
            &[("established", packets), ("spoofed_address", spoofed)],
            &[("new", packets / 10), ("no_rule", refused)],
        )
    };
    let client = |packets| PortSample {
        connections: Some(AssuredView {
            assured: 45,
            quota: Some(50),
        }),
        ..port("client", &[], &[("established", packets)])
    };
    state([
        vec![web(100, 3, 1), client(0), open.clone()],
        vec![web(25_300, 45, 1), client(70), open],
    ])
}

fn press(state: &mut State, keys: &str) {
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        assert!(!state.press(KeyEvent::from(code), 10), "{key:?} ends it");
    }
}

fn terminal(width: u16, height: u16) -> Terminal<TestBackend> {
    Terminal::new(TestBackend::new(width, height)).unwrap()
}

/// What is seen of a state, without what is empty at the ends of lines.
fn seen_in(state: &State, width: u16, height: u16) -> String {
    let mut terminal = terminal(width, height);
    let mut screen = Screen::with_colours(true);
    terminal.draw(|frame| screen.draw(frame, state)).unwrap();
    let lines = terminal.backend().to_string();
    let lines = lines.lines().map(|line| line.trim_matches('"').trim_end());
    lines.map(|line| format!("{line}\n")).collect()
}

fn seen(state: &State) -> String {
    seen_in(state, 80, 24)
}

#[test]
fn ports_and_what_is_refused_are_seen_in_eighty_columns() {
    expect_test::expect![[r#"
        3 ports  27.8k packets/s  2.8M bytes/s  42 drops/s  2520 new/s  every 1s
          PORT             STATE      PACKETS/S↓  BYTES/S  DROPS/S  NEW/S   CONNS  QUOTA
        > web              enforcing       27.8k     2.8M       42   2520       5    10%
          client           enforcing          70     7000        0      0      45    90%
          open             open                0        0        0      0       -      -










        Refused, all ports──────────────────────────────────────────────────────────────
        WAY REASON                 DROPS/S      TOTAL WHY
        in  no_rule                     42         45 No rule of the port's security gro
        out spoofed_address              0          1 The source address is not the port




        q quit  / filter  < > sort  r reverse  Enter its drops  Space pause  + - pace
    "#]]
    .assert_eq(&seen(&site()));
}

#[test]
fn a_wide_screen_has_interfaces_and_groups_too() {
    let text = seen_in(&site(), 140, 24);
    assert!(
        text.contains("INTERFACE") && text.contains("tap-web"),
        "{text}"
    );
    assert!(
        text.contains("GROUPS") && text.contains("WEB_SERVERS"),
        "{text}"
    );
}

#[test]
fn every_size_of_terminal_can_be_drawn_on() {
    let site = site();
    for width in [1, 2, 20, 79, 80, 100, 130, 300] {
        for height in 1..40 {
            seen_in(&site, width, height);
        }
    }
    assert!(
        seen_in(&site, 80, 8).contains("web"),
        "ports go before drops"
    );
}

#[test]
fn keys_sort_by_each_column_and_reverse() {
    let mut site = site();
    for (key, heading) in [
        ("o", "PORT↓"),
        ("p", "PACKETS/S↓"),
        ("b", "BYTES/S↓"),
        ("d", "DROPS/S↓"),
        ("n", "NEW/S↓"),
        ("c", "CONNS↓"),
        ("u", "QUOTA↓"),
        (">", "PORT↓"),
        ("<", "QUOTA↓"),
        ("r", "QUOTA↑"),
    ] {
        press(&mut site, key);
        let text = seen(&site);
        assert!(text.contains(heading), "{key}: {text}");
    }
    let text = seen(&site);
    let place = |name: &str| text.find(name).expect(name);
    assert!(place("  client") > place("> web"), "{text}");
}

#[test]
fn what_is_typed_narrows_the_ports_and_what_matches_nothing_says_so() {
    let mut site = site();
    press(&mut site, "/CLI");
    let text = seen(&site);
    assert!(text.contains("filter: CLI_"), "{text}");
    assert!(text.contains("client") && !text.contains("web"), "{text}");
    press(&mut site, "q");
    let text = seen(&site);
    assert!(
        text.contains("no port has \"CLIq\""),
        "a letter as any: {text}"
    );
    press(&mut site, "\u{1b}");
    assert!(seen(&site).contains("> web"));
    press(&mut site, "/no_rule\n");
    let text = seen(&site);
    assert!(text.contains("> web") && !text.contains("client"), "{text}");
    press(&mut site, "d");
    assert!(seen(&site).contains("DROPS/S↓"), "no letter any more");
}

#[test]
fn nothing_on_the_node_is_said_otherwise_than_nothing_that_was_asked_for() {
    assert!(seen(&state([vec![]])).contains("no port is on this node"));
}

#[test]
fn enter_shows_what_the_port_at_the_cursor_refuses_and_escape_what_all_do() {
    let mut site = site();
    assert!(seen(&site).contains("Refused, all ports"));
    press(&mut site, "j\n");
    let text = seen(&site);
    assert!(text.contains("Refused, client"), "{text}");
    assert!(!text.contains("no_rule"), "{text}");
    site.take(Ok(sample(3, vec![port("web", &[], &[("no_rule", 1)])])));
    assert!(seen(&site).contains("the port is not here any more"));
    press(&mut site, "\u{1b}");
    assert!(seen(&site).contains("Refused, all ports"));
}

#[test]
fn five_hundred_ports_are_moved_through_by_pages() {
    let ports = |packets: u64| {
        let ports =
            (0..500).map(|n| port(&format!("vm{n:03}"), &[("new", packets * (1000 - n))], &[]));
        ports.collect::<Vec<_>>()
    };
    let mut many = state([ports(1), ports(2)]);
    let mut terminal = terminal(80, 24);
    let mut screen = Screen::with_colours(false);
    let mut seen_after = |keys: &[KeyCode]| {
        for key in keys {
            many.press(KeyEvent::from(*key), screen.page());
            terminal.draw(|frame| screen.draw(frame, &many)).unwrap();
        }
        terminal.backend().to_string()
    };
    let first = seen_after(&[KeyCode::Home]);
    assert!(
        first.contains("> vm000") && first.contains("500 ports"),
        "{first}"
    );
    let page = seen_after(&[KeyCode::PageDown]);
    assert!(page.contains("> vm013"), "{page}");
    let last = seen_after(&[KeyCode::End, KeyCode::Down]);
    assert!(last.contains("> vm499"), "{last}");
    let back = seen_after(&[KeyCode::PageUp, KeyCode::Up]);
    assert!(back.contains("> vm485"), "{back}");
}

#[test]
fn what_is_paused_stays_as_it_is_and_goes_on_with_the_newest() {
    let web = |packets| vec![port("web", &[("established", packets)], &[])];
    let mut state = state([web(0), web(10)]);
    press(&mut state, " ");
    state.take(Ok(sample(3, web(5000))));
    let text = seen(&state);
    assert!(
        text.contains("PAUSED") && text.contains(" 10 packets/s"),
        "{text}"
    );
    press(&mut state, " ");
    state.take(Ok(sample(4, web(5020))));
    let text = seen(&state);
    assert!(
        !text.contains("PAUSED") && text.contains(" 20 packets/s"),
        "{text}"
    );
}

#[test]
fn a_daemon_that_goes_away_is_told_until_it_is_back() {
    let mut site = site();
    site.take(Err(Error::Unreachable {
        socket: "/run/sgd/sgd.sock".into(),
        cause: "Connection refused".into(),
    }));
    let text = seen(&site);
    assert!(
        text.contains("! no daemon answers on /run/sgd/sgd.sock"),
        "{text}"
    );
    assert!(text.contains("> web"), "what was seen last stays: {text}");
    site.take(Ok(sample(9, vec![port("web", &[], &[])])));
    assert!(!seen(&site).contains("no daemon"));
}

#[test]
fn the_pace_goes_from_fifths_of_a_second_to_a_minute() {
    let mut state = state([vec![]]);
    let pace = |state: &mut State, keys: &str| {
        press(state, keys);
        state.pace
    };
    assert_eq!(pace(&mut state, "+"), Duration::from_millis(500));
    assert_eq!(pace(&mut state, "+++"), Duration::from_millis(200));
    assert_eq!(pace(&mut state, "---------"), Duration::from_secs(60));
}

#[test]
fn control_c_ends_it_also_while_a_filter_is_typed() {
    let mut site = site();
    press(&mut site, "/a");
    assert!(site.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL), 10));
    press(&mut site, "\n");
    assert!(site.press(KeyEvent::from(KeyCode::Char('q')), 10));
}

#[test]
fn without_colours_the_same_is_seen() {
    let drawn = |has_colours| {
        let mut terminal = terminal(80, 24);
        let mut screen = Screen::with_colours(has_colours);
        terminal.draw(|frame| screen.draw(frame, &site())).unwrap();
        let cells = terminal.backend().buffer().content.iter();
        let coloured = cells.filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        (coloured.count(), terminal.backend().to_string())
    };
    let ((some, coloured), (none, plain)) = (drawn(true), drawn(false));
    assert!(some > 0);
    assert_eq!(none, 0);
    assert_eq!(coloured, plain);
}

#[test]
fn what_others_chose_is_shown_escaped() {
    let state = state([vec![port("evil\u{1b}[2J\u{202e}", &[], &[])]]);
    let text = seen_in(&state, 140, 24);
    assert!(text.contains("evil\\u{1b}[2J\\u{202e}"), "{text}");
}
