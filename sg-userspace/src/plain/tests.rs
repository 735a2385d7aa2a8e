use std::sync::{Arc, Mutex};

use serde::Deserialize;

use super::*;

/// A name that looks like the end of a report, and then colours it.
const EVIL: &str = "evil\n\u{1b}[31mchecked: 9 ports, 0 faults\u{1b}[0m\u{7}";

/// The same, as it may be shown.
const SHOWN: &str = r"evil\n\u{1b}[31mchecked: 9 ports, 0 faults\u{1b}[0m\u{7}";

#[test]
fn what_acts_on_a_terminal_is_escaped() {
    for (text, shown) in [
        (EVIL, SHOWN),
        ("a\rb\tc\0d\u{7f}", r"a\rb\tc\0d\u{7f}"),
        // Controls of 8 bits: CSI; a line and a paragraph separator.
        ("\u{9b}31m\u{2028}\u{2029}", r"\u{9b}31m\u{2028}\u{2029}"),
        // What turns text around, and what is not to be seen.
        (
            "\u{202e}txt\u{2066}\u{200b}\u{feff}\u{ad}",
            r"\u{202e}txt\u{2066}\u{200b}\u{feff}\u{ad}",
        ),
    ] {
        assert_eq!(plain(text), shown);
    }
}

#[test]
fn what_people_write_stays_as_it_is() {
    for text in [
        "WEB1",
        r#"a "quoted" 'name' \ C:\web"#,
        "Büro Zürich",
        "Ελλάδα",
        "ウェブ",
        "वेब",
        "🚀",
        "",
    ] {
        assert_eq!(plain(text), text);
    }
}

#[test]
fn text_may_pass_twice() {
    assert_eq!(plain(&plain(EVIL)), SHOWN);
}

#[test]
fn lines_stay_lines() {
    assert_eq!(plain_lines("a\u{1b}\n\n b\n"), "a\\u{1b}\n\n b\n");
    assert_eq!(plain_lines("no end"), "no end");
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Answer {
    name: String,
    among: Vec<Option<String>>,
    number: u64,
}

#[test]
fn every_string_of_an_answer_is_made_plain_however_deep() {
    let answer = Answer {
        name: EVIL.into(),
        among: vec![None, Some(EVIL.into())],
        number: u64::MAX,
    };
    let shown = Answer {
        name: SHOWN.into(),
        among: vec![None, Some(SHOWN.into())],
        ..answer.clone()
    };
    assert_eq!(plain_answer(&answer).unwrap(), Some(shown.clone()));
    let list = std::slice::from_ref(&answer);
    assert_eq!(plain_answer(list).unwrap(), Some(vec![shown]));
}

#[test]
fn an_answer_without_anything_to_escape_is_left_as_it_is() {
    assert_eq!(plain_answer("WEB1").unwrap(), None);
}

#[test]
fn a_line_of_the_log_is_one_line_without_sequences() {
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);
    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .fmt_fields(log_fields())
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        tracing::warn!(port = EVIL, number = 7, "name {EVIL}");
    });
    let written = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        written,
        format!(" WARN name {SHOWN} port=\"{SHOWN}\" number=7\n")
    );
}
