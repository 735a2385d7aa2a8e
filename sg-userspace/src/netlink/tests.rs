use std::{future::Future, thread, time::Duration};

use nix::sched::{CloneFlags, unshare};
use rtnetlink::{LinkBridge, LinkMessageBuilder, packet_route::tc::TcMessage};

use super::*;

fn message(index: u32, name: &str) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = vec![LinkAttribute::IfName(name.into())];
    message
}

fn new_link(message: LinkMessage) -> NetlinkPayload<RouteNetlinkMessage> {
    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message))
}

fn del_link(message: LinkMessage) -> NetlinkPayload<RouteNetlinkMessage> {
    NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(message))
}

fn present(ifindex: u32, name: &str) -> LinkEvent {
    LinkEvent::Present(Link {
        ifindex,
        name: name.into(),
        master: None,
    })
}

#[test]
fn messages_say_which_interface_came_or_went() {
    assert_eq!(
        Meaning::of(new_link(message(7, "tap0"))),
        Meaning::Event(present(7, "tap0"))
    );
    assert_eq!(
        Meaning::of(del_link(message(7, "tap0"))),
        Meaning::Event(LinkEvent::Gone(7))
    );
}

#[test]
fn a_tap_that_leaves_its_bridge_is_not_gone() {
    let mut left = message(7, "tap0");
    left.header.interface_family = AddressFamily::Bridge;
    assert_eq!(Meaning::of(del_link(left)), Meaning::Nothing);
}

#[test]
fn a_change_at_a_qdisc_with_filters_is_told_and_one_at_another_is_not() {
    let mut qdisc = TcMessage::with_index(7);
    qdisc.header.parent = TcHandle::CLSACT;
    let gone = RouteNetlinkMessage::DelQueueDiscipline(qdisc.clone());
    let gone = NetlinkPayload::InnerMessage(gone);
    assert_eq!(Meaning::of(gone), Meaning::Event(LinkEvent::Stirred));

    qdisc.header.parent = TcHandle::ROOT;
    let root = RouteNetlinkMessage::NewQueueDiscipline(qdisc.clone());
    let root = NetlinkPayload::InnerMessage(root);
    assert_eq!(Meaning::of(root), Meaning::Nothing);

    qdisc.header.parent.minor = TcHandle::MIN_EGRESS;
    let filter = RouteNetlinkMessage::NewTrafficFilter(qdisc);
    let filter = NetlinkPayload::InnerMessage(filter);
    assert_eq!(Meaning::of(filter), Meaning::Event(LinkEvent::Stirred));
}

#[test]
fn a_full_buffer_means_that_messages_are_lost() {
    assert_eq!(
        Meaning::of(NetlinkPayload::Overrun(Vec::new())),
        Meaning::Lost
    );
}

/// Runs a future in a network namespace of its own, which is a matter of the thread.
fn in_a_fresh_namespace<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send) {
    thread::scope(|scope| {
        let namespace = || {
            unshare(CloneFlags::CLONE_NEWNET).expect("tests of interfaces run as root");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(test());
        };
        scope.spawn(namespace).join().unwrap();
    });
}

async fn next(links: &mut Links) -> Vec<LinkEvent> {
    time::timeout(Duration::from_secs(5), links.next())
        .await
        .expect("an event")
        .unwrap()
}

async fn until(links: &mut Links, event: &LinkEvent) {
    while !next(links).await.contains(event) {}
}

#[test]
fn an_interface_is_seen_from_its_birth_to_its_end() {
    in_a_fresh_namespace(async || {
        let mut links = Links::watch().await.unwrap();
        let loopback = Link {
            ifindex: 1,
            name: "lo".into(),
            master: None,
        };
        assert_eq!(next(&mut links).await, [LinkEvent::All(vec![loopback])]);

        let handle = links.handle.clone();
        handle
            .link()
            .add(bridge("tap0").build())
            .execute()
            .await
            .unwrap();
        until(&mut links, &present(40, "tap0")).await;
        handle
            .link()
            .set(bridge("tap1").build())
            .execute()
            .await
            .unwrap();
        until(&mut links, &present(40, "tap1")).await;
        handle.link().del(40).execute().await.unwrap();
        until(&mut links, &LinkEvent::Gone(40)).await;
    });
}

fn overrun() -> NetlinkMessage<RouteNetlinkMessage> {
    NetlinkMessage::new(Default::default(), NetlinkPayload::Overrun(Vec::new()))
}

fn names(events: &[LinkEvent]) -> Vec<&str> {
    let [LinkEvent::All(all)] = events else {
        panic!("not all of them: {events:?}")
    };
    all.iter().map(|link| link.name.as_str()).collect()
}

#[test]
fn after_lost_messages_all_interfaces_are_told_again_even_if_the_first_asking_was_given_up() {
    in_a_fresh_namespace(async || {
        let mut links = Links::watch().await.unwrap();
        assert_eq!(names(&next(&mut links).await), ["lo"]);
        let tap = bridge("tap0").build();
        links.handle.link().add(tap).execute().await.unwrap();
        let silence = futures_util::stream::pending();
        let lost = futures_util::stream::iter([overrun()]).chain(silence);
        links.messages = lost.boxed();

        let given_up = links.next().now_or_never();
        assert!(given_up.is_none(), "the kernel takes a moment to answer");
        assert_eq!(names(&next(&mut links).await), ["lo", "tap0"]);
    });
}

#[test]
fn what_happened_at_once_is_told_at_once() {
    in_a_fresh_namespace(async || {
        let mut links = Links::watch().await.unwrap();
        next(&mut links).await;
        let news = [7, 8, 9].map(|index| {
            let payload = new_link(message(index, "tap0"));
            NetlinkMessage::new(Default::default(), payload)
        });
        links.messages = futures_util::stream::iter(news).boxed();
        assert_eq!(next(&mut links).await.len(), 3);
    });
}

#[test]
fn an_ended_watch_is_an_error_and_is_begun_again() {
    in_a_fresh_namespace(async || {
        let mut links = Links::watch().await.unwrap();
        next(&mut links).await;
        links.messages = futures_util::stream::empty().boxed();
        let error = links.next().await.unwrap_err().to_string();
        assert!(error.starts_with("watching the interfaces"), "{error}");
        assert_eq!(names(&next(&mut links).await), ["lo"]);
    });
}

/// Any device does; every kernel of a host of virtual machines has bridges.
fn bridge(name: &str) -> LinkMessageBuilder<LinkBridge> {
    LinkBridge::new(name).index(40)
}
