//! A stream that skips, repeats, reorders and falls silent.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::*;
use crate::Entry;

/// What a watch has asked of its stream.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    Create(i64, String, Revision),
    Cancel(i64),
    Progress,
}

struct Fake {
    messages: UnboundedReceiver<Message>,
    asked: UnboundedSender<Asked>,
}

impl Wire for Fake {
    async fn create(&mut self, id: i64, range: &Range, behind: Revision) -> Result<()> {
        let (Range::Key(name) | Range::Prefix(name)) = range;
        let _ = self.asked.send(Asked::Create(id, name.clone(), behind));
        Ok(())
    }

    async fn cancel(&mut self, id: i64) -> Result<()> {
        let _ = self.asked.send(Asked::Cancel(id));
        Ok(())
    }

    async fn ask(&mut self) -> Result<()> {
        let _ = self.asked.send(Asked::Progress);
        Ok(())
    }

    async fn message(&mut self) -> Result<Message> {
        let message = self.messages.recv().await;
        message.ok_or_else(|| Error::Ended("closed".into()))
    }
}

struct Scene {
    watch: Ordered<Fake>,
    stream: UnboundedSender<Message>,
    asked: UnboundedReceiver<Asked>,
}

impl Scene {
    /// Two ranges, followed behind revision 10.
    async fn new(has_fences: bool) -> Self {
        Self::of(&["a/", "b/"], has_fences).await
    }

    /// These ranges, followed behind revision 10.
    async fn of(prefixes: &[&str], has_fences: bool) -> Self {
        let (stream, messages) = unbounded_channel();
        let (asks, asked) = unbounded_channel();
        let wire = Fake {
            messages,
            asked: asks,
        };
        let mut watch = Ordered::new(wire, has_fences, 10);
        let ranges = prefixes.iter().map(|&prefix| Range::Prefix(prefix.into()));
        watch.follow(ranges.collect(), 10).await.unwrap();
        let mut scene = Self {
            watch,
            stream,
            asked,
        };
        for (id, &prefix) in (1..).zip(prefixes) {
            assert_eq!(scene.asked(), Asked::Create(id, prefix.into(), 10));
            scene.say([Message::Created(id, 10)]);
        }
        scene
    }

    fn say(&self, messages: impl IntoIterator<Item = Message>) {
        for message in messages {
            self.stream.send(message).unwrap();
        }
    }

    fn asked(&mut self) -> Asked {
        self.asked.try_recv().unwrap()
    }

    /// What is handed out within so many milliseconds.
    async fn next(&mut self, milliseconds: u64) -> Option<(Revision, Vec<String>)> {
        let wait = Duration::from_millis(milliseconds);
        let batch = timeout(wait, self.watch.next()).await.ok()?.unwrap();
        let keys = batch.changes.iter().map(|change| change.key().to_owned());
        Some((batch.revision, keys.collect()))
    }

    async fn error(&mut self) -> Error {
        let wait = Duration::from_secs(10);
        timeout(wait, self.watch.next()).await.unwrap().unwrap_err()
    }
}

fn puts<const N: usize>(changes: [(&str, Revision); N]) -> Message {
    let put = |(key, revision): (&str, Revision)| {
        Change::Put(Entry {
            key: key.into(),
            value: b"{}".to_vec(),
            revision,
        })
    };
    Message::Changes(changes.map(put).into())
}

fn batch(revision: Revision, keys: &[&str]) -> Option<(Revision, Vec<String>)> {
    Some((revision, keys.iter().map(|key| (*key).to_owned()).collect()))
}

#[tokio::test(start_paused = true)]
async fn a_revision_in_pieces_is_handed_out_behind_the_fence() {
    let mut scene = Scene::new(true).await;
    scene.say([puts([("a/1", 12)])]);
    assert_eq!(scene.next(50).await, None);
    assert_eq!(scene.asked(), Asked::Progress);
    scene.say([puts([("b/1", 12), ("b/1", 13)]), Message::Progress(12)]);
    assert_eq!(scene.next(50).await, batch(12, &["a/1", "b/1"]));
    assert_eq!(scene.next(50).await, None);
    scene.say([Message::Progress(13)]);
    assert_eq!(scene.next(50).await, batch(13, &["b/1"]));
}

#[tokio::test(start_paused = true)]
async fn what_a_range_alone_tells_is_handed_out_at_once() {
    for has_fences in [true, false] {
        let mut scene = Scene::of(&["a/"], has_fences).await;
        scene.say([puts([("a/1", 12), ("a/2", 12), ("a/1", 14)])]);
        assert_eq!(scene.next(1).await, batch(12, &["a/1", "a/2"]));
        assert_eq!(scene.next(1).await, batch(14, &["a/1"]));
        assert!(scene.asked.try_recv().is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_catches_up_is_asked_again() {
    let mut scene = Scene::new(true).await;
    scene.say([puts([("a/1", 12)])]);
    assert_eq!(scene.next(250).await, None);
    for _ in 0..3 {
        assert_eq!(scene.asked(), Asked::Progress);
    }
    scene.say([Message::Progress(12)]);
    assert_eq!(scene.next(50).await, batch(12, &["a/1"]));
}

#[tokio::test(start_paused = true)]
async fn answers_from_before_a_range_was_added_say_nothing_of_it() {
    let mut scene = Scene::new(true).await;
    scene.say([puts([("a/1", 12), ("a/1", 14)])]);
    assert_eq!(scene.next(50).await, None);
    assert_eq!(scene.asked(), Asked::Progress);
    scene.say([Message::Progress(12)]);
    assert_eq!(scene.next(50).await, batch(12, &["a/1"]));
    // Asked for 14; then 12 is found to want another range.
    assert_eq!(scene.next(50).await, None);
    assert_eq!(scene.asked(), Asked::Progress);
    let more = vec![Range::Prefix("c/".into())];
    scene.watch.follow(more, 12).await.unwrap();
    assert_eq!(scene.asked(), Asked::Create(3, "c/".into(), 12));
    scene.say([Message::Created(3, 14), Message::Progress(14)]);
    assert_eq!(scene.next(50).await, None);
    assert_eq!(scene.asked(), Asked::Progress);
    scene.say([puts([("c/1", 14)]), Message::Progress(14)]);
    assert_eq!(scene.next(50).await, batch(14, &["a/1", "c/1"]));
}

#[tokio::test(start_paused = true)]
async fn each_answer_from_before_is_passed_over_whenever_it_comes() {
    let mut scene = Scene::new(true).await;
    scene.say([puts([("a/1", 12)])]);
    assert_eq!(scene.next(150).await, None);
    let more = vec![Range::Prefix("c/".into())];
    scene.watch.follow(more, 10).await.unwrap();
    // Two were asked; one is answered before it is said that the range is followed, and one behind that.
    scene.say([
        Message::Progress(12),
        Message::Created(3, 12),
        Message::Progress(12),
    ]);
    assert_eq!(scene.next(50).await, None);
    scene.say([puts([("c/1", 12)]), Message::Progress(12)]);
    assert_eq!(scene.next(50).await, batch(12, &["a/1", "c/1"]));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_is_not_waited_for_without_end() {
    let mut scene = Scene::new(true).await;
    scene.say([puts([("a/1", 12)])]);
    assert_eq!(scene.next(59_500).await, None);
    let ended = scene.error().await;
    assert_eq!(
        ended.to_string(),
        "the store has ended the watch: it does not say how far it has told"
    );
    // Nor one that has answered, and does not any more.
    let mut scene = Scene::new(true).await;
    scene.say([puts([("a/1", 12)]), Message::Progress(12)]);
    assert_eq!(scene.next(1_000).await, batch(12, &["a/1"]));
    assert_eq!(scene.next(60_000).await, None);
    assert_eq!(scene.error().await.reason(), "ended");
}

#[tokio::test(start_paused = true)]
async fn a_store_in_which_nothing_happens_owes_no_answer() {
    let mut scene = Scene::new(true).await;
    assert_eq!(scene.next(600_000).await, None);
    scene.say([puts([("a/1", 12)]), Message::Progress(12)]);
    assert_eq!(scene.next(1_000).await, batch(12, &["a/1"]));
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_look_for_long_finds_the_answers_that_are_here() {
    let mut scene = Scene::new(true).await;
    scene.say([puts([("a/1", 12)])]);
    assert_eq!(scene.next(50).await, None);
    scene.say([Message::Progress(12)]);
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(scene.next(1_000).await, batch(12, &["a/1"]));
}

/// Each change is followed by the next one without a pause, so many times.
struct Flood {
    rest: u64,
    asked_with: Option<u64>,
}

impl Wire for Flood {
    async fn create(&mut self, _: i64, _: &Range, _: Revision) -> Result<()> {
        Ok(())
    }

    async fn cancel(&mut self, _: i64) -> Result<()> {
        Ok(())
    }

    async fn ask(&mut self) -> Result<()> {
        self.asked_with.get_or_insert(self.rest);
        Ok(())
    }

    async fn message(&mut self) -> Result<Message> {
        tokio::task::consume_budget().await;
        self.rest -= 1;
        match self.rest {
            0 => Err(Error::Ended("the flood is over".into())),
            rest => Ok(puts([("a/1", 1_000_000 - rest)])),
        }
    }
}

#[tokio::test]
async fn however_much_comes_what_waits_is_asked_for() {
    let flood = Flood {
        rest: 100_000,
        asked_with: None,
    };
    let mut watch = Ordered::new(flood, true, 10);
    let ranges = ["a/", "b/"].map(|prefix| Range::Prefix(prefix.into()));
    watch.follow(ranges.into(), 10).await.unwrap();
    watch.uncreated.clear();
    watch.next().await.unwrap_err();
    assert!(watch.wire.asked_with > Some(50_000));
}

/// etcd gives no answer while a range catches up.
#[tokio::test(start_paused = true)]
async fn questions_without_an_answer_hold_nothing_up() {
    let mut scene = Scene::new(true).await;
    scene.say([puts([("a/1", 12), ("a/1", 14)])]);
    assert_eq!(scene.next(950).await, None);
    scene.say([Message::Progress(12)]);
    assert_eq!(scene.next(50).await, batch(12, &["a/1"]));
    let more = vec![Range::Prefix("c/".into())];
    scene.watch.follow(more, 12).await.unwrap();
    scene.say([Message::Created(3, 14)]);
    assert_eq!(scene.next(50).await, None);
    // The store has come further since the range was added: it was asked behind that.
    scene.say([puts([("c/1", 14)]), Message::Progress(15)]);
    assert_eq!(scene.next(50).await, batch(14, &["a/1", "c/1"]));
}

#[tokio::test(start_paused = true)]
async fn no_fence_counts_as_long_as_a_range_is_not_created() {
    let mut scene = Scene::new(true).await;
    let more = vec![Range::Prefix("c/".into())];
    scene.watch.follow(more, 10).await.unwrap();
    scene.say([puts([("a/1", 12)]), Message::Progress(12)]);
    assert_eq!(scene.next(500).await, None);
    scene.say([Message::Created(3, 14), puts([("c/1", 12)])]);
    assert_eq!(scene.next(50).await, None);
    scene.say([Message::Progress(12)]);
    assert_eq!(scene.next(50).await, batch(12, &["a/1", "c/1"]));
}

#[tokio::test(start_paused = true)]
async fn without_fences_it_is_said_at_once_that_something_has_changed_and_not_what() {
    let mut scene = Scene::new(false).await;
    assert!(!scene.watch.tells_whole());
    scene.say([puts([("a/1", 12)]), puts([("b/1", 13), ("b/1", 14)])]);
    assert_eq!(scene.next(1).await, batch(12, &[]));
    assert_eq!(scene.next(1).await, batch(14, &[]));
    // What comes late is said as well: whoever has read it knows.
    scene.say([Message::Progress(20), puts([("a/2", 13)])]);
    assert_eq!(scene.next(1).await, batch(13, &[]));
    assert_eq!(scene.next(1).await, None);
    let more = vec![Range::Prefix("c/".into())];
    scene.watch.follow(more, 14).await.unwrap();
    scene.say([puts([("c/1", 15)])]);
    assert_eq!(scene.next(1).await, batch(15, &[]));
}

#[tokio::test(start_paused = true)]
async fn what_comes_behind_what_was_handed_out_is_caught() {
    for late in [("a/1", 12), ("b/9", 12), ("b/9", 11)] {
        let mut scene = Scene::new(true).await;
        scene.say([puts([("a/1", 12)]), Message::Progress(12)]);
        assert_eq!(scene.next(700).await, batch(12, &["a/1"]));
        scene.say([puts([late])]);
        let error = scene.error().await;
        assert!(matches!(error, Error::Disordered { .. }), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_end_of_a_range_is_an_error_that_says_which() {
    let cancelled = |id, compacted, reason: &str| Message::Cancelled {
        id,
        compacted,
        reason: reason.into(),
    };
    let ends = [
        (cancelled(1, true, ""), "compacted"),
        (cancelled(2, false, "etcdserver: no leader"), "no_leader"),
        (cancelled(-1, false, "invalid auth token"), "ended"),
    ];
    for (end, reason) in ends {
        let mut scene = Scene::new(true).await;
        scene.say([end]);
        assert_eq!(scene.error().await.reason(), reason);
    }
}

#[tokio::test(start_paused = true)]
async fn a_range_that_is_forgotten_may_end() {
    let mut scene = Scene::new(true).await;
    let forgotten = [Range::Prefix("b/".into())];
    scene.watch.forget(&forgotten).await.unwrap();
    assert_eq!(scene.asked(), Asked::Cancel(2));
    scene.say([Message::Cancelled {
        id: 2,
        compacted: false,
        reason: String::new(),
    }]);
    assert_eq!(scene.next(50).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_says_nothing_is_asked_how_far_it_is() {
    let mut scene = Scene::new(true).await;
    assert_eq!(scene.next(5_500).await, None);
    assert_eq!(scene.asked(), Asked::Progress);
    scene.say([Message::Progress(40)]);
    assert_eq!(scene.next(50).await, None);
    assert_eq!(scene.watch.upto(), 40);
}
